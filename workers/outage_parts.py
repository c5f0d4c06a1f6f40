"""Puts together what an outage needs: the database from both sides, and the maintenance page."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta

import httpx

from activities.changes import Targets
from activities.cloudflare_kv import Cell, Place
from activities.edge import BYPASS_HEADER
from activities.maintenance import Maintenance
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
    await _reach(parts, settings, ssh, stack)
    _maintenance(parts, settings, targets, http)


async def _reach(parts: Parts, settings: Settings, ssh: Ssh | None, stack: AsyncExitStack) -> None:
    if settings.postgres.dsn.get_secret_value():
        # Of its own: it keeps no connection back that others might need.
        database = await stack.enter_async_context(Database(settings.postgres.dsn))
        reach = PostgresReach(database)
        parts.add(reach)
        parts.checks["postgres.select"] = reach.select_sample
    else:
        parts.lack("PostgreSQL", variable("postgres", "dsn"), PostgresReach)
    if ssh is not None and settings.reach.database_host:
        host = HostDatabase(ssh, settings.reach.database_host, settings.reach.database_port)
        parts.add(host)
        parts.checks["host.database_ping"] = host.database_sample
    else:
        setting = variable("reach", "database_host") if ssh else variable("host", "address")
        parts.lack("the database as the API's host reaches it", setting, HostDatabase)


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
