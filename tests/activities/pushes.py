"""The platform's side of its push queue, and how a test asks an activity about it."""

import dataclasses

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.push_drain import DrainQueue, PushDrain, Ramp

TABLES = ("push_tokens", "push_receipts", "push_queue")
QUICK = Ramp(first=2, first_per_second=1000.0, receipt_seconds=0.05)
FAST = DrainQueue(per_second=500)


class Platform:
    """The platform's side of the tables."""

    def __init__(self, connection) -> None:
        self._connection = connection

    async def ask(self, statement: str, **given):
        cursor = await self._connection.execute(statement.encode(), given or None)
        return await cursor.fetchall() if cursor.description else []

    async def queue(self, *tokens: int, urgent: bool = False, lives: str = "1 hour", body="b"):
        for token in tokens:
            await self.ask(
                "INSERT INTO push_queue (token_id, kind, title, body, urgent, expires_at)"
                " VALUES (%(t)s, 'news', 'Hello', %(b)s, %(u)s, now() + %(l)s::interval)",
                t=token,
                b=body,
                u=urgent,
                l=lives,
            )

    async def said(self, token: int, error: str, *ages: str) -> None:
        for age in ages:
            await self.ask(
                "INSERT INTO push_receipts (token_id, kind, bytes, error, at)"
                " VALUES (%(t)s, 'news', 90, %(e)s, now() - %(a)s::interval)",
                t=token,
                e=error,
                a=age,
            )

    async def states(self) -> list[str]:
        return [state for (state,) in await self.ask("SELECT state FROM push_queue ORDER BY id")]


async def run(activity, *given, attempt: int = 1, activity_id: str = "1"):
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info, attempt=attempt, activity_id=activity_id
    )
    return await environment.run(activity, *given)


async def empty(drain: PushDrain, attempt: int = 1, **more):
    before = await run(drain.drain_read, FAST)
    return await run(drain.drain, FAST, before, attempt=attempt, **more)


async def failing(awaited) -> ApplicationError:
    with pytest.raises(ApplicationError) as failed:
        await awaited
    return failed.value


def phone(number: int) -> str:
    return f"ExponentPushToken[phone-{number}]"
