import asyncio
from datetime import UTC, datetime

import pytest

from activities.errors import Unavailable
from activities.verification import Answering, Below, Sample
from workers import looks
from workers.looks import answering, careful

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
