"""What Sentry has seen: for people, and never what a plan decides by."""

from __future__ import annotations

from activities.sentry import Issues, NewestIssues, Sentry, SlowTransactions
from workflows.procedures.base import Evidence, Probe, Procedure
from workflows.procedures.given import Given

_MOST = 3


class SeesErrors(Procedure):
    """Knows the newest errors in Sentry."""

    issues = Probe(Sentry.issues, NewestIssues(), why="newest errors in Sentry")

    def errors_seen(self, seen: Evidence) -> tuple[str, ...]:
        """Name the errors that happen most, and say where they are shown."""
        return (*_issues(seen[self.issues]), *_link("errors", self.given))


class SeesTransactions(Procedure):
    """Knows the slowest transactions in Sentry."""

    transactions = Probe(
        Sentry.slow_transactions, SlowTransactions(), why="slow transactions in Sentry"
    )

    def transactions_seen(self, seen: Evidence, seconds: float) -> tuple[str, ...]:
        """Name the transactions over *seconds*, and say where they are shown."""
        answer = seen[self.transactions]
        found = answer.transactions if answer else ()
        slow = [f"{each.name} {each.p95_seconds:.2f} s" for each in found
                if each.p95_seconds > seconds]  # fmt: skip
        said = (f"slow transactions in Sentry: {', '.join(slow[:_MOST])}",) if slow else ()
        return (*said, *_link("slow transactions", self.given))


def _issues(answer: Issues | None) -> list[str]:
    return [
        f"Sentry: “{issue.title[:100]}” {issue.count} times"
        + (f" in {issue.culprit[:80]}" if issue.culprit else "")
        + f", first at {issue.first_seen:%H:%M}" + (f" ({issue.url})" if issue.url else "")
        for issue in (answer.issues if answer else ())[:_MOST]
    ]  # fmt: skip


def _link(what: str, given: Given) -> tuple[str, ...]:
    return (f"{what}: {given.sentry}",) if given.sentry else ()
