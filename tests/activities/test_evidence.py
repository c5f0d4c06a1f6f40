"""What stood there, in words: every kind of it that a step of the runbook asks or undoes by."""

import types
import typing
from datetime import datetime
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel

from activities.changes import READ, lasting
from activities.evidence import MOST_LINE, MOST_LINES, NAMING, lines, plainly
from tests.activities.test_changes import readings
from tests.procedures.ladders import every

AT = "2026-11-23T03:00:00Z"
RAW = ("{", "}", "[", "]", '"', "None", "True", "False")
"""Signs of an answer that was written out instead of worded."""

READINGS = dict(readings())


def sample(kind: Any, name: str = "") -> Any:
    """A value of *kind* as a history has it, with something in every field."""
    arguments = [each for each in typing.get_args(kind) if each is not type(None)]
    match typing.get_origin(kind):
        case typing.Annotated | typing.Union | types.UnionType:
            return sample(arguments[0], name)
        case typing.Literal:
            return arguments[0]
        case origin if origin in (list, tuple):
            return [sample(arguments[0], name)] * 2
        case origin if origin is dict:
            return {"made_up_1": sample(arguments[1], name), "made_up_2": None}
    return _single(kind, name)


def _single(kind: type, name: str) -> Any:
    if issubclass(kind, BaseModel):
        return {key: sample(field.annotation, key) for key, field in kind.model_fields.items()}
    if issubclass(kind, Enum):
        return str(next(iter(kind)).value)
    plain: dict[type, Any] = {bool: True, int: 4711, float: 12.5, datetime: AT}
    return plain.get(kind, f"the {name}")


def texts(value: Any) -> list[str]:
    """Every text in *value*, but for times, which are worded."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) and value != AT else []


def test_every_step_of_the_runbook_has_a_kind_of_evidence_here() -> None:
    planned = {step.activity for each in every() if each.plan for step in each.plan.steps}

    assert planned
    assert {name + READ for name in planned} <= set(READINGS)


@pytest.mark.parametrize("name", sorted(READINGS))
def test_what_stood_there_is_said_whole_and_in_words(name: str) -> None:
    there = lasting(sample(READINGS[name]), name.removesuffix(READ))

    said = lines("there now", there) if there else []

    assert len(said) <= MOST_LINES + 1
    for line in said:
        assert line.startswith("there now")
        assert len(line.encode()) <= MOST_LINE
        assert not any(sign in line for sign in RAW), line
    together = "\n".join(said)
    assert all(word in together for word in texts(there)), together
    assert "made up" not in together, f"the keys of a field are names: add it to {NAMING}"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        pytest.param({"count": 2}, ["there now: count 2"], id="one number"),
        pytest.param(
            {"pid": 12345, "state": "failed", "since": AT},
            ["there now: pid 12345, state failed, since 23 November 2026, 03:00:00 UTC"],
            id="a service",
        ),
        pytest.param(
            {"values": {"cache_ttl": "5", "llm_timeout": None}},
            ["there now, values: cache_ttl 5, llm_timeout none"],
            id="switches by their own names, one of them not set",
        ),
        pytest.param(
            {"backends": [{"pid": 7, "protected": ""}, {"pid": 9, "protected": "replication"}]},
            [
                "there now, backends 1 of 2: pid 7, protected none",
                "there now, backends 2 of 2: pid 9, protected replication",
            ],
            id="sessions, one on a line",
        ),
        pytest.param({"flag": None}, ["there now: flag none"], id="nothing there"),
        pytest.param(
            {"count": 1, "unused": [], "kept": ["a:1", "b:2"]},
            ["there now: count 1", "there now, unused: none", "there now, kept: a:1, b:2"],
            id="a list of names, and one of none",
        ),
        pytest.param(
            {"index": {"name": {"table": "users", "on": ["a", "b"]}, "partitioned": False}},
            ["there now, index: name (table users, on (a, b)), partitioned no"],
            id="one in another",
        ),
        pytest.param({"size_bytes": 5 << 20}, ["there now: size 5.0 MiB"], id="a size"),
        pytest.param("r41", ["there now: r41"], id="a bare value"),
        pytest.param(
            {"query": "SELECT 1\n  FROM a"}, ["there now: query SELECT 1 FROM a"], id="lines"
        ),
    ],
)
def test_it_reads_as_a_person_would_say_it(there: Any, said: list[str]) -> None:
    assert lines("there now", there) == said


def test_what_is_left_out_is_counted() -> None:
    many = lines("there now", {"backends": [{"pid": number} for number in range(30)]})
    names = plainly({"kept": [f"image-{number}" for number in range(30)]})
    deep: Any = "the bottom"
    for _ in range(9):
        deep = {"in": deep, "beside": [1, 2]}

    assert many[-1] == "there now: and 24 more"
    assert names.endswith("image-9, and 20 more)")
    assert plainly({"query": "x" * 9_000}).endswith("x…")
    assert "2 of them" in plainly(deep)


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=60,
)


@given(ANYTHING)
def test_whatever_is_there_is_said_within_bounds(there: Any) -> None:
    said = lines("there now", there)

    assert len(said) <= MOST_LINES + 1
    assert all(len(line.encode()) <= MOST_LINE for line in said)
    assert not any("\n" in line for line in said)
