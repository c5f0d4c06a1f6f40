"""Runbook, "LLM Provider Incidents": what the models cost."""

from __future__ import annotations

from dataclasses import replace

from activities.alerts import Alert
from activities.llm_throttle import MOST, NAMED, LlmThrottle, Throttle
from activities.llm_usage import LlmUsage, Spender, Spending, TopOrganizations
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.switches import Switch
from activities.verification import Below
from activities.words import Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import known, number

_SHOWS_SECONDS = 720.0
"""The pace is taken over ten minutes: so long it still has the past in it."""
_LEAST = 0.01
"""Of the whole; who spends less is not named."""


class HighLLMCost(ActsOnInstances):
    """Language models cost more than 50 dollars an hour."""

    severity = Severity.WARNING
    impact = "No user notices; the bill does."
    section = "high-llm-costs--50hour"
    recovered = Below(expression=promql.LLM_COST, threshold=50, unit="$/h")
    uses = ("llm_throttled_per_minute",)
    # It sums an hour.
    alert_lags_seconds = 3600

    cost = Probe(
        Prometheus.value, Query(expression=promql.LLM_COST), why="pace of spending, dollars an hour"
    )
    shares = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.LLM_COST_BY),
        why="pace by provider, model and organization",
    )
    spending = Probe(LlmUsage.top, TopOrganizations(), why="organizations that spent most")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Go to the cheaper model; slow down, by name, whoever is over the limit of the day."""
        pace = number(seen[self.cost])
        if pace is not None and pace < self.threshold:
            fine = f"${pace:.0f} an hour are spent now, under ${self.threshold:g}"
            return Ladder(fine, (), self._for_people(seen), f"{fine}: nothing was changed.")
        spent = (
            "how much is spent now could not be read" if pace is None else f"${pace:.0f} an hour"
        )
        steps = (*self._cheaper(seen, pace), *self._throttle(seen))
        return Ladder(
            cause=f"{spent}: {self._most(seen)}",
            steps=steps,
            findings=(*seen.unread((self.cost,)), *self._for_people(seen)),
            when_out="It still costs too much: please decide who may go on, and at which price.",
        )

    def _cheaper(self, seen: Evidence, pace: float | None) -> tuple[Step, ...]:
        cheap, present = self.given.llm_cheaper_model, self.present(seen, Switch.LLM_MODEL)
        if present == cheap:
            return ()
        change = self.set_switches(
            seen,
            {Switch.LLM_MODEL: cheap},
            why="each answer costs a fraction",
            expect="the pace falls within ten minutes; answers are plainer meanwhile",
            asks=Asks.POLICY if present and pace is not None else Asks.ALWAYS,
        )
        return (replace(change, verify_seconds=_SHOWS_SECONDS),)

    def _throttle(self, seen: Evidence) -> tuple[Step, ...]:
        over = _over(seen[self.spending])
        if not over:
            return ()
        rate = self.given.llm_throttled_per_minute
        names = ", ".join(each.organization for each in over)
        throttle = step(
            LlmThrottle.throttle,
            Throttle(organizations={each.organization: rate for each in over}),
            target="the platform's throttle",
            why="they spent more than their limit of the day",
            effect=f"slow organization {names} down to {rate} LLM requests a minute"
            + (" each" if len(over) > 1 else ""),
            details=tuple(
                f"organization {each.organization}: ${each.day_usd:.2f} today, limit "
                f"${each.limit_usd or 0:.2f}; {each.requests} requests in the last hour"
                for each in over
            ),
            expect="their requests beyond it are refused until this is undone",
            risk=Risk.DISRUPTIVE,
            asks=Asks.ALWAYS,
            undo=True,
        )
        return (replace(throttle, verify_seconds=_SHOWS_SECONDS),)

    def _most(self, seen: Evidence) -> str:
        shares = known(seen[self.shares])
        whole = sum(each.value or 0.0 for each in shares)
        top = [each for each in shares[:3] if (each.value or 0.0) >= _LEAST * whole]
        said = [
            f"organization {each.labels.get('organization_id', '?')} with "
            f"{each.labels.get('model', '?')} ${each.value or 0:.0f}"
            for each in top
        ]
        return ", ".join(said) or "by whom is not known"

    def _for_people(self, seen: Evidence) -> tuple[str, ...]:
        found = []
        if seen[self.spending] is None:
            found.append(f"nobody is slowed down: {seen.why_not(self.spending)}")
        elif not _over(seen[self.spending]):
            found.append("no organization is over a daily limit: nobody is slowed down")
        if self.present(seen, Switch.LLM_MODEL) == self.given.llm_cheaper_model:
            found.append(f"calls go to {self.given.llm_cheaper_model} already")
        spent = _spenders(seen[self.spending])
        least = _LEAST * sum(each.cost_usd for each in spent)
        if top := [each for each in spent[:3] if each.cost_usd >= least]:
            said = ", ".join(f"{each.organization} ${each.cost_usd:.2f}" for each in top)
            found.append(f"review the prompts of whoever spends most in an hour: {said}")
        return tuple(found)


def _spenders(spending: Spending | None) -> tuple[Spender, ...]:
    return spending.organizations if spending else ()


def _over(spending: Spending | None) -> list[Spender]:
    """List those over their limit, the worst first, whose id can stand in an order."""
    over = [each for each in _spenders(spending) if each.over]
    return [each for each in over if NAMED.fullmatch(each.organization)][:MOST]
