"""What an open incident relies on when the code changes: activity names and order models."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import activities
from activities.changes import READ, UNDO
from activities.record import PlannedStep
from tests.procedures.ladders import every
from workers.composition import compose
from workers.parts import activities_of
from workers.settings import Settings
from workflows.consult import CONSULT, Consulted
from workflows.efforts import Queue
from workflows.procedures.base import activity_name

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "fixtures" / "procedures"
FROZEN = KEPT / "activity_names.txt"
RELEASES = sorted(KEPT.glob("*.json"))


def implemented() -> dict[str, Any]:
    """Every activity method of the code, by its name."""
    found = {}
    for module in pkgutil.iter_modules(activities.__path__, "activities."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name:
                found |= {activity_name(each): each for each in activities_of(kind)}
    return found


ACTIVITIES = implemented()


@pytest.fixture(scope="module")
async def composed() -> dict[str, Queue]:
    async with compose(Settings()) as composition:
        return {activity_name(each): queue for queue, all_ in composition.items() for each in all_}


def order_of(name: str) -> TypeAdapter[Any]:
    """The model of what an activity takes first."""
    hints = inspect.get_annotations(ACTIVITIES[name], eval_str=True)
    return TypeAdapter(next(kind for argument, kind in hints.items() if argument != "return"))


def steps_and_probes(answers: list[Consulted]) -> list[tuple[str, dict[str, Any]]]:
    probes = [(probe.activity, probe.ask) for answer in answers for probe in answer.probes]
    plans = [answer.plan for answer in answers if answer.plan]
    return probes + [(step.activity, step.order) for plan in plans for step in plan.steps]


def planned(answers: list[Consulted]) -> list[PlannedStep]:
    return [step for answer in answers if answer.plan for step in answer.plan.steps]


def within(old: Any, new: Any) -> bool:
    """Whether everything that *old* says is in *new* still."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and within(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(within, old, new))
    return old == new or str(old) == str(new)


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_what_an_earlier_release_planned_is_still_understood(release):
    for kept in json.loads(release.read_text()):
        answer = Consulted.model_validate(kept)
        assert within(kept, answer.model_dump(mode="json")), "a field of a ladder has gone"
        for name, order in steps_and_probes([answer]):
            assert name in ACTIVITIES, (
                f"{name} has gone, and an incident opened under {release.stem} may still call it"
            )
            decoded = order_of(name).validate_python(order)
            assert within(order, decoded.model_dump(mode="json")), (
                f"{name} no longer takes {order}. Only add fields, each with a default."
            )


def test_there_is_a_release_to_compare_with_and_it_has_every_step_of_today():
    newest = [Consulted.model_validate(kept) for kept in json.loads(RELEASES[-1].read_text())]

    assert {step.activity for step in planned(list(every()))} <= {
        step.activity for step in planned(newest)
    }, "a step that no kept ladder has. Keep one:\n  python -m tests.procedures.ladders"


def test_what_keeps_the_ladders_of_a_release_says_what_the_code_says():
    said = subprocess.run(
        [sys.executable, "-m", "tests.procedures.ladders"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    kept = json.loads(said)
    assert len(kept) == len(list(every()))
    assert all(Consulted.model_validate(each) for each in kept)


@pytest.mark.parametrize("step", planned(list(every())), ids=lambda step: step.key)
def test_every_step_can_be_read_taken_and_undone_by_the_worker_of_changes(step, composed):
    halves = [step.activity + READ, step.activity, *([step.activity + UNDO] if step.undo else [])]

    for name in halves:
        assert composed.get(name) is Queue.CHANGES, f"{name} is not where changes are made"
        assert inspect.iscoroutinefunction(ACTIVITIES[name])
        assert order_of(name).validate_python(step.order)
    before = inspect.get_annotations(ACTIVITIES[halves[0]], eval_str=True)["return"]
    for name in halves[1:]:
        assert inspect.get_annotations(ACTIVITIES[name], eval_str=True)["before"] is before


@pytest.mark.parametrize(
    ("key", "name", "ask"),
    [
        pytest.param(probe.key, probe.activity, probe.ask, id=f"{answer.facts.name}.{probe.key}")
        for answer in every()
        for probe in answer.probes
    ],
)
def test_every_probe_is_asked_on_the_queue_that_can_change_nothing(key, name, ask, composed):
    assert composed.get(name) is Queue.PROBES
    assert order_of(name).validate_python(ask)


def test_no_activity_name_is_given_up_and_a_new_one_is_kept(composed):
    frozen = FROZEN.read_text().splitlines()

    assert frozen == sorted(set(frozen))
    assert not set(frozen) - set(composed), "an open incident may still call it: a name is for ever"
    assert not set(composed) - set(frozen), f"new: add it to {FROZEN.relative_to(ROOT)}"
    assert set(composed) <= {*ACTIVITIES, CONSULT}
