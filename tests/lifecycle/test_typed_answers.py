"""An answer typed into a shell is bound to what `responder show` printed."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable

import pytest
from typer.testing import CliRunner

from activities.record import Phase
from deploy.console import console
from starters.session import Exit
from tests.lifecycle.drills import ASKS, drill, scale
from tests.lifecycle.world import Story, Town, World, alert, library

Run = Callable[..., Awaitable[str]]


@pytest.fixture
def run(town: Town, monkeypatch: pytest.MonkeyPatch) -> Run:
    host = town.env.client.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", host)
    monkeypatch.setenv("COLUMNS", "80")

    async def invoke(*words: str, expect: Exit = Exit.DONE) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, console(), list(words))
        assert result.exit_code == expect, f"{result.output}\n{result.exception!r}"
        return result.output

    return invoke


@pytest.fixture
async def asking(town: Town, world: World) -> Story:
    world.library = library(drill(scale(asks=ASKS, details=("2 instances become 5",))))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None)
    return story


async def test_what_show_prints_can_be_pasted_and_decides_exactly_that(
    run: Run, asking: Story
) -> None:
    shown = await run("show", asking.id)
    for exactly in (
        "2 instances become 5",
        "processes.scale {",
        "undo: by itself",
        "seen: a drill",
    ):
        assert exactly in shown
    [line] = [each for each in shown.splitlines() if "responder approve" in each]

    said = await run(*shlex.split(line.partition("responder ")[2]), "--as", "dana")

    assert "approved: scale to 5" in said
    await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]


async def test_a_hash_of_something_else_decides_nothing(run: Run, asking: Story) -> None:
    said = await run(
        "approve", asking.id, "--hash", "0123456789abcdef", "--as", "dana", expect=Exit.REFUSED
    )

    assert "what you were shown is not what is asked: look again." in said
    assert (await asking.record()).question.answer == ""


async def test_without_question_and_hash_the_only_open_one_is_meant(
    run: Run, asking: Story
) -> None:
    assert "approved: scale to 5" in await run("approve", asking.id, "--as", "dana")
