"""The circuit breaker: what the API can do without while something that it waits for is slow."""

from __future__ import annotations

from activities.record import Asks
from activities.switches import Switch
from workflows.procedures.base import Cause, Evidence
from workflows.procedures.llm import TurnsFromProvider
from workflows.procedures.measured import over


class BreaksCircuit(TurnsFromProvider):
    """Knows what the API can leave out, and plans to leave it out for a while."""

    def provider_cut_off(self, seen: Evidence) -> Cause | None:
        """Leave out non-critical LLM calls and wait less for the others, where one is slow."""
        slow = over(seen[self.providers], self.given.llm_slow_seconds)
        if not slow:
            return None
        values = {Switch.NON_CRITICAL_LLM_OFF: "true", Switch.SERVE_CACHED: "true"}
        return self.cut_off(seen, f"an LLM provider is slow: {slow}", values, llm=True)

    def cut_off(
        self, seen: Evidence, words: str, values: dict[Switch, str], *, llm: bool = False
    ) -> Cause:
        """Set those switches of the breaker that are not set yet, all in one restart."""
        wanted = {switch: v for switch, v in values.items() if self.present(seen, switch) != v}
        if llm:
            wanted |= self._shorter_timeout(seen)
        if not wanted:
            return Cause(words, (), ("the circuit breaker is on already",))
        unread = seen.why_not(self.instances)
        change = self.set_switches(
            seen,
            wanted,
            why="a circuit breaker: what is slow is waited for no longer, and most is served",
            expect="p95 falls within a minute of the restart",
            asks=Asks.ALWAYS if unread else Asks.POLICY,
        )
        return Cause(words, (change,), (f"asked because {unread}",) if unread else ())
