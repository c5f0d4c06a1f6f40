"""The clocks that run on people: escalation, urgency, renewal, and the promised update."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from temporalio import workflow

from activities.people import Clocks
from activities.record import Phase
from activities.words import Severity, Urgency
from workflows.case import Case
from workflows.deadlines import until
from workflows.headline import update_seconds
from workflows.paging import pursue
from workflows.template import filled_in, heading


class Alarm:
    """Wakes the right person when the others stay silent; every deadline stands in the record."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._rings: dict[str, tuple[str, Callable[[], None]]] = {
            "escalate_at": ("Nobody has acknowledged: call the next level", self._escalate),
            "urgent_at": ("Nobody has acknowledged: page with high urgency", self._urgent),
            "renew_at": ("The acknowledgement runs out", self._renew),
            "reach_at": ("Nobody has acknowledged: call by the next way", self._pursue),
            "update_at": ("The promised update", self._update),
        }

    async def run(self) -> None:
        """Ring whatever is due, for as long as the incident lives."""
        while True:
            await workflow.wait_condition(lambda: self._next() is not None)
            name, due = self._next() or ("", self._case.now)
            # A later deadline needs no new timer: it is looked at when this one ends.
            await until(partial(self._earlier, due), due, self._rings[name][0])
            for ring, at in self._running():
                # One ring may have moved another's time.
                if at <= self._case.now and getattr(self._clocks, ring) == at:
                    setattr(self._clocks, ring, None)
                    self._rings[ring][1]()

    @property
    def _clocks(self) -> Clocks:
        return self._case.record.clocks

    @property
    def _over(self) -> bool:
        return self._case.record.phase is Phase.RESOLVED or self._case.record.resolution is not None

    def _running(self) -> list[tuple[str, datetime]]:
        if self._over:
            return []
        at = ((name, getattr(self._clocks, name)) for name in self._rings)
        return sorted(
            ((name, due) for name, due in at if due is not None), key=lambda pair: pair[1]
        )

    def _next(self) -> tuple[str, datetime] | None:
        running = self._running()
        return running[0] if running else None

    def _earlier(self, due: datetime) -> bool:
        running = self._next()
        return running is not None and running[1] < due

    def _escalate(self, lapsed: str = "") -> None:
        """Call the next level; above the last one the whole chain anew, from on-call up."""
        case, people, policy = self._case, self._case.record.people, self._case.severity_policy
        reason = lapsed or self._clocks.escalate_why or "nobody has acknowledged"
        critical = case.record.severity is Severity.CRITICAL
        if people.level < len(policy.levels) and not people.only_on_call:
            people.level += 1
            people.called_at, people.called_by = case.now, ""
            name = case.level_name(people.level)
            case.note("escalation", f"{reason}: {name} is called", tell=True)
            urgency = Urgency.HIGH if policy.page is not None else Urgency.LOW
            case.page(urgency, reason, level=people.level)
        elif critical or lapsed:
            self._call_anew(reason)
        else:
            case.note("escalation", f"{reason}, and there is nobody else to call", tell=True)
        if critical or (people.level < len(policy.levels) and not people.only_on_call):
            self._clocks.escalate_at = case.after(policy.escalate_seconds)

    def _call_anew(self, reason: str) -> None:
        """Call whoever was called longest ago: nobody twice in a row, and nobody left to sleep."""
        case, people = self._case, self._case.record.people
        level = people.rounds % (len(case.severity_policy.levels) + 1)
        if people.only_on_call:
            level = 0
        people.rounds += 1
        case.note("escalation", f"{reason}: {case.level_name(level)} is called again", tell=True)
        if level:
            paged = case.severity_policy.page is not None
            case.page(Urgency.HIGH if paged else Urgency.LOW, reason, level=level)
        else:
            case.call(reason)

    def _urgent(self) -> None:
        self._case.note("escalation", "nobody has acknowledged: now with high urgency", tell=True)
        self._case.page(Urgency.HIGH, "still not acknowledged")

    def _pursue(self) -> None:
        pursue(self._case)

    def _renew(self) -> None:
        case, people, policy = self._case, self._case.record.people, self._case.severity_policy
        if not people.renewal_asked:
            people.renewal_asked = True
            asks = f"is {people.acknowledged_by} still on it? Please acknowledge again"
            case.call(asks, policy.page or Urgency.LOW)
            self._clocks.renew_at = case.after(policy.respond_seconds)
            return
        lapsed = f"{people.acknowledged_by} did not renew the acknowledgement"
        if people.taken_over_by:
            lapsed += f", and {people.taken_over_by} has taken it over: no step is taken"
        people.acknowledged_by, people.acknowledged_at = "", None
        self._escalate(lapsed)

    def _update(self) -> None:
        case, record = self._case, self._case.record
        seconds = update_seconds(record, case.policy)
        if seconds is None:
            return
        self._clocks.update_at = case.after(seconds)
        # One update replaces another that has not been sent: nobody wants a backlog of them.
        waiting = record.slack.unsent
        waiting[:] = [message for message in waiting if message.kind != "update" or message.tries]
        case.tell(f"Update: {heading(record)}", filled_in(record, case.policy), kind="update")
        case.changed(root=True)  # it shows when the next one is due
