"""Sessions of an application that a test finds again in what the responder sees."""

from activities.postgres_sessions import LongRunning, PostgresSessions, Session
from tests.activities.databases import run, until

CHANGE = "UPDATE held SET n = n + 1"
NOW = LongRunning(over_seconds=0, most=30)


async def find(database, pid: int, **that) -> Session:
    """Wait until the session is listed, and looks like that."""

    async def listed():
        seen = await run(PostgresSessions(database).long_running, NOW)
        for one in seen.sessions:
            if one.pid == pid and all(getattr(one, name) == value for name, value in that.items()):
                return one
        return None

    return await until(listed)


def pid(session) -> int:
    return session.info.backend_pid
