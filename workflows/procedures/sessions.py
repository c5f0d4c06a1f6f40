"""Sessions of PostgreSQL that hold on for long: which may be ended, and the steps that end them."""

from __future__ import annotations

from collections import defaultdict

from activities.postgres_ending import EndSessions, PostgresEnding
from activities.postgres_sessions import Session, Sessions
from activities.record import Asks
from activities.words import Risk
from workflows.procedures.base import Step, step

MOST_NAMED = 30


def to_end(seen: Sessions | None, over_seconds: float) -> tuple[list[Session], tuple[str, ...]]:
    """Choose the long ones that may be ended; a waiter is left, for it goes on when its root ends.

    Also gives what people should know of those that are left alone.
    """
    if seen is None or seen.blind:
        return [], ()
    long = [one for one in seen.sessions if one.age_seconds >= over_seconds]
    chosen = [one for one in long if not one.protected and not one.blocked_by]
    left = [f"left alone: {_named(one)}: {one.protected}" for one in long if one.protected]
    waiting: defaultdict[tuple[int, ...], list[Session]] = defaultdict(list)
    for one in long:
        if one.blocked_by and not one.protected:
            waiting[one.blocked_by].append(one)
    left += [
        f"left alone: {', '.join(map(_pid, group))}: waits for {', '.join(map(_holder, holders))}"
        for holders, group in waiting.items()
    ]
    more = len(chosen) - MOST_NAMED + seen.left_out
    if more > 0:
        left.append(f"{more} more sessions are not named, and not ended")
    return chosen[:MOST_NAMED], tuple(left)


def end(sessions: list[Session], *, pooler: bool) -> tuple[Step, ...]:
    """Plan to cancel what can be cancelled, and to terminate all that is named; asked once."""
    if not sessions:
        return ()
    warning = " (behind a pooler: each may serve another client by then)" if pooler else ""
    active = [one for one in sessions if one.state == "active"]
    cancel: tuple[Step, ...] = ()
    if active:
        first = step(
            PostgresEnding.cancel,
            EndSessions(sessions=tuple(one.ref for one in active), why="connections run out"),
            target="postgres",
            why="cancelling is the mildest way to end a statement; its session stays",
            effect=f"cancel {_counted(active, 'statement')}{warning}",
            details=_listed(active),
            expect="the sessions go idle, and their locks are free",
            risk=Risk.DESTRUCTIVE,
            asks=Asks.ALWAYS,
        )
        cancel = (first,)
    same = ", those cancelled among them" if active else ""
    terminate = step(
        PostgresEnding.terminate,
        EndSessions(sessions=tuple(one.ref for one in sessions), why="connections run out"),
        target="postgres",
        why="connections are held for long, and an idle transaction cannot be cancelled",
        effect=f"terminate {_counted(sessions, 'backend')}{same}{warning}",
        details=_listed(sessions),
        expect=f"{_counted(sessions, 'connection')} free; what was not committed is rolled back",
        risk=Risk.DESTRUCTIVE,
        asks=Asks.ALWAYS,
        approved_with=cancel[0].key if cancel else "",
    )
    return (*cancel, terminate)


def _named(one: Session) -> str:
    return f"pid {one.pid} ({one.application or one.user}, {one.state} {one.age_seconds:.0f} s)"


def _listed(sessions: list[Session]) -> tuple[str, ...]:
    """Name every session exactly, those alike in one line: what is approved is what is ended."""
    alike: defaultdict[tuple[str, str, str], list[Session]] = defaultdict(list)
    for one in sessions:
        alike[one.application or one.user, one.state, " ".join(one.query.split())[:120]].append(one)
    return tuple(
        f"{who}, {state} for {_ages(group)}: “{query}”: {', '.join(map(_pid, group))}"
        for (who, state, query), group in alike.items()
    )


def _pid(one: Session) -> str:
    return f"pid {one.pid}" + (f" (blocks {one.blocks})" if one.blocks else "")


def _ages(sessions: list[Session]) -> str:
    ages = sorted(round(one.age_seconds) for one in sessions)
    return f"{ages[0]} s" if ages[0] == ages[-1] else f"{ages[0]} to {ages[-1]} s"


def _holder(pid: int) -> str:
    return f"pid {pid}" if pid else "a prepared transaction"


def _counted(sessions: list[Session], thing: str) -> str:
    return f"{len(sessions)} {thing}{'' if len(sessions) == 1 else 's'}"
