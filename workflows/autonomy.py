"""The workflow that keeps the ledger of earned autonomy of an environment."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.autonomy import Counted, Standing, Verified, WhichLevel
    from workflows.ledger import Ledger, Move

from workflows.rights import approves, refusal


@workflow.defn
class Autonomy:
    """Keeps what each step has earned; runs for ever, in runs of its own length."""

    @workflow.init
    def __init__(self, ledger: Ledger | None) -> None:
        """Go on with what the run before knew."""
        self._ledger = ledger or Ledger()

    @workflow.run
    async def run(self, ledger: Ledger | None) -> None:  # noqa: ARG002 - taken by __init__
        """Answer until the history is long, then go on in a new run."""
        await workflow.wait_condition(
            lambda: (
                workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()
            )
        )
        workflow.continue_as_new(self._ledger)

    @workflow.update(description="What a step may do without a person")
    def level(self, ask: WhichLevel) -> Standing:
        """Say it."""
        return self._ledger.level(ask, workflow.now())

    @workflow.update(description="What verification saw of a step")
    def count(self, seen: Verified) -> Counted:
        """Count it once."""
        return self._ledger.count(seen, workflow.now())

    @workflow.update(description="Let a step do more, or less, by a person's word")
    def move(self, move: Move) -> str:
        """Move it a level."""
        return self._ledger.move(move, workflow.now())

    @move.validator
    def _may_move(self, move: Move) -> None:
        # What the door says of its person's rights counts for nothing: the worker knows them.
        known = move.model_copy(update={"may": approves(move.by)})
        if reason := refusal(move.by) or self._ledger.refusal(known):
            raise ApplicationError(reason, type="Refused", non_retryable=True)

    @workflow.query(description="What every step has earned")
    def ledger(self) -> Ledger:
        """Give all that is known."""
        return self._ledger
