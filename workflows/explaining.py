"""Symptoms and causes: one thread and one page for what is one thing.

A symptom joins its cause: it takes no steps and wakes nobody, and is watched. It stands up again
when it outlives its cause, or when that is in people's hands, who are then shown both.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.causes import causes_of, symptoms_of
from activities.neighbours import (
    Ended,
    IncidentEnd,
    NeighbouringIncidents,
    OpenIncident,
    OpenIncidents,
)
from activities.people import Clocks
from activities.record import Phase
from activities.words import Severity
from workflows.case import Case, why
from workflows.deadlines import until
from workflows.efforts import probe, said, watch
from workflows.reconciliation import Reconciliation
from workflows.relations import Relates, Relation

_SECONDS = 3.0
_LOOKS = 3
"""Within the time that a critical symptom's page is held."""
_NOT_TO_JOIN = frozenset({Phase.WATCHING, Phase.DOCUMENTING, Phase.RESOLVED})
_FREE_TO_JOIN = frozenset({Phase.OPENING, Phase.INVESTIGATING, Phase.MITIGATING})


class Explaining:
    """Finds an incident's cause and its symptoms, and goes along with the cause."""

    def __init__(self, case: Case, reconciliation: Reconciliation) -> None:
        self._case = case
        self._record = case.record
        self._reconciliation = reconciliation

    async def look(self) -> bool:
        """Look for the cause and for symptoms before anybody is woken; True if one explains it.

        A critical symptom waits for its cause a while: symptoms usually fire first.
        """
        case, record = self._case, self._record
        causes, symptoms = causes_of(record.indicator), symptoms_of(record.indicator)
        if record.stands_alone or not (causes or symptoms) or case.edition < 2:
            return False
        hold = case.policy.symptom_hold_seconds if causes else 0.0
        holds = record.severity is Severity.CRITICAL and hold > 0
        ends = case.after(hold)
        told: set[str] = set()
        while True:
            near = await self._near((*causes, *symptoms))
            for each in near:
                if each.indicator in symptoms and each.id not in told:
                    told.add(each.id)
                    await self._say(each.id, Relates.EXPLAINS)
            offered = self._offered() or _first(near, causes)
            if offered is not None:
                return await self._join(offered.id, offered.alert)
            if not holds or case.now >= ends:
                return False
            pause = case.after(hold / _LOOKS)
            await until(lambda: bool(record.explained_by_offer), pause, "Is a cause about to fire?")

    async def join_offered(self) -> None:
        """Join a cause that came later, where nothing was done about the symptom yet."""
        record = self._record
        offered = self._offered()
        free = record.phase in _FREE_TO_JOIN and not (
            record.stands_alone  # its word may have come before it stood up
            or record.explained_by
            or any(step.started_at for step in record.steps)
        )
        if offered is not None and free:
            await self._join(offered.id, offered.alert)

    async def along(self) -> None:
        """Go along with the cause for one quiet interval."""
        case, record = self._case, self._record
        # Its alert has ended, but it did not settle: it waits for its cause, and looks again.
        silent = not record.firing
        if silent and record.cause_over:
            await self._stand_up(f"{record.explained_by} is over, and it is not well")
            return
        case.enter(Phase.JOINED, f"watch whether {record.explained_by} explains it")
        every = case.policy.seconds(case.policy.watch_every_seconds)
        quiet = case.after(case.policy.quiet_seconds)
        waiting = workflow.start_activity_method(
            NeighbouringIncidents.end,
            IncidentEnd(incident=record.explained_by, every_seconds=every.total_seconds()),
            **said(
                watch(every, case.policy.seconds(case.policy.quiet_seconds)),
                f"Is {record.explained_by} over?",
            ),
        )
        await until(
            lambda: (
                waiting.done()
                or self._concerns_people()
                or record.people.frozen
                or silent == bool(record.firing)
            ),
            quiet,
            f"A symptom of {record.explained_by}",
        )
        if not waiting.done():
            waiting.cancel()
        ended = await self._outcome(waiting)
        if self._concerns_people():
            if record.resolution is None:
                cause, record.explained_by = record.explained_by, ""
                case.start_clocks()
                case.enter(Phase.MITIGATING)
                await self._say(cause, Relates.LEFT)
        elif not (silent or record.firing) or (silent and ended is None):
            case.enter(Phase.SETTLING)
        elif record.people.frozen:
            await self._stand_up(f"{record.explained_by} is frozen: please see both")
        elif ended is None:
            await self._reconciliation.compare()
        elif ended.over:
            await self._outlives()
        else:
            await self._stand_up(f"{record.explained_by} is in people's hands: please see both")

    async def _outlives(self) -> None:
        """Give the symptom as long as a step to go after its cause."""
        case, record = self._case, self._record
        cause, record.cause_over = record.explained_by, True
        case.note("alert", f"{cause} is over: this should go too")
        await until(
            lambda: not record.firing or self._concerns_people(),
            case.after(case.policy.verify_seconds),
            f"Does it outlive {cause}?",
        )
        if record.firing:
            await self._reconciliation.compare()
        if not record.firing:
            case.enter(Phase.SETTLING)
        elif not self._concerns_people():
            await self._stand_up(f"it outlives {cause}")

    async def _join(self, cause: str, title: str) -> bool:
        case, record = self._case, self._record
        if self._somebodys() or not await self._say(cause, Relates.JOINED):
            return False
        if self._somebodys():  # by now
            await self._say(cause, Relates.LEFT)
            return False
        record.explained_by, record.cause_over = cause, False
        case.note("alert", f"{title} explains it: it joins {cause}", tell=True)
        # Whoever was woken by it has the cause's page.
        case.follow_pages("resolve")
        record.clocks = Clocks()
        record.asks, record.plan_again = "", False
        case.enter(Phase.JOINED, f"watch whether {cause} explains it")
        return True

    async def _stand_up(self, reason: str) -> None:
        case, record = self._case, self._record
        cause, record.explained_by, record.stands_alone = record.explained_by, "", True
        await self._say(cause, Relates.LEFT)
        record.told_at = None
        case.note("alert", f"it stands on its own again: {reason}", tell=True)
        case.enter(Phase.OPENING)
        case.changed(root=True)

    def _somebodys(self) -> bool:
        """Whether a person is on it: it is not taken away from them."""
        return bool(self._record.people.acknowledged_by) or self._concerns_people()

    def _concerns_people(self) -> bool:
        return self._record.resolution is not None or bool(self._record.people.taken_over_by)

    def _offered(self) -> OpenIncident | None:
        """Give the cause that has made itself known, once."""
        record = self._record
        offer, record.explained_by_offer = record.explained_by_offer, ""
        if not offer:
            return None
        title, _, name = offer.partition(" ")
        return OpenIncident(id=name, indicator="", alert=title, phase="", opened_at=self._case.now)

    async def _near(self, indicators: tuple[str, ...]) -> tuple[OpenIncident, ...]:
        case, record = self._case, self._record
        try:
            found = await workflow.execute_activity_method(
                NeighbouringIncidents.open,
                OpenIncidents(
                    incident=record.id,
                    indicators=tuple(dict.fromkeys(indicators)),
                    around=record.opened_at,
                    within_seconds=case.policy.cause_within_seconds,
                ),
                **said(probe(_SECONDS), "Is a cause of it open, or a symptom?"),
            )
        except ActivityError as error:
            case.note("problem", f"other incidents could not be looked for: {why(error)}")
            return ()
        return found.incidents

    async def _say(self, to: str, kind: Relates) -> bool:
        """Tell another incident; False where it is there no more."""
        record = self._record
        word = Relation(kind=kind, id=record.id, title=record.title)
        try:
            await workflow.get_external_workflow_handle(to).signal("related", word)
        except FailureError:
            return False
        return True

    async def _outcome(self, waiting: workflow.ActivityHandle[Ended]) -> Ended | None:
        try:
            return await waiting
        except ActivityError:
            return None


def _first(near: tuple[OpenIncident, ...], causes: tuple[str, ...]) -> OpenIncident | None:
    """Choose the farthest-reaching cause; one that is in people's hands explains nothing away."""
    able = [each for each in near if each.phase not in _NOT_TO_JOIN]
    ranked = sorted(
        (each for each in able if each.indicator in causes),
        key=lambda each: causes.index(each.indicator),
    )
    return ranked[0] if ranked else None
