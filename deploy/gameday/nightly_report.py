"""A report gone wrong: it opens sessions and never gives them back, until somebody ends them.

Half of them run a statement that does not end, and give up when it is cancelled; the others sit
in a transaction with nothing to cancel, so only ending the session helps. None comes back, unless
the report is told to begin again whatever is ended.
"""

import asyncio
import contextlib
import os
import sys

import psycopg

NAME = "nightly-report"
AGAIN = "again"
_AGAIN_SECONDS = 0.3
STATEMENT = (
    "SELECT o.name, sum(l.cost_usd), pg_sleep(900) FROM organizations o"
    " JOIN llm_request_logs l ON l.organization_id = o.id WHERE o.id = 1 GROUP BY o.name"
)


async def run(dsn: str, sessions: int, *, again: bool = False) -> None:
    """Hold that many sessions until the last is gone; *again* opens anew what was ended."""

    async def hold(number: int) -> None:
        await _hold(dsn, active=number % 2 == 0)
        while again:
            await asyncio.sleep(_AGAIN_SECONDS)
            await _hold(dsn, active=number % 2 == 0)

    await asyncio.gather(*(hold(number) for number in range(sessions)))


async def _hold(dsn: str, *, active: bool) -> None:
    with contextlib.suppress(psycopg.Error):
        connection = await psycopg.AsyncConnection.connect(dsn, application_name=NAME)
        async with connection:
            await connection.execute("SELECT count(*) FROM users")
            if active:
                await connection.execute(STATEMENT)
                return
            closed = asyncio.Event()
            # An idle session only learns that it was ended by looking at its socket.
            asyncio.get_running_loop().add_reader(connection.fileno(), closed.set)
            try:
                await closed.wait()
            finally:
                asyncio.get_running_loop().remove_reader(connection.fileno())


def main() -> None:
    """Run with the number of sessions, and maybe "again"; DATABASE_URL is in the environment."""
    again = AGAIN in sys.argv[2:]
    asyncio.run(run(os.environ["DATABASE_URL"], int(sys.argv[1]), again=again))


if __name__ == "__main__":
    main()
