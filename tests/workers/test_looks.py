import asyncio
from datetime import UTC, datetime

import pytest

from activities.errors import Unavailable
from activities.verification import Answering, Below, Every, Sample
from workers import looks
from workers.looks import answering, careful, in_order

NOW = datetime.now(UTC)


def sample(good, note=""):
    return Sample(at=NOW, good=good, note=note)


@pytest.mark.parametrize(
    ("seen", "good"),
    [
        pytest.param([True], True, id="one that answers"),
        pytest.param([True, True], True, id="all answer"),
        pytest.param([True, None], None, id="one is unknown: not known"),
        pytest.param([None, False], False, id="one is down, whatever the others"),
        pytest.param([True, False], False, id="one is down"),
        pytest.param([None, None], None, id="nobody knows"),
    ],
)
async def test_vantage_points_are_put_together(seen, good):
    checks = {}
    for number, each in enumerate(seen):

        async def check(each=each, number=number):
            return sample(each, f"point {number}")

        checks[f"point.{number}"] = check

    found = await answering(checks)(Answering(checks=tuple(checks)))

    assert found.good is good
    assert all(name.replace(".", " ") in found.note for name in checks)


async def test_a_check_that_is_not_set_up_is_unknown():
    found = await answering({})(Answering(checks=("redis.ping",)))

    assert found.good is None
    assert "redis.ping" in found.note


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unavailable("Redis is away"), id="one of ours"),
        pytest.param(ValueError("password=hunter2"), id="a library's"),
    ],
)
async def test_a_look_that_fails_is_an_unknown_sample(error):
    async def fails(condition):
        raise error

    found = await careful(fails)(Below(expression="up", threshold=1))

    assert found.good is None
    assert "hunter2" not in found.note


async def test_a_look_that_hangs_is_an_unknown_sample(monkeypatch):
    monkeypatch.setattr(looks, "SECONDS", 0.01)

    async def hangs(condition):
        await asyncio.sleep(60)

    assert (await careful(hangs)(Below(expression="up", threshold=1))).good is None


@pytest.mark.parametrize(
    ("seen", "good", "asked"),
    [
        pytest.param([True, True, True], True, 3, id="all hold"),
        pytest.param([True, False, True], False, 2, id="one does not: the rest is not asked"),
        pytest.param([None, True, True], None, 1, id="one is not known: the rest is not asked"),
        pytest.param([True, True, None], None, 3, id="the last is not known"),
    ],
)
async def test_several_conditions_are_looked_at_in_order(seen, good, asked):
    conditions = (
        Answering(checks=("database",)),
        Below(expression="pool", threshold=0.8),
        Answering(checks=("flows",)),
    )
    looked = []

    async def look(condition):
        looked.append(condition)
        found = sample(seen[len(looked) - 1], f"look {len(looked)}")
        return found.model_copy(update={"value": 0.5})

    found = await in_order({"answering": look, "below": look})(Every(conditions=conditions))

    assert found.good is good
    assert looked == list(conditions[:asked])
    assert f"look {asked}" in found.note
    assert found.value is None, "seconds and shares make no chart together"


async def test_only_several_conditions_are_looked_at_in_order():
    found = await in_order({})(Answering(checks=("redis.ping",)))

    assert found.good is None
