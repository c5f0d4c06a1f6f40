"""Two people act at once, each by another door: one decides, and the other reads who it was."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import httpx
import pytest
from typer.testing import CliRunner

from activities.buttons import Pressed, Target
from activities.record import Phase, Record
from deploy.console import console
from deploy.gameday.standins.pagerduty_webhooks import User, incident, payload, signed
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.slack_state import Message
from starters import pagerduty_door
from tests.lifecycle.drills import ASKS, drill, restart, scale
from tests.lifecycle.world import Story, Town, World, alert, library, told
from tests.starters.doors import door, settings
from tests.starters.workspace import hears, post, workspace

SECRET = "the-secret-of-this-subscription"
DANA_THERE = User("PDANA01", "Dana Doe")


@dataclass(frozen=True)
class Doors:
    """Dana in Slack or PagerDuty, and Lee at a shell, both before the same incident."""

    story: Story
    slack: SlackStandIn
    pagerduty: httpx.AsyncClient

    async def drawn(self, what: Pressed) -> Message:
        """A message with the button, as it stands there before anybody acts."""
        record = await self.story.record()
        run = self.story.handle.first_execution_run_id
        asked = record.question
        target = Target(self.story.id, run)
        if what in (Pressed.APPROVE, Pressed.REJECT):
            target = Target(self.story.id, run, asked.id, asked.shown)
        return post(self.slack, (what,), target)

    async def pressed(self, what: Pressed, message: Message) -> str:
        await self.slack.press(message.ts, what.value, user="U0DANA")
        return await hears(self.slack, "U0DANA")

    async def happened(self, what: str) -> None:
        # To every page: that one of several is resolved says only that somebody is there.
        for key in {page["dedup_key"] for page in self.story.world.orders("pagerduty.page")}:
            there = incident(7, key, what, "API")
            said = payload(what, there, agent=DANA_THERE.reference)
            body = httpx.Request("POST", "http://door", json=said).content
            answer = await self.pagerduty.post(
                pagerduty_door.PATH, content=body, headers=signed(body, [SECRET])
            )
            assert answer.status_code == HTTPStatus.ACCEPTED, answer.text

    async def typed(self, *words: str) -> str:
        command, *options = words
        result = await asyncio.to_thread(
            CliRunner().invoke,
            console(),
            [command, self.story.id, *options, "--as", "lee"],
        )
        return result.output


@pytest.fixture
async def doors(town: Town, world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", town.env.client.service_client.config.target_host)
    monkeypatch.setenv("COLUMNS", "250")
    world.library = library(drill(scale(asks=ASKS), restart(asks=ASKS)))
    world.cures = {"processes.scale": True}
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None and r.told_at is not None)
    await story.until(lambda _: len(world.pages) > 1)  # the incident's, and the question's
    heard = settings(pagerduty={"webhook_secrets": [SECRET], "people": {"pdana01": "dana"}})
    async with (
        workspace(town.env.client) as slack,
        door(town.env.client, heard) as pagerduty,
    ):
        yield Doors(story, slack, pagerduty)


def decided(record: Record) -> tuple[str, str]:
    """Who decided the first question, and whom that leaves."""
    [first, *_] = record.questions
    return first.by, "lee" if first.by == "dana" else "dana"


@pytest.mark.parametrize("ahead", [0.0, 0.15])
@pytest.mark.parametrize(
    ("pressed", "typed"),
    [
        pytest.param(Pressed.APPROVE, "reject", id="yes in Slack, no at the shell"),
        pytest.param(Pressed.REJECT, "approve", id="no in Slack, yes at the shell"),
        pytest.param(Pressed.APPROVE, "approve", id="yes by both"),
    ],
)
async def test_one_decides_and_the_other_reads_who_it_was(
    doors: Doors, pressed: Pressed, typed: str, ahead: float
) -> None:
    question = (await doors.story.record()).question.id
    message = await doors.drawn(pressed)

    async def press() -> str:
        await asyncio.sleep(ahead)  # the shell needs that long to get there
        return await doors.pressed(pressed, message)

    asked = ("--question", question)
    slack, shell = await asyncio.gather(press(), doors.typed(typed, *asked))

    record = await doors.story.until(lambda r: bool(r.questions))
    winner, loser = decided(record)
    said = {"dana": slack, "lee": shell}
    word = {"dana": pressed.value, "lee": typed}[winner]
    assert f"{word.removesuffix('e')}ed: scale to 5" in said[winner], said
    assert "it was already" in said[loser], said
    assert winner in said[loser], said
    won = {"approve": ["processes.scale"], "reject": []}[word]
    if won:
        await doors.story.until(lambda r: r.phase is Phase.VERIFYING)
    assert doors.story.world.changes == won
    assert [entry.text for entry in record.timeline if entry.by == loser] == [], told(record)


async def test_of_two_who_take_over_each_reads_whom_they_took_it_from(doors: Doors) -> None:
    message = await doors.drawn(Pressed.STOP)

    slack, shell = await asyncio.gather(
        doors.pressed(Pressed.STOP, message), doors.typed("take-over")
    )

    owner = (await doors.story.record()).people.taken_over_by
    said = {"dana": slack, "lee": shell}
    other = "lee" if owner == "dana" else "dana"
    assert f"you have it from {other}: no further step" in said[owner]
    assert "you have it: no further step" in said[other]


@pytest.mark.parametrize(
    ("there", "typed", "reads", "true"),
    [
        pytest.param(
            "resolved", ("resolve", "--why", "the router"), ("the incident is over", "is closed"),
            lambda r: r.resolution is not None, id="both resolve",
        ),
        pytest.param(
            "resolved", ("approve",), ("there is no open question", "over", "closed", "withdrawn"),
            lambda r: r.resolution is not None, id="one resolves, one approves",
        ),
        pytest.param(
            "acknowledged", ("reject",), (),
            lambda r: bool(r.people.acknowledged_by) and bool(r.questions),
            id="one acknowledges, one rejects",
        ),
    ],
)  # fmt: skip
async def test_pagerduty_and_a_shell_at_once_are_one_end_and_a_sentence(
    doors: Doors,
    there: str,
    typed: tuple[str, ...],
    reads: tuple[str, ...],
    true: Callable[[Record], Awaitable[bool] | bool],
) -> None:
    _, shell = await asyncio.gather(doors.happened(there), doors.typed(*typed))

    record = await doors.story.until(true)
    assert shell.strip()
    assert "Traceback" not in shell
    done = [entry.text for entry in record.timeline if entry.by == "lee"]
    if not done:
        assert any(each in shell for each in reads), (shell, told(record))
    resolved = [e for e in record.timeline if e.kind == "person" and e.text.startswith("resolved:")]
    assert len(resolved) == (there == "resolved"), told(record)
