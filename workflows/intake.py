"""What alerts say, put together: per fingerprint, in whatever order and however often it
arrives.
"""

from __future__ import annotations

from collections import deque

from activities.alerts import Alert, AlertStatus, Notice
from activities.record import AlertState, Phase
from workflows.acts import PersonAct
from workflows.case import Case
from workflows.hands import Hands

_THOUGHT_OVER = frozenset({Phase.SETTLING, Phase.UNDOING, Phase.DOCUMENTING, Phase.RESOLVED})


class Intake:
    """The inbox: signal handlers only append to it."""

    def __init__(self, case: Case, hands: Hands) -> None:
        self._case = case
        self._hands = hands
        self.waiting: deque[Notice | PersonAct] = deque()

    def absorb(self) -> None:
        """Take in everything that waits; synchronous, so that nothing can arrive in between."""
        while self.waiting:
            item = self.waiting.popleft()
            if isinstance(item, PersonAct):
                self._hands.perform_signal(item.kind, item.act)
            else:
                self._notice(item)

    def _notice(self, notice: Notice) -> None:
        record = self._case.record
        record.incomplete = record.incomplete or notice.incomplete
        for alert in notice.alerts:
            self._alert(alert)
        self.weigh()

    def _alert(self, alert: Alert) -> None:
        case, record = self._case, self._case.record
        known = record.alerts.get(alert.fingerprint)
        if known is None:
            if not alert.firing:
                case.note("alert", f"{alert.name} resolved, which had not fired here: ignored")
                return
            record.alerts[alert.fingerprint] = AlertState(
                alert=alert, firing=True, first_seen=case.now
            )
            self._began(alert)
            return
        before = known.alert
        if alert.starts_at < before.starts_at:
            return  # older than what we know: a delivery that came late
        if alert.firing and alert.starts_at > before.starts_at:
            known.alert, known.firing, known.why = alert, True, ""
            known.times += 1
            self._began(alert)
        elif alert.firing:
            # The same firing once more: its annotations carry the newest value. A resolve of it
            # is not taken back,
            # for it may have overtaken this; Alertmanager's API settles that at the next quiet
            # interval.
            if known.firing:
                known.alert = alert
        elif known.firing:
            known.alert, known.firing = alert, False
            case.note("alert", f"{_named(alert)} resolved by Alertmanager")

    def _began(self, alert: Alert) -> None:
        record = self._case.record
        self._case.note("alert", f"{_named(alert)} fires since {alert.starts_at:%H:%M:%S} UTC")
        if record.phase in _THOUGHT_OVER:
            record.refired = True

    def weigh(self) -> None:
        """Take the severity of the worst alert that fires; with none firing it stays as it
        was.
        """
        record = self._case.record
        firing = [
            (s.alert.severity, s.alert.name) for s in record.firing if s.alert.severity is not None
        ]
        if not firing:
            return
        severity, name = max(firing, key=lambda pair: pair[0].rank)
        if severity is not record.severity:
            worse = severity.rank > record.severity.rank
            self._case.set_severity(
                severity, f"{name} {'fires' if worse else 'is the worst that still fires'}"
            )
            if worse and severity.rank > 0 and record.phase is not Phase.OPENING:
                urgency = self._case.severity_policy.page
                if urgency is not None:
                    self._case.page(urgency, f"now {severity.value}: {name}")
                self._case.start_clocks()
        if record.planned_for and record.planned_for != record.title:
            record.plan_again = True


def hold_resolved(state: AlertState, why: str) -> None:
    """Hold a fingerprint for resolved although Alertmanager did not say so."""
    state.alert = state.alert.model_copy(update={"status": AlertStatus.RESOLVED})
    state.firing, state.why = False, why


def _named(alert: Alert) -> str:
    instance = alert.labels.get("instance") or alert.labels.get("route")
    return f"{alert.name} ({instance})" if instance else alert.name
