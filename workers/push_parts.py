"""What is made of the settings of push notifications and of e-mail."""

from __future__ import annotations

from contextlib import AsyncExitStack

from httpx import AsyncClient

from activities.changes import Targets
from activities.postgres_connection import Database
from activities.push_drain import PushDrain
from activities.push_mail import PushMail
from activities.push_queueing import PushQueueing
from activities.push_records import PushRecords
from activities.push_tokens import PushTokens
from activities.switches import Switches
from workers.email_parts import email
from workers.expo_parts import expo
from workers.parts import Parts
from workers.settings import Settings, variable


async def push(
    parts: Parts, settings: Settings, targets: Targets, stack: AsyncExitStack, http: AsyncClient
) -> None:
    """Add what reads and empties the queue, and what switches it on: after the API's host."""
    smtp, api, switches = email(parts, settings), expo(parts, settings, http), parts.find(Switches)
    dsn = settings.postgres.dsn
    kinds = (PushRecords, PushTokens, PushDrain, PushMail)
    if not dsn.get_secret_value():
        parts.lack("PostgreSQL", variable("postgres", "dsn"), *kinds, PushQueueing)
        return
    database = await stack.enter_async_context(Database(dsn))
    drain = PushDrain(database, api, targets)
    parts.add(
        PushRecords(database),
        PushTokens(database, targets),
        drain,
        PushMail(database, smtp, targets),
    )
    if switches is None:
        parts.lack("the API's host", variable("host", "address"), PushQueueing)
    else:
        parts.add(PushQueueing(switches, drain, targets))
