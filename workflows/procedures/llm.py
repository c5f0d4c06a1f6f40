"""LLM providers that answer slowly, and how the API is kept from waiting for them."""

from __future__ import annotations

from activities.llm_findings import Provider
from activities.prometheus import Prometheus, SeriesQuery
from activities.record import Asks
from activities.switches import Switch
from activities.verification import Below, Every
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Probe
from workflows.procedures.llm_flipping import OTHER, TITLES, RoutesCalls
from workflows.procedures.measured import known, over, slower


class TurnsFromProvider(RoutesCalls):
    """Knows how fast each LLM provider is, and plans to wait less for a slow one."""

    providers = Probe(
        Prometheus.series, SeriesQuery(expression=promql.LLM_P95), why="p95 by LLM provider"
    )

    def provider_slow(self, seen: Evidence) -> Cause | None:
        """Turn the time-out down and go to the other provider, where that one is not slow too."""
        limit = self.given.llm_slow_seconds
        slow = {each.labels.get("provider", "") for each in slower(seen[self.providers], limit)}
        if not slow:
            return None
        words = f"an LLM provider is slow: {over(seen[self.providers], limit)}"
        values = self._shorter_timeout(seen)
        other = next((OTHER[name] for name in sorted(slow) if name in OTHER), None)
        if other and other not in slow:
            if self.present(seen, Switch.LLM_ROUTING) != f"forcedProvider:{other}":
                return self._turn(seen, other, words, values)
            other = None
        findings = ["both LLM providers are slow: no other one to go to"] if other else []
        if not values:
            return Cause(words, (), (*findings, "the LLM switches are set for it already"))
        if unread := seen.why_not(self.instances):
            findings.append(f"asked because {unread}")
        change = self.set_switches(
            seen,
            values,
            why="requests wait for the provider",
            expect="p95 falls within a minute of the restart",
            asks=Asks.ALWAYS if unread else Asks.POLICY,
        )
        return Cause(words, (change,), tuple(findings))

    def _turn(
        self, seen: Evidence, other: Provider, words: str, beside: dict[Switch, str]
    ) -> Cause:
        """Send a share of the calls to the *other* provider, and all once it carries that well."""
        doubts = []
        # A provider without calls has no latency: nothing says that it would be faster.
        if other not in {each.labels.get("provider", "") for each in known(seen[self.providers])}:
            doubts.append(f"nobody calls {TITLES[other]} now, so how fast it is is not known")
        if doubt := self.routing_doubt(seen):
            doubts.append(doubt)
        quick = Below(
            expression=promql.llm_p95(other),
            threshold=self.given.llm_slow_seconds,
            unit="s",
            traffic=promql.llm_calls(other),
        )
        steps = self.routed(
            seen,
            other,
            why="requests wait for the provider",
            asks=Asks.ALWAYS if doubts else Asks.POLICY,
            beside=beside,
            details=tuple(doubts),
            proof=Every(conditions=(self.carries(other), quick)),
        )
        return Cause(words, steps, tuple(f"routing asks first: {doubt}" for doubt in doubts))

    def _shorter_timeout(self, seen: Evidence) -> dict[Switch, str]:
        """Give the time-out to set; a shorter one that is there already stays."""
        present = self.present(seen, Switch.LLM_TIMEOUT_MS)
        wanted = self.given.llm_timeout_milliseconds
        longer = not present.isdecimal() or int(present) > wanted
        return {Switch.LLM_TIMEOUT_MS: str(wanted)} if longer else {}
