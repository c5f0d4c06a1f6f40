"""What a decision rests on of a reading, and how its change is said."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import activities
from activities.changes import READ, differences, lasting

DECIDED = Path(__file__).parents[1] / "fixtures" / "procedures" / "read_before.txt"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        pytest.param({"count": 2}, {"count": 2}, [], id="the same"),
        pytest.param({"count": 2}, {"count": 3}, ["count: 2, now 3"], id="a number"),
        pytest.param(
            {"pid": 7, "clock": "03:00", "logs": "a"},
            {"pid": 7, "clock": "03:05", "logs": "b"},
            [],
            id="the clock and the logs go on",
        ),
        pytest.param(
            {"values": {"a": None}},
            {"values": {"a": "true"}},
            ["a: nothing, now true"],
            id="a switch that was not set",
        ),
        pytest.param(
            {"instances": [{"id": 0, "pid": 1}, {"id": 1, "pid": 2}]},
            {"instances": [{"id": 0, "pid": 1}, {"id": 1, "pid": 9}]},
            ["pid: 2, now 9"],
            id="one of several",
        ),
        pytest.param(
            {"backends": [{"pid": 1}, {"pid": 2}]},
            {"backends": [{"pid": 1}]},
            ["backends: 2, now 1"],
            id="fewer of them",
        ),
        pytest.param({"flag": None}, {"flag": {"share": 0}}, ["flag: nothing, now share 0"],
                     id="something where nothing was"),
        pytest.param("r41", "r42", ["it: r41, now r42"], id="a bare value"),
        pytest.param({"query": "x" * 9_000}, {"query": "y"}, None, id="a long text is cut"),
    ],
)  # fmt: skip
def test_what_differs_is_said_in_words(before, now, said) -> None:
    found = differences(before, now)

    if said is None:
        assert len(found[0]) < 400
    else:
        assert found == said


def test_a_session_that_has_ended_by_itself_voids_nothing_but_another_in_its_place_does() -> None:
    two = [{"pid": 7, "found": "same", "user": "app"}, {"pid": 8, "found": "same", "user": "app"}]
    gone = [{"pid": 7, "found": "gone", "user": ""}, two[1]]
    other = [{"pid": 7, "found": "something else", "user": "app"}, two[1]]

    assert differences({"backends": two}, {"backends": gone}) == []
    assert differences({"backends": two}, {"backends": other}) == [
        "found: same, now something else"
    ]


def test_a_rollback_is_bound_to_the_release_that_runs_and_not_to_processes_that_crash() -> None:
    crashing = {"running": "r42", "instances": [{"id": 0, "pid": 7, "restarts": 40}]}
    again = {"running": "r42", "instances": [{"id": 0, "pid": 9, "restarts": 41}]}
    deployed = again | {"running": "r43"}

    assert differences(crashing, again, "deployments.rollback") == []
    assert differences(crashing, again, "processes.rolling_restart")
    assert differences(crashing, deployed, "deployments.rollback") == ["running: r42, now r43"]


def leaves(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field of *model* that holds no fields itself."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in kinds(field.annotation) if issubclass(kind, BaseModel)]
        if not inner:
            yield (*prefix, name)
        for each in inner:
            yield from leaves(each, (*prefix, name))


def kinds(annotation: object) -> Iterator[type]:
    if inspect.isclass(annotation):
        yield annotation
    for each in typing.get_args(annotation):
        yield from kinds(each)


def readings() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every activity that reads what is there before a change, and its answer."""
    for found in pkgutil.iter_modules(activities.__path__):
        module = importlib.import_module(f"activities.{found.name}")
        for owner in vars(module).values():
            if not inspect.isclass(owner) or owner.__module__ != module.__name__:
                continue
            for method in vars(owner).values():
                known = getattr(method, "__temporal_activity_definition", None)
                if known is not None and (known.name or "").endswith(READ):
                    yield known.name, typing.get_type_hints(method)["return"]


def test_of_every_field_that_is_read_before_a_change_it_is_decided_whether_it_binds() -> None:
    """A field that changes by itself would void every approval; one that is left out, none."""
    found = set()
    for name, model in readings():
        for path in leaves(model):
            value: object = 1
            for part in reversed(path):
                value = {part: value}
            bound = _ends(lasting(value, name.removesuffix(READ)))
            found.add(f"{'binds' if bound else 'passes'} {name} {'.'.join(path)}")

    assert "\n".join(sorted(found)) == DECIDED.read_text().rstrip("\n"), (
        "decide of each new field whether an approval is void when it changes: where it changes "
        "by itself, add it to _PASSING in activities/changes.py; then write it down in "
        f"{DECIDED.name}"
    )


def _ends(value: object) -> bool:
    while isinstance(value, dict):
        if not value:
            return False
        value = next(iter(value.values()))
    return True
