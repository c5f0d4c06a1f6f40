"""Incidents that were opened before a change must go on after it.

The kept histories need no procedures and no activities: an incident goes on with what it was
given, so editing, adding or emptying a procedure is no change of the lifecycle.
"""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.lifecycle.golden import GOLDEN
from workflows.arrival import Arrival
from workflows.incident import Incident
from workflows.post_incident import PostIncident
from workflows.sandbox import runner

FOLDER = Path(__file__).resolve().parents[1] / "histories"
HISTORIES = sorted(FOLDER.glob("*.json"))
LESSON = """
{name} now goes another way than it went when it was recorded:

  {failure}

It means that the code gives Temporal other commands, or in another order, than before: another
activity, timer, search attribute or child, or one more or fewer. An incident that is open while
this is deployed would stop at its next step, and nobody would be told.

  * Did you mean to change what an incident does?  Put the new way behind a patch, so that open
    incidents go the old one:  if workflow.patched("what-changed"): ... else: ...
  * Can no incident be open that was started by a release before?  Then record anew:
    python -m tests.lifecycle.record {stem}
  * Words of messages, thresholds and procedures never cause this. If you changed only such, look
    for a set that is iterated, a clock, or a condition on something that is not in the record.
"""


async def replayed(path: Path) -> Exception | None:
    text = path.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    # Under its own id, of which it makes keys and the name of what comes after it.
    history = WorkflowHistory.from_json(started["workflowId"], text)
    replayer = Replayer(
        workflows=[Incident, PostIncident],
        data_converter=pydantic_data_converter,
        workflow_runner=runner(),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_an_incident_opened_before_this_change_goes_on(path: Path) -> None:
    failure = await replayed(path)

    assert failure is None, LESSON.format(
        name=path.stem, failure=failure, stem=path.stem.removesuffix("-after")
    )


def test_every_golden_incident_has_been_recorded() -> None:
    missing = set(GOLDEN) - {path.stem for path in HISTORIES}

    assert not missing, f"python -m tests.lifecycle.record {' '.join(sorted(missing))}"


async def test_a_change_of_the_order_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asks_first(arrival: Arrival) -> None:
        await arrival._reconciliation.compare()
        await opened(arrival)

    opened = Arrival.open
    monkeypatch.setattr(Arrival, "open", asks_first)

    assert "TMPRL1100" in str(await replayed(FOLDER / "nobody-answers.json"))


def test_the_histories_say_nothing_of_the_machine_that_recorded_them() -> None:
    for path in HISTORIES:
        text = path.read_text()
        assert '"identity"' not in text
        assert '"stackTrace"' not in text
