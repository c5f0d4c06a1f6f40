"""Runbook, "Error Rate Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.record import Asks
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Ladder
from workflows.procedures.failing import SeesFailures
from workflows.procedures.lasting import ShieldsUsers

_USES = ("rollback_within_minutes", "rollback_healthy_minutes", "llm_slow_seconds",
         "database_slow_seconds")  # fmt: skip


class HighAPIErrorRate(SeesFailures):
    """More than 5 % of the requests fail."""

    severity = Severity.WARNING
    impact = "Some requests fail: people see errors, and try again."
    section = "high-api-error-rate--5"
    recovered = Below(
        expression=promql.FAILING_SHARE, threshold=0.05, unit="%",
        traffic=promql.API_RATE, floor=0.1,
    )  # fmt: skip
    uses = _USES

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Treat what most failing requests have in common; an unknown cause is a person's."""
        share, findings = self.share(seen), self.failures_seen(alert, seen)
        if share is not None and share < self.threshold:
            fine = f"{share:.1%} of the requests fail now, under {self.threshold:.0%}"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        cause = self._cause(alert, seen)
        much = "" if share is None else f"{share:.1%} of the requests fail: "
        return Ladder(
            cause=f"{much}{cause.words}",
            steps=cause.steps,
            findings=(*cause.findings, *findings),
            when_out="Requests still fail and no step is left: a hotfix by a person is needed.",
        )

    def _cause(self, alert: Alert, seen: Evidence) -> Cause:
        status = self.dominant(seen)
        if status == "500":
            return self.rolled_back(alert, seen, "most answer 500: the code fails")
        if status == "502":
            return self.crashed(alert, seen)
        found = None
        if status == "503":
            found = self.below_fails(alert, seen)
        if status == "504":
            found = self.waits(seen)
        if found is not None:
            return Cause(f"most answer {status}: {found.words}", found.steps, found.findings)
        most = f"most answer {status}, and nothing" if status else "no single status, and nothing"
        return self.restarted(
            seen,
            f"{most} that is measured says why",
            "no cause is clear; it frees what hangs",
            asks=Asks.ALWAYS,
        )


class CriticalAPIErrorRate(SeesFailures, ShieldsUsers):
    """OUTAGE: more than 20 % of the requests fail."""

    severity = Severity.CRITICAL
    impact = "Most users cannot use the service: treat it as down."
    section = "critical-api-error-rate--20"
    recovered = Below(
        expression=promql.FAILING_SHARE, threshold=0.05, unit="%",
        traffic=promql.API_RATE, floor=0.1,
    )  # fmt: skip
    uses = (*_USES, "outage_seconds")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Treat database and Redis first; else roll back, restart, and shield users at last."""
        share, findings = self.share(seen), self.failures_seen(alert, seen)
        if share is not None and share < self.threshold:
            fine = f"{share:.1%} of the requests fail now, under {self.threshold:.0%}"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        causes = self._causes(alert, seen)
        much = (
            "an unknown share of the requests" if share is None else f"{share:.0%} of the requests"
        )
        words = self.together(seen, causes)
        shield = self.shield(seen, why="requests still fail after everything else was tried")
        return Ladder(
            cause=f"OUTAGE: {much} fail; {words.words}",
            steps=(*words.steps, *shield),
            findings=(*words.findings, *findings),
            when_out="Most users cannot use the service and no step is left: ETA unknown. "
            "Escalate to the CTO.",
        )

    def _causes(self, alert: Alert, seen: Evidence) -> list[Cause]:
        below = self.below_fails(alert, seen)
        if below is not None and self.below_is_gone(alert, seen):
            return [below]
        if self.dominant(seen) == "504" and (slow := self.waits(seen)) is not None:
            return [slow]
        # Connections that are used up may be what the newest release does to the database.
        words = "" if below else "database and Redis do not explain it"
        if self.database(seen) is None:
            words = "whether the database answers is not known"
        back = self.rolled_back(alert, seen, words)
        anew = self.restarted(seen, "", "treated as down: it begins anew what hangs or crashed")
        return [back, *([below] if below else []), anew]
