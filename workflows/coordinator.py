"""The coordinator of an environment: what no incident may decide alone."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.coordination import BEGINNING, Done, Noted, Turn, Wanted
    from activities.freezing import ENVIRONMENT, MEMO, Freezes, Freezing, TellFreezes, Told
    from workflows.acts import Act, ActKind, PersonAct
    from workflows.turns import Turns

from workflows.deadlines import until
from workflows.efforts import TELL, said
from workflows.rights import refusal

_TRY_AGAIN = timedelta(seconds=10)


@workflow.defn
class Coordinator:
    """Gives turns to the incidents of one environment; runs for ever, in runs of its own length."""

    @workflow.init
    def __init__(self, turns: Turns | None) -> None:
        """Go on with what the run before knew."""
        self._turns = turns or Turns()

    @workflow.run
    async def run(self, turns: Turns | None) -> None:  # noqa: ARG002 - taken by __init__
        """Answer until the history is long, then go on in a new run."""
        telling = asyncio.create_task(self._tell_incidents())
        await workflow.wait_condition(
            lambda: (
                telling.done()
                or (
                    workflow.info().is_continue_as_new_suggested()
                    and workflow.all_handlers_finished()
                )
            )
        )
        if telling.done():
            telling.result()  # ends only by a bug, which is to be seen
        workflow.continue_as_new(self._turns.model_copy(update=BEGINNING))

    @workflow.update(description="A change that an incident wants to make or to undo")
    def take_turn(self, ask: Wanted) -> Turn:
        """Give a turn, or say why not."""
        return self._turns.take(ask, workflow.now())

    @workflow.update(description="What became of a change")
    def give_back(self, done: Done) -> Noted:
        """Note it."""
        self._turns.give_back(done, workflow.now())
        return Noted()

    @workflow.query(description="Who changes what, what was restarted of late, who holds what")
    def turns(self) -> Turns:
        """Give all that is known."""
        return self._turns

    @workflow.update(description="Stop all changes and automatic undo of the environment")
    def freeze(self, act: Act) -> str:
        """Freeze."""
        return self._perform(ActKind.FREEZE, act)

    @freeze.validator
    def _may_freeze(self, act: Act) -> None:
        self._refuse(ActKind.FREEZE, act)

    @workflow.update(description="Let every incident go on where it stood")
    def unfreeze(self, act: Act) -> str:
        """Unfreeze."""
        return self._perform(ActKind.UNFREEZE, act)

    @unfreeze.validator
    def _may_unfreeze(self, act: Act) -> None:
        self._refuse(ActKind.UNFREEZE, act)

    @workflow.signal(description="A person's act, sent when no worker answered the update")
    def person(self, act: PersonAct) -> None:
        """Do it, unless it is refused: nobody waits for the answer.

        A freeze is done whoever says it. Who may lift one is looked up when it is asked for.
        """
        frozen = self._turns.frozen
        if act.kind is ActKind.UNFREEZE and self._turns.edition:
            said = f"Not done: unfreeze by {act.act.by}, sent as a signal. Send it as an update."
            workflow.set_current_details(f"{said}\n\n{frozen.freezes.said}")
        elif not frozen.refusal(act.kind, act.act):
            self._perform(act.kind, act.act)

    def _refuse(self, kind: ActKind, act: Act) -> None:
        reason = self._stranger(kind, act) or self._turns.frozen.refusal(kind, act)
        if reason:
            raise ApplicationError(reason, type="Refused", non_retryable=True)

    def _stranger(self, kind: ActKind, act: Act) -> str:
        """Say why its person may not; where that cannot be looked up, anybody may freeze."""
        stranger = refusal(act.by)
        if stranger is None and kind is ActKind.UNFREEZE:
            return f"whether {act.by} may unfreeze cannot be looked up: no worker's settings say it"
        return stranger or ""

    def _perform(self, kind: ActKind, act: Act) -> str:
        turns = self._turns
        answer = turns.frozen.perform(kind, act, workflow.now(), turns.running)
        workflow.upsert_memo({MEMO: turns.frozen.freezes.model_dump(mode="json")})
        workflow.set_current_details(turns.frozen.freezes.said or "Nothing is frozen.")
        return answer

    async def _tell_incidents(self) -> None:
        """Tell every open incident each newest word; while it is frozen, also those that open."""
        frozen = self._turns.frozen
        while True:
            await workflow.wait_condition(lambda: frozen.untold)
            word = frozen.freezes
            # Not by way of an activity: these are the ones that are about to change something.
            at_work = dict.fromkeys(lease.incident for lease in self._turns.leases)
            first = [asyncio.create_task(_tell_at_once(each, word)) for each in at_work]
            telling = workflow.start_activity_method(
                Freezing.tell,
                TellFreezes(
                    environment=workflow.info().typed_search_attributes.get(ENVIRONMENT) or "",
                    freezes=word,
                    also=tuple(frozen.learned),
                ),
                **said(TELL, f"Tell every incident: {word.said or 'unfrozen'}"),
            )
            await self._spread(word, telling)
            for task in first:
                task.cancel()

    async def _spread(self, word: Freezes, telling: workflow.ActivityHandle[Told]) -> None:
        frozen = self._turns.frozen

        def outdated() -> bool:
            return frozen.freezes is not word

        await workflow.wait_condition(lambda: outdated() or telling.done())
        if not telling.done():
            telling.cancel()
        try:
            await telling
        except ActivityError:
            again = workflow.now() + _TRY_AGAIN
            await until(outdated, again, "Not every incident could be told")
        else:
            if not outdated():
                frozen.told(word.at)


async def _tell_at_once(incident: str, word: Freezes) -> None:
    with contextlib.suppress(FailureError):  # it is over, or is told with all the others
        await workflow.get_external_workflow_handle(incident).signal("freezes", word)
