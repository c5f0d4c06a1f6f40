"""The end of a response: how it ended, and the report."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.llm_summary import LlmSummary, Summarize
from activities.outbox import Channel
from activities.record import Phase, Record, Resolution
from activities.report import Reports, WriteReport
from activities.report_facts import facts
from workflows.case import Case, why
from workflows.deadlines import until
from workflows.earning import Earned
from workflows.efforts import DOCUMENT, SUMMARY, said
from workflows.intake import BY_HAND, hold_resolved
from workflows.steps import Steps
from workflows.template import done

_TRY_AGAIN = 20.0
_MOST_TRIES = 45
"""A quarter of an hour: longer than another's turn."""
_UNFREEZE = "Unfreeze and I take it off, or take it off by hand"


def resolve(case: Case, how: str, reason: str) -> None:
    """Note how the incident ended; the response then documents it."""
    kept = [step.effect for step in case.record.temporary]
    case.record.resolution = Resolution(how=how, reason=reason, at=case.now, still_temporary=kept)


async def document(case: Case) -> None:
    """Write the report, tell people, close the pages."""
    record, resolution = case.record, case.record.resolution
    if resolution is None:
        case.enter(Phase.WATCHING)
        return
    for state in record.firing:
        if state.alert.manual:
            hold_resolved(state, BY_HAND)
    await _out_of_the_way(case)
    await Earned(case).tell()
    # A change that ran while a person resolved has ended by now.
    resolution.still_temporary = [step.effect for step in record.temporary]
    record.asks = record.next_action = ""
    case.note("phase", f"{resolution.how}: {resolution.reason}", by=resolution.by)
    if case.policy.summary:
        await _have_summarized(case)
    try:
        written = await workflow.execute_activity_method(
            Reports.write,
            WriteReport(record=_as_it_will_stand(record), occasion=case.key("report")),
            **said(DOCUMENT, "Write the report"),
        )
        record.report = [
            written.html_url or written.html,
            written.markdown_url or written.markdown,
        ]
    except ActivityError as error:
        case.note("problem", f"the report could not be written: {why(error)}")
    case.tell(
        f"Over: {resolution.how}. {resolution.reason}",
        *done(record),
        *(f"Still temporary: {effect}" for effect in resolution.still_temporary),
        *(f"Report: {path}" for path in record.report[:1]),
    )
    case.follow_pages("resolve")
    case.enter(Phase.RESOLVED)


async def _have_summarized(case: Case) -> None:
    """Have a model write a summary, where one is set up; nothing is decided by it."""
    record = case.record
    try:
        written = await workflow.execute_activity_method(
            LlmSummary.summarize,
            Summarize(facts=facts(_as_it_will_stand(record))),
            **said(SUMMARY, "Have a model write a summary"),
        )
        record.summary, record.summary_by = written.text, written.model
    except ActivityError as error:
        case.note("report", f"no model wrote a summary: {why(error)}")


async def _out_of_the_way(case: Case) -> None:
    """Take a maintenance page off: whoever ended the incident wants users to be let in.

    What cannot be undone now, or waits its turn, is tried again; then a person is asked to.
    """
    for step in [each for each in case.record.temporary if each.behind is not None]:
        for _ in range(_MOST_TRIES):
            if case.record.people.frozen:
                case.record.asks = f"{_UNFREEZE}: {step.effect}"
                case.enter(Phase.DOCUMENTING, case.record.people.freezes.said)
                await until(lambda: not case.record.people.frozen, None, "Frozen")
            if await Steps(case).undo(step) or step.left:
                break
            await until(lambda: False, case.after(_TRY_AGAIN), f"Try again: undo {step.effect}")


def _as_it_will_stand(record: Record) -> Record:
    """Give the record without the messages that are still on their way."""
    return record.model_copy(
        update={"phase": Phase.RESOLVED, "slack": Channel(), "pagerduty": Channel()}
    )
