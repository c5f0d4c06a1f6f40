"""The responder's own hands on the game day's machine: real processes, real Redis."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from activities.alertmanager import Alertmanager, OpenAlerts
from activities.changes import Targets
from activities.health import Health
from activities.host import Host, HostNames, RecentDeployments
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.processes import App, ProcessManager, RollingRestart, Scale
from activities.prometheus import Prometheus, Query
from activities.prometheus_api import PrometheusApi
from activities.redis_pings import Pings
from activities.services import RestartService, Services
from activities.ssh import Login, Ssh
from activities.switches import DECLARED, SetSwitches, Switch, Switches
from activities.words import Nothing
from deploy.gameday.platform import Platform
from tests.activities.attempts import run

PACE = Pace(poll_seconds=0.2, ready_seconds=20.0, settle_seconds=0.5, ramp_seconds=0.1)


@pytest.fixture(scope="module")
async def at(tmp_path_factory):
    async with Platform(tmp_path_factory.mktemp("platform"), webhook_url=None) as platform:
        yield {"platform": platform, **platform.addresses()}


@pytest.fixture
def ssh(at):
    return Ssh(
        Login(
            host=at["ssh_host"],
            port=at["ssh_port"],
            user=at["ssh_user"],
            key=Path(at["ssh_client_key"]),
            known_hosts=Path(at["ssh_known_hosts"]),
        )
    )


async def test_the_host_tells_what_it_has(at, ssh):
    port = httpx.URL(at["redis_url"]).port
    host = Host(ssh, HostNames(redis_port=port, deployments=at["deploy_log"]))

    capacity = await run(host.capacity, Nothing())
    assert capacity.unread == ()
    assert 0 < capacity.memory_available_bytes < capacity.memory_total_bytes
    assert (await run(host.redis_ping, Pings())).answered
    assert (await run(host.redis_service, Nothing())).self_hosted
    deployments = await run(host.recent_deployment, RecentDeployments(most=2))
    assert [each.release for each in deployments.last] == ["v1.42.0", "v1.41.1"]
    assert deployments.newest_minutes_ago == pytest.approx(30 * 60, abs=5)
    assert (await run(host.logs, Nothing())).lines > 0


async def test_a_dead_redis_is_seen_from_the_host_and_restarted_once(at, ssh):
    port = httpx.URL(at["redis_url"]).port
    host = Host(ssh, HostNames(redis_port=port))
    services = Services(ssh, units=["redis"], targets=Targets(), pace=PACE)
    assert (await host.redis_look()).good is True

    await at["platform"].kill_redis()
    assert (await host.redis_look()).good is False

    order = RestartService(unit="redis", requested_at=datetime.now(UTC))
    before = await run(services.restart_service_read, order)
    done = await run(services.restart_service, order, before)
    again = await run(services.restart_service, order, before, attempt=2)

    assert done.changed
    assert again.at == done.at, "the second attempt restarted nothing"
    assert (await host.redis_look()).good is True


async def test_the_api_is_scaled_switched_restarted_and_put_back(at, ssh):
    variables = [each.variable for each in DECLARED.values()]
    pm2, targets = Pm2(ssh, "pravado-api", variables=variables), Targets()
    async with httpx.AsyncClient(trust_env=False) as http:
        health = Health(http, at["health_url"])
        manager = ProcessManager(pm2, targets=targets, health=health, pace=PACE)
        switches = Switches(pm2, targets=targets, health=health, pace=PACE)

        order = Scale(replicas=3, most=4)
        before = await run(manager.scale_read, order)
        await run(manager.scale, order, before)

        cache = SetSwitches(values={Switch.IN_MEMORY_CACHE: "true"})
        was = await run(switches.set_read, cache)
        await run(switches.set, cache, was)
        listed = await run(manager.processes, App())
        assert (listed.online, listed.environment["USE_IN_MEMORY_CACHE"]) == (3, "true")

        restart = RollingRestart(requested_at=datetime.now(UTC))
        running = await run(manager.rolling_restart_read, restart)
        done = await run(manager.rolling_restart, restart, running)
        assert "one at a time" in done.said

        await run(switches.set_undo, cache, was)
        await run(manager.scale_undo, order, before)
        back = await run(manager.processes, App())
        assert (back.online, back.environment["USE_IN_MEMORY_CACHE"]) == (2, "false")


async def test_the_platform_s_own_metrics_and_alerts_are_read(at):
    async with httpx.AsyncClient(trust_env=False) as http:
        alerts = await run(Alertmanager(http, at["alertmanager_url"]).open_alerts, OpenAlerts())
    assert alerts.truncated == 0
    prometheus = Prometheus(PrometheusApi(at["prometheus_url"]))
    async with asyncio.timeout(60):
        while (await run(prometheus.value, Query(expression="sum(up)"))).value is None:
            await asyncio.sleep(0.2)
