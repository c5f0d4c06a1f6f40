"""What keeps an incident small, and what an older worker does with words of a newer door."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.alerts import Notice
from activities.record import Phase
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Town, World, alert, later, library
from workflows.acts import Act, PersonAct
from workflows.glance import words

ACT = {"id": "click", "by": "dana", "via": "cli", "device": "a newer door says more"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(Act, ACT, id="an act"),
        pytest.param(PersonAct, {"kind": "note", "act": ACT, "priority": 1}, id="an act as signal"),
        pytest.param(
            Notice,
            {"alerts": [alert().model_dump(mode="json")], "receiver": "responder"},
            id="what Alertmanager says",
        ),
    ],
)
def test_words_of_a_newer_door_are_read_as_far_as_they_are_known(model, said) -> None:
    assert model.model_validate(said)


async def test_a_thousand_fingerprints_are_counted_and_kept_small(town: Town, world: World) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="warning", fingerprint="f0", host="h" * 300)
    many = [first.model_copy(update={"fingerprint": f"f{n}"}) for n in range(1, 1000)]
    story = await town.fire(first, *many, policy=QUICK, world=world)

    record = await story.until(lambda r: r.phase is Phase.WATCHING and r.more_alerts > 0)

    assert (len(record.alerts), record.more_alerts) == (500, 500)
    assert record.incomplete
    assert len(record.model_dump_json()) < 1 << 20


async def test_what_comes_after_a_reopening_has_keys_of_its_own(town: Town, world: World) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="critical")
    story = await town.fire(first, policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("resolve", text="known")
    await story.until(lambda r: r.aftermaths == 1)
    await story.notice(later(first, minutes=9))
    # In real time: no clock is skipped while a child of the workflow lives.
    await story.until(lambda r: r.recurrence == 1 and r.phase is Phase.WATCHING)
    await story.until(lambda r: not (r.slack.unsent or r.slack.dirty))

    entries = [order["entry"] for order in world.orders("slack.post_entry")]
    texts: dict[str, set[str]] = {}
    for entry in entries:
        texts.setdefault(entry["key"], set()).add(str([entry["title"], entry["parts"]]))
    assert all(len(said) == 1 for said in texts.values()), "no key says two things"
    assert any("/after-1/" in key for key in texts)
    assert not world.root["over"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (45, "45 seconds"), (300, "5 minutes"), (5400, "90 minutes"), (7200, "2 hours"),
        (9000, "2.5 hours"), (86400, "24 hours"),
    ],
)  # fmt: skip
def test_a_duration_is_said_as_people_do(seconds: float, said: str) -> None:
    assert words(seconds) == said


@pytest.mark.parametrize(
    ("by", "person"),
    [
        pytest.param("mallory", True, id="somebody without the role"),
        pytest.param("dana", False, id="a bot"),
    ],
)
async def test_a_follow_up_is_closed_only_by_a_person_with_the_role(
    town: Town, world: World, by, person
) -> None:
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("resolve", text="known")
    await story.until(lambda r: r.aftermaths == 1)
    await story.pass_time(seconds=5)
    run = story.handle.first_execution_run_id
    after = town.env.client.get_workflow_handle(f"{story.id}/after/{run}-1")
    act = Act(id="a", by=by, via="cli", question="review", person=person)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await after.execute_update("complete", act)

    assert "does not have the responder role, or is no person" in refused.value.cause.message
