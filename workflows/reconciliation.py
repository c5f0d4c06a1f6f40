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
from workflows.intake import hold_resolved

_SECONDS = 5.0
_MOST_EXPRESSIONS = 10
"""A storm of fingerprints shares its fate with its first ones; the rest wait for their
resolves."""


class Reconciliation:
    """Asks the two sources that know, and corrects the record."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._said: set[str] = set()

    async def compare(self) -> None:
        """Bring every fingerprint's state up to what Alertmanager and the expression say now."""
        record = self._case.record
        states = list(record.alerts.values())
        firing = [state for state in states if state.firing][:_MOST_EXPRESSIONS]
        asked = asyncio.gather(*(self.holds(state) for state in firing))
        listed, holds = await asyncio.gather(self._listed(), asked)
        for state, held in zip(firing, holds, strict=False):
            gone = listed is not None and state.alert.fingerprint not in listed
            # An expression that yields nothing may also mean that its data are missing: alone
            # it ends nothing unless
            # Alertmanager has forgotten the alert too, or the procedure's own condition holds
            # (the caller knows).
            if held is False and state.firing:
                hold_resolved(state, "its expression is no longer true")
                missing = ", and Alertmanager no longer lists it" if gone else ""
                self._case.note(
                    "alert", f"{state.alert.name}: its expression is no longer true{missing}"
                )
        if listed is None:
            return
        for state in states:
            if not state.firing and not state.why and state.alert.fingerprint in listed:
                state.firing = True
                self._case.note(
                    "alert", f"{state.alert.name}: Alertmanager still lists it as firing"
                )

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

    async def _listed(self) -> frozenset[str] | None:
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
