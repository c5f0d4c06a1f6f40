"""The whole platform of a game day, started by one call, and the ways to break it."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psycopg

from deploy.gameday import (
    cached_routes,
    deployments,
    faults,
    host,
    monitoring,
    nightly_report,
    traffic,
    units,
)
from deploy.gameday.breaking_api import BreaksApi
from deploy.gameday.breaking_database import BreaksDatabase
from deploy.gameday.breaking_host import BreaksHost
from deploy.gameday.breaking_redis import BreaksRedis
from deploy.gameday.commands import DEPLOY_LOG
from deploy.gameday.database import DATABASE, Database
from deploy.gameday.exporting import Exporter
from deploy.gameday.faults import Faults
from deploy.gameday.health import Health
from deploy.gameday.pm2 import APP
from deploy.gameday.releases import ReleaseFolders
from deploy.gameday.shell import Ssh, make_keys
from deploy.local import data, processes
from deploy.local.metrics import Alertmanager, Prometheus
from deploy.prometheus_rules import rules_yaml
from workflows import promql

LEAKED = 34
"""Sessions that bring the database above 80 % and leave the responder a few."""

_ROOT = Path(__file__).resolve().parents[2]


class Platform(BreaksRedis, BreaksApi, BreaksHost, BreaksDatabase):
    """A small Pravado platform on loopback ports, its data under one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        webhook_url: str | None = None,
        webhook_token: str = "",
        rules: str = "",
        environment: Mapping[str, str] | None = None,
        front: str = "",
    ) -> None:
        """Describe the platform; nothing starts yet.

        Args:
            folder: Where everything but PostgreSQL writes; made when it is not there.
            webhook_url: The responder's door for Alertmanager; without it nobody is told.
            webhook_token: The bearer token of that door.
            rules: The text of Prometheus's rules; those of the product, quick, when left out.
            environment: What else the instances of the API are told: where other services are.
            front: What users call in place of the balancer: the edge, which calls that.
        """
        self.folder = folder.absolute()
        ssh_port, balancer_port, self.redis_port, exporter_port = processes.free_ports(4)
        files = make_keys(self.folder / "keys", ssh_port)
        self._database = Database(self.folder / "postgres")
        self._targets = self.folder / "prometheus" / "targets.json"
        self._host_folder = self.folder / "host"
        self.faults = Faults(self._host_folder / "faults")
        self.releases = ReleaseFolders(self._host_folder)
        self.warm_up_token = secrets.token_urlsafe(24)
        alertmanager_folder = self.folder / "alertmanager"
        self._alertmanager = Alertmanager(
            alertmanager_folder,
            monitoring.alertmanager(webhook_url, alertmanager_folder),
            files={monitoring.TOKEN_FILE: webhook_token},
        )
        self._prometheus = Prometheus(
            self.folder / "prometheus",
            monitoring.prometheus(self._alertmanager.port, self._targets, exporter_port),
            files={monitoring.RULES_FILE: rules or rules_yaml(window="10s", hold="2s")},
        )
        self._settings = host.Settings(
            folder=self._host_folder,
            ssh_port=ssh_port,
            balancer_port=balancer_port,
            redis_port=self.redis_port,
            database_url=self._database.dsn_of("pravado_api"),
            host_key=files.host_key,
            authorized_keys=files.authorized_keys,
            deployments=self._host_folder / "deployments.log",
            targets=self._targets,
            environment={
                faults.VARIABLE: str(self.faults.folder),
                cached_routes.TOKEN: self.warm_up_token,
                **(environment or {}),
            },
        )
        self._exporter = Exporter(self.folder, exporter_port, self._settings)
        self._host = self._python("host", str(self._host_folder / "settings.json"))
        self._host.ready = self._serves
        self._traffic_folder = self.folder / "traffic"
        self.api_url = f"http://127.0.0.1:{balancer_port}"
        self.users_url = front or self.api_url
        self._traffic = self._python("traffic", self.users_url, str(self._traffic_folder))
        self._traffic.ready = self._used
        self._report: processes.Child | None = None
        self._running = contextlib.AsyncExitStack()

        self.prometheus_url = self._prometheus.url
        self.alertmanager_url = self._alertmanager.url
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.postgres_dsn = self._database.dsn_of("responder")
        self.database_port = self._database.port
        self.health_url = f"{self.api_url}/healthz"
        self.deploy_log = DEPLOY_LOG
        self.postgres_log = self._database.log
        self.ssh = Ssh(ssh_port, files.client_key, files.known_hosts)

    def addresses(self) -> dict[str, str | int]:
        """Give every address that the responder needs, by name."""
        return {
            "prometheus_url": self.prometheus_url,
            "alertmanager_url": self.alertmanager_url,
            "redis_url": self.redis_url,
            "postgres_dsn": self.postgres_dsn,
            "api_url": self.api_url,
            "health_url": self.health_url,
            "ssh_host": self.ssh.host,
            "ssh_port": self.ssh.port,
            "ssh_user": self.ssh.user,
            "ssh_client_key": str(self.ssh.client_key),
            "ssh_known_hosts": str(self.ssh.known_hosts),
            "deploy_log": self.deploy_log,
        }

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
            self._write_files()
            await starting.enter_async_context(self._database)
            first = (self._prometheus, self._exporter, self._host)
            then = (self._alertmanager, self._traffic)
            for child in (*first, *then):
                starting.push_async_callback(child.stop)
            starting.push_async_callback(self.plug_leak)
            await asyncio.gather(*(child.start() for child in first))
            # Who does not see the API yet, for it takes Prometheus five seconds to hear of its
            # targets, would tell everybody that it is down.
            await self._until(self._scraped)
            await asyncio.gather(*(child.start() for child in then))
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._running.aclose()

    async def healthy(self) -> list[str]:
        """Give the reasons why the platform is not truly well; none is health."""
        health = Health(
            api_url=self.users_url,
            redis_port=self.redis_port,
            dsn=self.postgres_dsn,
            ssh=self.ssh,
            traffic_seen=self._traffic_folder / traffic.SEEN_FILE,
        )
        return [*await health.reasons(), *self.faults.left(), *self.releases.unwell()]

    def slow_looks(self, seconds: float) -> None:
        """Make every look at the API server take so long, as a busy machine does."""
        (self._host_folder / units.SLOW).write_text(f"{seconds}")

    def commands(self) -> list[str]:
        """Give every command that the API server was told, oldest first."""
        log = self._host_folder / host.COMMANDS_LOG
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line)["command"] for line in lines]

    async def kill_api_instance(self) -> int:
        """End one instance of the API as kill -9 does, and give the id that it had."""
        pid: int = (await self.ssh.jlist())[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def forget_restarts(self) -> None:
        """Count the restarts of the instances from zero again.

        Those of an earlier game day are seconds old: with them, one that was started for its end
        looks as if it crashed over and over.
        """
        await self.ssh.run(f"pm2 reset {APP}")

    def spike(self, factor: float) -> None:
        """Make the users send that many times as much; 4 is more than two instances carry."""
        self._traffic_folder.mkdir(parents=True, exist_ok=True)
        (self._traffic_folder / traffic.RATE_FILE).write_text(f"{traffic.RATE * factor}")

    def calm(self) -> None:
        """Make the users send as on a normal day."""
        self.spike(1)

    async def leak_connections(self, sessions: int = LEAKED, *, again: bool = False) -> None:
        """Start a report that opens sessions and never gives them back, or opens them *again*."""
        await self.plug_leak()
        more = [nightly_report.AGAIN] if again else []
        self._report = self._python("nightly_report", str(sessions), *more)
        self._report.env = {
            "PATH": os.environ.get("PATH", ""),
            "DATABASE_URL": self._database.dsn_of("nightly_report"),
        }
        await self._report.start()
        await self._until(lambda: self._leaked(sessions))

    async def plug_leak(self) -> None:
        """End that report, if it still runs."""
        if self._report is not None:
            await self._report.stop()
            self._report = None
            # A server that is in the middle of a statement does not see that its client has gone.
            admin = await psycopg.AsyncConnection.connect(self._database.dsn(DATABASE))
            async with admin:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = %s",
                    (nightly_report.NAME,),
                )

    def _write_files(self) -> None:
        self._host_folder.mkdir(parents=True, exist_ok=True)
        self._targets.parent.mkdir(parents=True, exist_ok=True)
        (self._host_folder / host.LISTENING).unlink(missing_ok=True)
        self._targets.unlink(missing_ok=True)
        settings = self._host_folder / "settings.json"
        # The address of the database, password and all, is in it.
        data.write_private(settings, self._settings.model_dump_json())
        self._settings.deployments.write_text(deployments.history())
        self.releases.begin()
        self.faults.clear()
        self.mend_redis()
        self.slow_redis_start(0)
        self.slow_looks(0)
        self.calm()
        (self._traffic_folder / traffic.SEEN_FILE).unlink(missing_ok=True)

    def _python(self, module: str, *arguments: str) -> processes.Child:
        return processes.Child(
            f"{module} of the game day",
            [sys.executable, "-m", f"{__package__}.{module}", *arguments],
            log=self.folder / f"{module}.log",
            cwd=_ROOT,
        )

    async def _serves(self) -> bool:
        """Whether the API server is up and sends traffic to all its instances."""
        if not (self._host_folder / host.LISTENING).exists():
            return False
        [scraped] = json.loads(self._targets.read_text())
        ready = len(scraped["targets"]) == host.INSTANCES
        return ready and await processes.answers(self.health_url)()

    async def _scraped(self) -> bool:
        """Whether Prometheus sees the API, and holds it for down no more."""
        async with httpx.AsyncClient(base_url=self.prometheus_url, trust_env=False) as client:
            up = (await client.get("/api/v1/query", params={"query": promql.API_UP})).json()
            alerts = (await client.get("/api/v1/alerts")).json()
        names = {each["labels"]["alertname"] for each in alerts["data"]["alerts"]}
        return bool(up["data"]["result"]) and "APIDown" not in names

    async def _used(self) -> bool:
        """Whether users get answers."""
        seen = json.loads((self._traffic_folder / traffic.SEEN_FILE).read_text())
        return bool(seen["answered"])

    async def _leaked(self, sessions: int) -> bool:
        admin = await psycopg.AsyncConnection.connect(self._database.dsn(DATABASE))
        async with admin:
            found = await admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
                " AND state <> 'idle'",
                (nightly_report.NAME,),
            )
            return await found.fetchone() == (sessions,)
