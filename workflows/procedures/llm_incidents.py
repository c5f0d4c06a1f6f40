"""Runbook, "LLM Provider Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.llm_findings import Standing
from activities.prometheus import Prometheus, SeriesQuery
from activities.record import Asks
from activities.switches import Switch
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Ladder, Probe, Step
from workflows.procedures.llm_flipping import OTHER, TITLES, FlipsProvider, busy
from workflows.procedures.measured import known

_TELL = (
    'tell users: "AI features are limited at the moment: answers may be late or missing. '
    'Everything else works, and nothing is lost."'
)
_WELL = "nothing was changed: look at what the API logs of its calls"


class LLMProviderDown(FlipsProvider):
    """An LLM provider leaves more than half of the calls unanswered."""

    severity = Severity.CRITICAL
    impact = "AI features fail, or answer late, for everybody whose calls go to this provider."
    section = "llm-provider-down"
    recovered = Below(
        # Of those that are called: the provider answers again, or nothing goes to it any more
        # and the other one answers.
        expression=promql.LLM_FAILING_MOST, threshold=0.5, unit="%",
        traffic=promql.LLM_RATE, floor=0.01,
    )  # fmt: skip
    uses = ("llm_first_percent", "llm_failing_ratio", "llm_hold_seconds")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Send calls to the provider that answers, a share first; with none, shed what can be."""
        away = self._which(alert, seen)
        if not away:
            unclear = "which provider leaves calls unanswered is not known"
            return Ladder(unclear, (), self.for_people(seen), "Please look at both providers.")
        look, share = self.looks(seen)[away], self.share_failing(seen, away)
        if look is not None and look.answers and share is not None and share < self.threshold:
            fine = f"{TITLES[away]} answers, and {share:.0%} of its calls fail now"
            return Ladder(fine, (), self.for_people(seen), f"{fine}: {_WELL}.")
        cause = (self._neither if self._other_down(seen, away) else self._one)(seen, away)
        return Ladder(
            cause=cause.words,
            steps=cause.steps,
            findings=(*cause.findings, *self.for_people(seen)),
            when_out="AI features are not well, and no step is left: please look at the provider.",
        )

    def _which(self, alert: Alert, seen: Evidence) -> str:
        """Name the provider of the alert, else the one that fails most by what is measured."""
        named = alert.labels.get("provider", "").lower()
        if named in OTHER:
            return named
        worst = {name: self.share_failing(seen, name) or 0.0 for name in OTHER}
        found = max(worst, key=lambda name: worst[name])
        return found if worst[found] > self.threshold else ""

    def _other_down(self, seen: Evidence, away: str) -> bool:
        other = self.looks(seen)[OTHER[away]]
        return other is not None and other.standing.known and not other.answers

    def _one(self, seen: Evidence, away: str) -> Cause:
        look, share = self.looks(seen)[away], self.share_failing(seen, away)
        words = self.standing(seen, away)
        asks, findings = Asks.ALWAYS, []
        if look is None or not look.standing.known:
            findings.append("asked because only the platform's own figures say that it is down")
        elif look.standing.ours:
            findings.append(f"{words}. Only you can mend that: {self.console(away)}")
        elif look.answers:
            findings.append(
                f"{TITLES[away]} answers us, and not the API: look at the API's key, its "
                "time-out and its way to the provider"
            )
        elif share is None:
            findings.append("asked because nothing says how the platform's calls to it go")
        elif share < self.threshold:
            failed = f"only {share:.0%} of the platform's calls to it fail now"
            findings.append(f"asked because it does not answer us, and {failed}")
        else:
            asks = Asks.POLICY
        steps, said = self.flip(
            seen,
            away,
            why=words,
            asks=asks,
            beside=self._shedding(seen) if busy(look) else {},
        )
        if not steps and busy(look) and (shed := self._shed(seen, words)):
            steps = shed
        return Cause(words, steps, (*findings, *said))

    def _neither(self, seen: Evidence, away: str) -> Cause:
        words = f"{self.standing(seen, away)}; {self.standing(seen, OTHER[away])}"
        ours = [
            f"{self.standing(seen, name)}. Only you can mend that: {self.console(name)}"
            for name, look in self.looks(seen).items()
            if look is not None and look.standing.ours
        ]
        steps = self._shed(seen, "neither provider answers: spare what can do without a model")
        done = () if steps else ("AI features are reduced already",)
        return Cause(words, steps, (_TELL, *done, *ours))

    def _shed(self, seen: Evidence, why: str) -> tuple[Step, ...]:
        values = self._shedding(seen)
        if not values:
            return ()
        change = self.set_switches(
            seen,
            values,
            why=why,
            expect="calls that matter have the provider to themselves",
            asks=Asks.POLICY if seen[self.instances] else Asks.ALWAYS,
        )
        return (change,)

    def _shedding(self, seen: Evidence) -> dict[Switch, str]:
        wanted = {Switch.NON_CRITICAL_LLM_OFF: "true"}
        return {s: value for s, value in wanted.items() if self.present(seen, s) != value}


class LLMRateLimitExceeded(FlipsProvider):
    """A provider refuses calls to its models for their number."""

    severity = Severity.WARNING
    impact = "Some answers of AI features are late or missing."
    section = "llm-rate-limit-exceeded"
    recovered = Below(
        expression=promql.LLM_LIMITED, threshold=0.01, unit="%", traffic=promql.LLM_RATE, floor=0.01
    )
    uses = ("llm_tries", "llm_backoff_milliseconds", "llm_first_percent", "llm_hold_seconds")

    limited = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.LLM_LIMITED_BY),
        why="share of calls refused for their number, by provider and model",
    )

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Wait before trying again, queue, and send a share to the other provider, then all."""
        refused = {
            name: max(
                (each.value or 0.0 for each in known(seen[self.limited])
                 if each.labels.get("provider") == name), default=0.0,
            )
            for name in OTHER
        }  # fmt: skip
        away = max(refused, key=lambda name: refused[name])
        if refused[away] <= self.threshold:
            unread = seen.unread((self.limited,))
            calm = "no call is refused now"
            calm = "which provider refuses calls is not known" if unread else calm
            said = (*unread, *self.for_people(seen))
            return Ladder(calm, (), said, f"{calm}: nothing was changed.")
        words = f"{TITLES[away]} refuses {refused[away]:.0%} of the calls"
        cause = self._treat(seen, away, words, crowded=refused[OTHER[away]] > self.threshold)
        return Ladder(
            cause=cause.words,
            steps=cause.steps,
            findings=(*cause.findings, *self.for_people(seen)),
            when_out=f"Calls are still refused: ask {TITLES[away]} for a higher limit, "
            f"{self.console(away)}",
        )

    def _treat(self, seen: Evidence, away: str, words: str, *, crowded: bool) -> Cause:
        look = self.looks(seen)[away]
        if look is not None and look.standing is Standing.QUOTA:
            # No waiting helps against a bill.
            steps, said = self.flip(seen, away, why=words, asks=Asks.ALWAYS)
            mend = f"{self.standing(seen, away)}. Only you can mend that: {self.console(away)}"
            return Cause(f"{words}: its quota is exhausted", steps, (mend, *said))
        patience = self._patience(seen)
        limit = look.limits.requests if look is not None else None
        told = () if limit is None else (f"its limit is {limit} requests a minute",)
        steps, said = (), (f"{TITLES[OTHER[away]]} refuses calls too: none is sent there",)
        if not crowded:
            steps, said = self.flip(seen, away, why=words, beside=patience, proven=False)
        if not steps and patience:
            change = self.set_switches(
                seen,
                patience,
                why=f"{words}: those that wait their turn are answered",
                expect="refused calls are tried again, and fewer are made at once",
                asks=Asks.POLICY if seen[self.instances] else Asks.ALWAYS,
            )
            steps = (change,)
        done = (self._longer(),) if patience else ("back-off and queue are switched on already",)
        return Cause(words, steps, (*told, *said, *done))

    def _longer(self) -> str:
        """Say what patience costs: it shows in the API's latency."""
        first, tries = self.given.llm_backoff_milliseconds / 1000, self.given.llm_tries
        seconds = first * (2 ** (tries - 1) - 1)
        return f"a request whose calls are refused takes up to {seconds:g} s longer meanwhile"

    def _patience(self, seen: Evidence) -> dict[Switch, str]:
        wanted = {
            Switch.LLM_TRIES: str(self.given.llm_tries),
            Switch.LLM_BACKOFF_MS: str(self.given.llm_backoff_milliseconds),
            Switch.LLM_QUEUE: "true",
        }
        return {s: value for s, value in wanted.items() if self.present(seen, s) != value}
