"""LLM providers that answer slowly, and how the API is kept from waiting for them."""

from __future__ import annotations

from activities.prometheus import Prometheus, SeriesQuery
from activities.record import Asks
from activities.switches import Switch
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Probe
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import known, over, slower

_OTHER = {"openai": "anthropic", "anthropic": "openai"}


class TurnsFromProvider(ActsOnInstances):
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
        other = next((_OTHER[name] for name in sorted(slow) if name in _OTHER), "")
        findings = []
        if other in slow:
            findings.append("both LLM providers are slow: no other one to go to")
        elif other and self.present(seen, Switch.LLM_ROUTING) != f"forcedProvider:{other}":
            values[Switch.LLM_ROUTING] = f"forcedProvider:{other}"
        if not values:
            return Cause(words, (), (*findings, "the LLM switches are set for it already"))
        # A provider without calls has no latency: nothing says that it would be faster.
        measured = {each.labels.get("provider", "") for each in known(seen[self.providers])}
        blind = Switch.LLM_ROUTING in values and other not in measured
        if blind:
            findings.append(f"nobody calls {other} now, so how fast it is is not known")
        if unread := seen.why_not(self.instances):
            findings.append(f"asked because {unread}")
        change = self.set_switches(
            seen,
            values,
            why="requests wait for the provider",
            expect="p95 falls within a minute of the restart",
            asks=Asks.ALWAYS if blind or unread else Asks.POLICY,
        )
        return Cause(words, (change,), tuple(findings))

    def _shorter_timeout(self, seen: Evidence) -> dict[Switch, str]:
        """Give the time-out to set; a shorter one that is there already stays."""
        present = self.present(seen, Switch.LLM_TIMEOUT_MS)
        wanted = self.given.llm_timeout_milliseconds
        longer = not present.isdecimal() or int(present) > wanted
        return {Switch.LLM_TIMEOUT_MS: str(wanted)} if longer else {}
