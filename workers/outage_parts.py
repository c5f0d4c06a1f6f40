"""Puts together what an outage needs: the database from both sides, and the maintenance page."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta

import httpx

from activities.changes import Targets
from activities.cloudflare_kv import Cell, Place
from activities.edge import BYPASS_HEADER
from activities.failover import Failover
from activities.maintenance import Maintenance
from activities.postgres_assertions import PostgresAssertions
from activities.postgres_connection import Database
from activities.postgres_reach import HostDatabase, PostgresReach
from activities.ssh import Ssh
from activities.web import Web
from workers.parts import Parts
from workers.settings import Settings, variable


async def outage(
    parts: Parts,
    settings: Settings,
    *,
    ssh: Ssh | None,
    targets: Targets,
    http: httpx.AsyncClient,
    stack: AsyncExitStack,
) -> None:
    """Add the looks at the database from both sides, and the maintenance page."""
    await _database(parts, settings, stack)
    _from_host(parts, settings, ssh, targets)
    _maintenance(parts, settings, targets, http)


async def _database(parts: Parts, settings: Settings, stack: AsyncExitStack) -> None:
    if not settings.postgres.dsn.get_secret_value():
        setting = variable("postgres", "dsn")
        parts.lack("PostgreSQL", setting, PostgresReach, PostgresAssertions)
        return
    # Of its own: it keeps no connection back that others might need.
    database = await stack.enter_async_context(Database(settings.postgres.dsn))
    reach = PostgresReach(database)
    asked = [each.assertion for each in settings.integrity.assertions]
    assertions = PostgresAssertions(database, asked)
    parts.add(reach, assertions)
    parts.checks["postgres.select"] = reach.select_sample
    parts.checks["postgres.assertions"] = assertions.sample


def _from_host(parts: Parts, settings: Settings, ssh: Ssh | None, targets: Targets) -> None:
    if ssh is None:
        setting = variable("host", "address")
        parts.lack("the API's host", setting, HostDatabase, Failover)
        return
    failover = Failover(ssh, settings.failover.fence_program, targets)
    parts.add(failover)
    parts.checks["failover.fenced"] = failover.fenced_sample
    where, port = settings.reach.database_host, settings.reach.database_port
    host = HostDatabase(ssh, where, port)
    parts.add(host)
    if where:
        parts.checks["host.database_ping"] = host.database_sample


def _maintenance(
    parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient
) -> None:
    section = settings.maintenance
    if not section.token.get_secret_value():
        parts.lack("the maintenance page", variable("maintenance", "token"), Maintenance)
        return
    place = Place(section.account, section.namespace, section.key, section.base_url)
    parts.add(
        Maintenance(
            Cell(http, place, section.token),
            targets,
            public=Web(http, "the public address") if section.public_url else None,
            url=section.public_url,
            bypass_header=settings.flows.bypass_header.lower() or BYPASS_HEADER,
            spread=timedelta(seconds=section.spread_seconds),
        )
    )
