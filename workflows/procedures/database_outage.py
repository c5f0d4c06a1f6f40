"""The database is gone: seen from both sides, users are kept away, and its provider is told."""

from __future__ import annotations

from activities.alerts import Alert
from activities.postgres_reach import HostDatabase, Looks, PostgresReach, Selected
from activities.status_pages import ProviderStatus, StatusOf, StatusPages
from activities.support import Support, WriteToSupport
from activities.verification import Answering, Condition, Every
from activities.words import Risk
from workflows.procedures.base import Evidence, Probe, Step, step
from workflows.procedures.outage import GoesIntoMaintenance

FAILURES = 3
"""Looks in a row, within a minute, before a vantage point holds it for down."""
BOTH_SIDES = Answering(checks=("postgres.select", "host.database_ping"))
WHOLE = Answering(checks=("postgres.assertions",))
_LOOKS = Looks(times=FAILURES)
_SECONDS = 30.0


class RidesOutDatabaseOutage(GoesIntoMaintenance):
    """Knows whether the database is down from both sides, and what is done until it is back."""

    from_worker = Probe(
        PostgresReach.select_again,
        _LOOKS,
        why="SELECT now() from the worker, up to three times",
        seconds=_SECONDS,
    )
    from_host = Probe(
        HostDatabase.database_ping_again,
        _LOOKS,
        why="the database from the API host, up to three times",
        seconds=_SECONDS,
    )
    status = Probe(
        StatusPages.status, StatusOf(provider="supabase"), why="what Supabase says of itself"
    )

    @property
    def behind(self) -> Condition:
        """Back, whole, and usable: looked at in this order."""
        flows = Answering(checks=self.given.maintenance_checks)
        return Every(conditions=(BOTH_SIDES, WHOLE, flows))

    def answers(self, seen: Evidence) -> bool:
        """Whether both sides get answers."""
        sides = (seen[self.from_worker], seen[self.from_host])
        return all(side is not None and side.answered for side in sides)

    def down(self, seen: Evidence) -> bool:
        """Whether both sides hold it for down; one that could not look does not."""
        return all(_down(side) for side in (seen[self.from_worker], seen[self.from_host]))

    def one_side_down(self, seen: Evidence) -> bool:
        """Whether at least one side holds it for down."""
        return any(_down(side) for side in (seen[self.from_worker], seen[self.from_host]))

    def database_seen(self, seen: Evidence) -> tuple[str, ...]:
        """Say what each side and the provider say of the database."""
        unread = seen.unread((self.from_worker, self.from_host, self.status))
        sides = (
            ("the worker", seen[self.from_worker]),
            ("the API host", seen[self.from_host]),
        )
        said = [
            f"from {where}: {look.finding}: {look.said}"
            for where, look in sides
            if look and not look.answered
        ]
        page = seen[self.status]
        status = [f"Supabase says: {page.state}: {page.said} ({page.url})"] if page else []
        return (*said, *status, *unread)

    def write_to_support(self, alert: Alert, seen: Evidence) -> tuple[Step, ...]:
        """Plan the letter to Supabase's support; its chat and its account are for people."""
        given, page = self.given, seen[self.status]
        project = f" (project {given.supabase_project})" if given.supabase_project else ""
        letter = step(
            Support.write,
            WriteToSupport(
                provider="supabase",
                subject=f"Database unreachable{project}",
                body=_letter(alert, seen.at.strftime("%Y-%m-%d %H:%M UTC"), project, page),
            ),
            target="supabase support",
            why="only Supabase can bring it back",
            effect="write to Supabase's support: the database cannot be reached",
            expect="an answer by e-mail; what they do is seen on their status page",
            risk=Risk.REVERSIBLE,
            mends=False,
            once=True,
        )
        return (letter,)

    def other_ways(self) -> tuple[str, ...]:
        """Say how people reach Supabase beside the letter."""
        console = self.given.database_console
        return (f"Supabase is reached also by the chat of {console} and by @supabase",)


def _down(side: Selected | None) -> bool:
    return side is not None and side.means_down and side.failures >= FAILURES


def _letter(alert: Alert, now: str, project: str, page: ProviderStatus | None) -> str:
    status = f'"{page.state}"' if page and page.state != "unknown" else "nothing that we can read"
    return (
        f"Hello,\n\nour database{project} cannot be reached since about "
        f"{alert.starts_at:%Y-%m-%d %H:%M} UTC.\n\n"
        f"At {now} neither our API's host nor an independent host of ours got an answer to a new "
        f"connection, {FAILURES} times in a row each. Your status page said {status}.\n\n"
        "Please tell us what is known and when to expect it back.\n"
    )
