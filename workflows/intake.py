"""What alerts say, put together per fingerprint, in whatever order and however often it comes."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from activities.alerts import Alert, AlertStatus, Notice
from activities.freezing import Freezes
from activities.record import AlertState, Phase
from activities.words import Severity
from workflows.acts import PersonAct
from workflows.case import Case
from workflows.hands import Hands
from workflows.hearing import hear
from workflows.page_events import PageEvent, PageEvents
from workflows.relations import Relates, Relation

_QUIET = frozenset({Phase.OPENING, Phase.JOINED, Phase.RESOLVED})
_THOUGHT_OVER = frozenset({Phase.SETTLING, Phase.UNDOING, Phase.DOCUMENTING, Phase.RESOLVED})


_MOST_ALERTS = 500
_MOST_WHOLE = 50
"""Fingerprints that are kept with annotations and expression: a record must stay small."""


class _Said(Enum):
    """What one alert of a notice changed."""

    BEGAN = auto()
    ENDED = auto()
    IGNORED = auto()
    NOTHING = auto()


class Intake:
    """The inbox: signal handlers only append to it."""

    def __init__(self, case: Case, hands: Hands) -> None:
        self._case = case
        self._hands = hands
        self._page_events = PageEvents(case, hands)
        self.waiting: deque[Notice | PersonAct | Relation | PageEvent | Freezes] = deque()

    def absorb(self) -> None:
        """Take in everything that waits; synchronous, so that nothing can arrive in between."""
        while self.waiting:
            item = self.waiting.popleft()
            if isinstance(item, PersonAct):
                self._hands.perform_signal(item.kind, item.act)
            elif isinstance(item, PageEvent):
                self._page_events.absorb(item)
            elif isinstance(item, Freezes):
                hear(self._case, item)
            elif isinstance(item, Relation):
                self._relation(item)
            else:
                self._notice(item)

    def _notice(self, notice: Notice) -> None:
        record = self._case.record
        record.incomplete = record.incomplete or notice.incomplete
        said: dict[_Said, list[Alert]] = {kind: [] for kind in _Said}
        for alert in notice.alerts:
            said[self._alert(alert)].append(alert)
        if began := said[_Said.BEGAN]:
            since = min(alert.starts_at for alert in began)
            self._case.note("alert", f"{_named(began)} fires since {since:%H:%M:%S} UTC")
            if record.phase in _THOUGHT_OVER or record.resolution is not None:
                record.refired = True
        if ended := said[_Said.ENDED]:
            self._case.note("alert", f"{_named(ended)} resolved by Alertmanager")
        if ignored := said[_Said.IGNORED]:
            stray = f"{_named(ignored)} resolved, which had not fired here: ignored"
            self._case.note("alert", stray)
        self.weigh()

    def _relation(self, said: Relation) -> None:
        case, record = self._case, self._case.record
        if said.kind is Relates.EXPLAINS:
            record.explained_by_offer = f"{said.title} {said.id}"
        elif said.kind is Relates.JOINED:
            record.symptoms[said.id] = said.title
            case.note("alert", f"{said.title} fires too, a symptom of this: {said.id}", tell=True)
        elif record.symptoms.pop(said.id, ""):
            case.note("alert", f"{said.title} stands on its own again: {said.id}", tell=True)

    def _alert(self, alert: Alert) -> _Said:
        record = self._case.record
        known = record.alerts.get(alert.fingerprint)
        if known is None:
            return self._first(alert)
        before = known.alert
        if alert.starts_at < before.starts_at:
            return _Said.NOTHING  # older than what we know: a delivery that came late
        if alert.firing and alert.starts_at > before.starts_at:
            known.alert, known.firing, known.why = self._kept(alert), True, ""
            known.times += 1
            return _Said.BEGAN
        if alert.firing:
            # The same firing once more: its annotations carry the newest value. A resolve of it
            # is not taken back, for it may have overtaken this; Alertmanager's API settles that
            # at the next quiet interval.
            if known.firing:
                known.alert = self._kept(alert)
            elif known.why:
                known.doubted = True  # it was we who held it for resolved: compared soon
            return _Said.NOTHING
        was, known.firing = known.firing, False
        known.alert = self._kept(alert)
        return _Said.ENDED if was else _Said.NOTHING

    def _first(self, alert: Alert) -> _Said:
        """Take in a fingerprint that was not known here."""
        record = self._case.record
        if not alert.firing:
            return _Said.IGNORED
        if len(record.alerts) >= _MOST_ALERTS and not self._make_room():
            # Counted, not kept: what closes then is for Alertmanager to say.
            record.more_alerts, record.incomplete = record.more_alerts + 1, True
            return _Said.NOTHING
        record.alerts[alert.fingerprint] = AlertState(
            alert=self._kept(alert), firing=True, first_seen=self._case.now
        )
        return _Said.BEGAN

    def _make_room(self) -> bool:
        """Forget the fingerprint that has been over for longest; none, if all of them fire."""
        alerts = self._case.record.alerts
        over = next((key for key, state in alerts.items() if not state.firing), None)
        if over is not None:
            del alerts[over]
        return over is not None

    def _kept(self, alert: Alert) -> Alert:
        """Give what the record keeps: a storm's later fingerprints only what tells them apart."""
        alerts = self._case.record.alerts
        if len(alerts) < _MOST_WHOLE or alert.fingerprint in list(alerts)[:_MOST_WHOLE]:
            return alert
        return alert.model_copy(update={"annotations": {}, "source": "", "expression": ""})

    def weigh(self) -> None:
        """Take the severity of the worst alert that fires; with none firing it stays."""
        record = self._case.record
        if not record.firing or record.behind:
            return
        worst = max((state.alert for state in record.firing), key=record.rank)
        severity = record.severity_of(worst)
        if severity is not None:
            self._rate(severity, worst.name)
        if record.planned_for and record.planned_for != record.title:
            record.plan_again = True

    def _rate(self, severity: Severity, name: str) -> None:
        case, record = self._case, self._case.record
        if severity is record.severity:
            return
        worse = severity.rank > record.severity.rank
        case.set_severity(
            severity, f"{name} {'fires' if worse else 'is the worst that still fires'}"
        )
        # While it opens, while a cause explains it, and when it is over, the opening pages.
        opens = record.phase in _QUIET or record.resolution is not None
        if worse and not opens:
            case.call_anew(f"now {severity.value}: {name}")


BY_HAND = "a person has opened it, so no rule will end it"
"""Why the alert of `Alert.manual` is held for resolved."""


def hold_resolved(state: AlertState, why: str) -> None:
    """Hold a fingerprint for resolved although Alertmanager did not say so."""
    state.alert = state.alert.model_copy(update={"status": AlertStatus.RESOLVED})
    state.firing, state.why = False, why


def hold_firing(state: AlertState) -> None:
    """Hold a fingerprint for firing although its resolve has come."""
    state.alert = state.alert.model_copy(update={"status": AlertStatus.FIRING})
    state.firing, state.why, state.missing = True, "", 0


def _named(alerts: list[Alert]) -> str:
    first = alerts[0]
    instance = first.labels.get("instance") or first.labels.get("route")
    said = f"{first.name} ({instance})" if instance else first.name
    if len(alerts) == 1:
        return said
    names = sorted({alert.name for alert in alerts} - {first.name})
    others = f" ({', '.join(names)})" if names else ""
    return f"{said} and {len(alerts) - 1} more{others}"
