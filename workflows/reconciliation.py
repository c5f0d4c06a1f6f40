"""Comparing what we believe of the alerts with Alertmanager and with their own expressions.

A resolve can be lost, or come first: without this an incident could stay open for ever, or
close under a firing alert.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.alertmanager import Alertmanager, OpenAlerts
from activities.prometheus import AlertState as ExpressionState
from activities.prometheus import Prometheus
from activities.record import AlertState
from workflows.case import Case, kind_of, why
from workflows.efforts import probe, said
from workflows.intake import BY_HAND, hold_firing, hold_resolved

_SECONDS = 5.0
_MISSING = 2
_MOST_EXPRESSIONS = 10
"""A storm of fingerprints shares its fate with its first ones, unless Alertmanager lists it."""


class Reconciliation:
    """Asks the two sources that know, and corrects the record."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._said: set[str] = set()

    async def compare(self) -> frozenset[str] | None:
        """Bring every fingerprint's state up to what Alertmanager and the expression say now.

        Gives what Alertmanager lists; None is unknown or incomplete.
        """
        record = self._case.record
        firing = record.firing
        since = {state.alert.fingerprint: state.alert.starts_at for state in firing}
        sample = [state for state in firing if state.alert.expression][:_MOST_EXPRESSIONS]
        asked = asyncio.gather(*(self.holds(state) for state in sample))
        listed, holds = await asyncio.gather(self.listed(), asked)
        if any(holds):
            self._case.surely_broken()
        true = [state for state, held in zip(sample, holds, strict=True) if held]
        for state in firing:
            seen = listed is None or state.alert.fingerprint in listed or state in true
            state.missing = 0 if seen else state.missing + 1
        over = [state for state, held in zip(sample, holds, strict=True) if held is False]
        if over and len(over) == len(sample):
            over += [state for state in firing if state not in sample]
        # An expression that yields nothing may also mean that its data are missing: alone it ends
        # an alert only where the procedure's own condition decides in the end.
        over = [
            state
            for state in over
            if state.firing
            and state.alert.starts_at == since[state.alert.fingerprint]
            and (record.facts if listed is None else state.alert.fingerprint not in listed)
        ]
        for state in over:
            hold_resolved(state, "its expression is no longer true")
        if over:
            more = f" and {len(over) - 1} more" if len(over) > 1 else ""
            said = f"{over[0].alert.name}{more}: its expression is no longer true"
            missing = "" if listed is None else ", and Alertmanager no longer lists it"
            self._case.note("alert", said + missing)
        await self._again(listed or frozenset())
        return listed

    def drop_missing(self) -> None:
        """Hold for resolved what no rule would end, or Alertmanager did not list twice.

        For when it has recovered.
        """
        firing = self._case.record.firing
        missing = [s for s in firing if s.alert.manual or s.missing >= _MISSING]
        for state in missing:
            unlisted = "it has recovered, and Alertmanager does not list it"
            hold_resolved(state, BY_HAND if state.alert.manual else unlisted)
        if missing:
            said = f"{missing[0].alert.name}: {missing[0].why} ({len(missing)})"
            self._case.note("alert", said)

    def in_the_way(self, listed: frozenset[str] | None) -> str:
        """Say which alerts keep it from closing; empty if none does."""
        record = self._case.record
        if record.firing:
            return f"{len(record.firing)} alerts still fire"
        if not record.incomplete:
            return ""
        if listed is None:
            return "alerts were left out, and Alertmanager cannot say which still fire"
        record.incomplete = bool(listed)
        return f"Alertmanager lists {len(listed)} alerts of its own" if listed else ""

    async def _again(self, listed: frozenset[str]) -> None:
        """Hold for firing what Alertmanager lists, or says to fire, although we held it over.

        Its own resolve it takes back by listing the alert. What we held for resolved by the
        expression has to be not false any more.
        """
        case, record = self._case, self._case.record
        over = [state for state in record.alerts.values() if not state.firing]
        again = [s for s in over if not s.why and s.alert.fingerprint in listed]
        stale = record.resolution is not None and record.resolution.how == "stale"
        ours = [s for s in over if s.why and (stale or s.doubted or s.alert.fingerprint in listed)][
            :_MOST_EXPRESSIONS
        ]
        holds = await asyncio.gather(*(self.holds(state) for state in ours))
        for state, held in zip(ours, holds, strict=True):
            fires = state.doubted or state.alert.fingerprint in listed
            state.doubted = False
            if state.firing:
                continue
            if held or (fires and held is None) or (stale and state.alert.fingerprint in listed):
                again.append(state)
        for state in again:
            hold_firing(state)
        if again:
            name = again[0].alert.name
            case.note("alert", f"{name}: {len(again)} still fire by what Alertmanager says")
            # A person's word stands against what was known; our own does not.
            if record.resolution is not None and record.resolution.by == "responder":
                record.refired = True

    async def holds(self, state: AlertState) -> bool | None:
        """Ask whether the alert's own expression is still true; None is unknown."""
        if not state.alert.expression:
            return None
        try:
            answer = await workflow.execute_activity_method(
                Prometheus.alert_state,
                ExpressionState(expression=state.alert.expression, labels=state.alert.labels),
                **said(probe(_SECONDS), f"Is {state.alert.name}'s expression still true?"),
            )
        except ActivityError as error:
            self._once(error, "Prometheus")
            return None
        return answer.holds

    async def listed(self) -> frozenset[str] | None:
        """List the fingerprints that Alertmanager holds open; None is unknown or incomplete."""
        record = self._case.record
        names = tuple(sorted({state.alert.name for state in record.alerts.values()}))
        labels: dict[str, Any] = {}
        for state in record.alerts.values():
            scope = state.alert.scope()
            labels = {k: v for k, v in (labels or scope).items() if scope.get(k) == v}
        try:
            answer = await workflow.execute_activity_method(
                Alertmanager.open_alerts,
                OpenAlerts(names=names, labels=labels),
                **said(probe(_SECONDS), "Which alerts does Alertmanager list?"),
            )
        except ActivityError as error:
            self._once(error, "Alertmanager")
            return None
        return None if answer.truncated else frozenset(alert.fingerprint for alert in answer.alerts)

    def _once(self, error: ActivityError, system: str) -> None:
        if system not in self._said:
            self._said.add(system)
            kind = "message" if kind_of(error) == "NotConfigured" else "problem"
            self._case.note(kind, f"{system} could not be asked about the alerts: {why(error)}")
