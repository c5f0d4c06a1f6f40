"""Requests that fail: how many, with which status, on which routes."""

from __future__ import annotations

import re

from activities.alerts import Alert
from activities.host import Host
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.switches import Switch
from activities.words import Nothing
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Probe
from workflows.procedures.circuit import BreaksCircuit
from workflows.procedures.dependencies import StandsOn
from workflows.procedures.deployments import RollsBack
from workflows.procedures.host_use import SeesHostUse
from workflows.procedures.instances import crash_looping
from workflows.procedures.measured import known, number, over
from workflows.procedures.merging import TreatsTogether
from workflows.procedures.sentry import SeesErrors

_DOMINANT = 0.5
_ENDED = re.compile(
    r"uncaught|unhandled|fatal|out of memory|heap|segmentation|sigkill|exited|error", re.IGNORECASE
)
_MOST_LINES = 3


class SeesFailures(RollsBack, StandsOn, BreaksCircuit, TreatsTogether, SeesErrors):
    """Knows which requests fail, and what treats each kind of failure."""

    failing = Probe(
        Prometheus.value, Query(expression=promql.FAILING_SHARE), why="share of requests failing"
    )
    by_status = Probe(
        Prometheus.series, SeriesQuery(expression=promql.ERRORS_BY_STATUS), why="errors by status"
    )
    by_route = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.ERRORS_BY_ROUTE),
        why="ten routes with most errors",
    )
    queries = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.DATABASE_P95),
        why="database p95 by type of query",
    )
    logs = Probe(Host.logs, Nothing(), why="last lines that the API wrote")
    # As the log, a restart loses it: a short profile stands in the record first.
    busiest = SeesHostUse.busiest

    def dominant(self, seen: Evidence) -> str:
        """Name the status that most failing requests have; empty where no single one has."""
        found = {
            each.labels.get("status", ""): each.value
            for each in known(seen[self.by_status])
            if each.value
        }
        total = sum(found.values())
        worst = max(found, key=lambda status: found[status], default="")
        return worst if total and found[worst] / total > _DOMINANT else ""

    def rolled_back(self, alert: Alert, seen: Evidence, words: str) -> Cause:
        """Go back to the release before, within the rollback rule."""
        steps, findings = self.roll_back(alert, seen, self.database(seen))
        return Cause(words, steps, findings)

    def crashed(self, alert: Alert, seen: Evidence) -> Cause:
        """Restart what crashed; what crashes over and over needs another release instead."""
        words = "the API crashes or does not answer its gateway"
        if looping := crash_looping(seen[self.instances], seen.at):
            back = self.rolled_back(alert, seen, f"{words}: {looping}")
            return Cause(back.words, back.steps, (*back.findings, *self.last_words(seen)))
        return self.restarted(seen, words, "it ends what hangs, and begins anew what crashed")

    def restarted(self, seen: Evidence, words: str, why: str, asks: Asks = Asks.POLICY) -> Cause:
        """Restart one instance after the other; why they crashed is kept first."""
        expect = "errors end once the last instance is back"
        steps, findings = self.rolling_restart(seen, why=why, asks=asks, expect=expect)
        return Cause(words, steps, (*findings, *self.last_words(seen)))

    def below_fails(self, alert: Alert, seen: Evidence) -> Cause | None:
        """Treat what the API stands on, by the procedures of the database and of Redis."""
        causes = [
            cause for cause in (self.database_fails(seen), self.redis_fails(alert, seen)) if cause
        ]
        return self.together(seen, causes) if causes else None

    def below_is_gone(self, alert: Alert, seen: Evidence) -> bool:
        """Whether database or Redis does not answer at all: no other release would help."""
        database = self.database(seen)
        return bool(database and not database.answered) or bool(self.redis_fails(alert, seen))

    def waits(self, seen: Evidence) -> Cause | None:
        """Stop waiting for what is slow, whichever it is."""
        provider = self.provider_cut_off(seen)
        slow = over(seen[self.queries], self.given.database_slow_seconds)
        if not slow:
            return provider
        words = f"the database is slow: {slow}"
        if provider is not None:  # cached answers are among its switches
            return Cause(f"{provider.words}; {words}", provider.steps, provider.findings)
        return self.cut_off(seen, words, {Switch.SERVE_CACHED: "true"})

    def last_words(self, seen: Evidence) -> tuple[str, ...]:
        """Say what the API wrote when it failed: a restart loses it."""
        logs = seen[self.logs]
        lines = [line for line in logs.text.splitlines() if _ENDED.search(line)] if logs else []
        return tuple(f"the API wrote: {line[:200]}" for line in lines[-_MOST_LINES:])

    def failures_seen(self, alert: Alert, seen: Evidence) -> tuple[str, ...]:
        """Say which requests fail, what Sentry has seen, and what was deployed last."""
        total = sum(each.value or 0 for each in known(seen[self.by_status]))
        statuses = ", ".join(
            f"{each.labels.get('status', '?')} {(each.value or 0) / total:.0%}"
            for each in known(seen[self.by_status])
            if each.value
        )
        routes = ", ".join(
            f"{each.labels.get('route', '?')} ({each.labels.get('status', '?')}) {each.value:.2f}/s"
            for each in known(seen[self.by_route])[:_MOST_LINES]
            if each.value
        )
        unread = seen.unread((self.failing, self.by_status, self.releases, self.reach))
        return (
            *([f"failing requests by status: {statuses}"] if statuses else []),
            *([f"most errors: {routes}"] if routes else []),
            *self.errors_seen(seen),
            *self.deployed(alert, seen),
            *unread,
        )

    def share(self, seen: Evidence) -> float | None:
        """Give the share of requests that fail, where it was read."""
        return number(seen[self.failing])
