"""The coordinator of an environment: what no incident may decide alone."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coordination import Done, Noted, Turn, Wanted
    from workflows.turns import Turns


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
        await workflow.wait_condition(
            lambda: (
                workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()
            )
        )
        workflow.continue_as_new(self._turns)

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
