"""The one place where clients, activities and procedures are put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from activities.alertmanager import Alertmanager
from activities.autonomy import AutonomyLedger
from activities.changes import Targets
from activities.coordination import Coordination
from activities.errors import NotConfigured
from activities.freezing import Freezing
from activities.health import Health
from activities.host import Host, HostNames
from activities.incidents import Incidents
from activities.neighbours import NeighbouringIncidents
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.postgres import Postgres
from activities.postgres_connection import Database
from activities.postgres_ending import PostgresEnding
from activities.postgres_indexes import PostgresIndexes
from activities.postgres_indexing import PostgresIndexing
from activities.postgres_sessions import PostgresSessions
from activities.postgres_statements import PostgresStatements
from activities.processes import ProcessManager
from activities.prometheus import Prometheus
from activities.prometheus_api import PrometheusApi
from activities.report import Reports
from activities.rollbacks import Rollbacks
from activities.services import Services
from activities.slack import Slack
from activities.slack_api import slack_api
from activities.slack_channels import SlackChannels
from activities.slack_charts import SlackCharts
from activities.ssh import Ssh
from activities.supervisor import Keeper
from activities.switches import DECLARED, Switches
from activities.verification import Condition, Sample, Verification
from activities.week import Weeks
from workers import clients
from workers.cache_parts import cache
from workers.deployment_parts import deployments
from workers.infrastructure_parts import infrastructure
from workers.kubernetes_parts import KUBERNETES, PM2, Clustered, kubernetes
from workers.llm_parts import language_models
from workers.looks import answering, careful, in_order
from workers.outage_parts import outage
from workers.pagerduty_parts import pagerduty
from workers.parts import Activity, Parts
from workers.push_parts import push
from workers.settings import Settings, SettingsWrong, variable
from workers.status_parts import outside_looks
from workflows.consult import Library
from workflows.efforts import Queue
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given

Composition = Mapping[Queue, list[Activity]]
"""What the worker of each task queue can do."""


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[Composition]:
    """Build everything from the settings, and close it in the end; nothing is connected to yet."""
    parts, targets = Parts(), Targets()
    async with AsyncExitStack() as stack:
        # Trying again is Temporal's, and no proxy of the environment sees what we say.
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        try:
            parts.add(Library(PROCEDURES, _given(settings)), queue=Queue.INCIDENTS)
            parts.add(
                Reports(settings.reports.folder, settings.reports.base_url),
                Incidents(),
                NeighbouringIncidents(),
                Coordination(),
                Freezing(),
                AutonomyLedger(),
                Weeks(),
            )
            measured = _watching(parts, settings, http, stack)
            cache(parts, settings, targets, http)
            await _postgres(parts, settings, targets, stack)
            ssh = clients.ssh(settings.host)
            host, keeper = _host(parts, settings, targets, http, ssh)
            cluster: Clustered | None = None
            if settings.processes.kind == KUBERNETES:
                cluster = await kubernetes(parts, settings, targets, http, stack)
                keeper = cluster.keeper
            told = [cluster.history] if cluster else []
            deployments(parts, settings, http, told, host=host, keeper=keeper, prometheus=measured)
            health = cluster.health if cluster else None
            infrastructure(parts, settings, targets, http, ssh=ssh, cluster=health)
            await _telling(parts, settings, http, stack)
            outside_looks(parts, settings, targets, http)
            await outage(parts, settings, ssh=ssh, targets=targets, http=http, stack=stack)
            await language_models(parts, settings, targets, http, stack)
            await push(parts, settings, targets, stack, http)
        except SettingsWrong:
            raise
        except ValueError as error:
            # Ours, which quotes no secret: what a client says of its own settings.
            raise SettingsWrong(f"the settings cannot be used: {error}") from None
        yield parts.activities


def _given(settings: Settings) -> Given:
    """Tell the procedures also what this platform calls its switches."""
    declared = settings.processes.switches
    names = {switch: each.variable for switch, each in declared.items()}
    defaults = {
        switch: each.default
        for switch, each in declared.items()
        if each.default != DECLARED[switch].default
    }
    return settings.given.model_copy(update={"variables": names, "defaults": defaults})


def _watching(
    parts: Parts, settings: Settings, http: httpx.AsyncClient, stack: AsyncExitStack
) -> PrometheusApi | None:
    async def blind(condition: Condition) -> Sample:  # noqa: ARG001
        raise NotConfigured("Prometheus", variable("prometheus", "url"))

    look = blind
    if (api := clients.prometheus_api(settings.prometheus)) is not None:
        stack.callback(api.close)
        prometheus = Prometheus(api)
        parts.add(prometheus)
        look = prometheus.look
    else:
        parts.lack("Prometheus", variable("prometheus", "url"), Prometheus)
    # The checks are added by the systems below; the look finds them there when it is asked.
    looks = {"below": careful(look), "answering": careful(answering(parts.checks))}
    parts.add(Verification(looks | {"every": in_order(looks)}))

    if (alerting := clients.alertmanager(settings.alertmanager, http)) is not None:
        parts.add(alerting)
    else:
        parts.lack("Alertmanager", variable("alertmanager", "url"), Alertmanager)
    return api


async def _postgres(
    parts: Parts, settings: Settings, targets: Targets, stack: AsyncExitStack
) -> None:
    asking = (PostgresSessions, PostgresStatements, PostgresIndexes)
    changing = (PostgresEnding, PostgresIndexing)
    if not settings.postgres.dsn.get_secret_value():
        parts.lack("PostgreSQL", variable("postgres", "dsn"), Postgres, *asking, *changing)
        return
    database = await stack.enter_async_context(Database(settings.postgres.dsn))
    postgres = Postgres(database)
    parts.add(postgres, *(kind(database) for kind in asking))
    parts.add(*(kind(database, targets) for kind in changing))
    parts.checks["postgres.answers"] = postgres.answers_sample


def _host(
    parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient, ssh: Ssh | None
) -> tuple[Host | None, Keeper | None]:
    """Add the API's host; give it, and who keeps the releases there."""
    section, given, processes = settings.host, settings.given, settings.processes
    under_pm2 = processes.kind == PM2
    if ssh is None:
        instances = (ProcessManager, Switches, Rollbacks) if under_pm2 else ()
        parts.lack("the API's host", variable("host", "address"), Host, Services, *instances)
        return None, None
    names = HostNames(
        app=given.app,
        redis_host=section.redis_host,
        redis_port=section.redis_port,
        redis_unit=given.redis_unit,
        deployments=section.deploy_log,
    )
    host = Host(ssh, names)
    parts.checks["host.redis_ping"] = host.redis_look
    pace = Pace(
        ready_seconds=processes.ready_seconds,
        settle_seconds=processes.settle_seconds,
        ramp_seconds=processes.ramp_seconds,
    )
    parts.add(host, Services(ssh, units=section.units, targets=targets, pace=pace))
    if not under_pm2:
        return host, None
    health = Health(http, processes.health_url) if processes.health_url else None
    declared = processes.switches
    folders = settings.releases.folders
    variables = [each.variable for each in declared.values()]
    pm2 = Pm2(ssh, given.app, variables=variables, folders=folders)
    parts.add(
        ProcessManager(pm2, targets=targets, health=health, pace=pace),
        Switches(pm2, targets=targets, declared=declared, health=health, pace=pace),
        Rollbacks(pm2, targets=targets, health=health, pace=pace),
    )
    return host, pm2 if folders else None


async def _telling(
    parts: Parts, settings: Settings, http: httpx.AsyncClient, stack: AsyncExitStack
) -> None:
    section = settings.slack
    if section.token.get_secret_value():
        api = await stack.enter_async_context(slack_api(section.token, url=section.base_url))
        channels = Slack(api, section.channels), SlackCharts(api), SlackChannels(api)
        parts.add(*channels, queue=Queue.MESSAGES)
    else:
        setting = variable("slack", "token")
        kinds = (Slack, SlackCharts, SlackChannels)
        parts.lack("Slack", setting, *kinds, queue=Queue.MESSAGES)
    pagerduty(parts, settings, http)
