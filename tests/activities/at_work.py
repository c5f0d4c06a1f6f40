"""Sessions of an application that a test finds again in what the responder sees."""

from activities.changes import Targets
from activities.postgres_ending import EndSessions, PostgresEnding
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


def order(*found: Session, **altered) -> EndSessions:
    refs = tuple(one.ref.model_copy(update=altered) for one in found)
    sent = EndSessions(sessions=refs, why="they hold everybody up").model_dump_json()
    return EndSessions.model_validate_json(sent)  # the moments must survive the history


async def end(database, verb: str, what: EndSessions, *, before=None, attempt=1, wait=5.0):
    ending = PostgresEnding(database, Targets(), wait_seconds=wait)
    before = before or await run(getattr(ending, f"{verb}_read"), what)
    return await run(getattr(ending, verb), what, before, attempt=attempt)
