"""From the incident to Slack and back: its own messages are pressed, and show what became of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from activities.slack import PostEntry, PostRoot, Slack, UpdateEntry, UpdateRoot
from activities.slack_api import SlackApi, slack_api
from activities.slack_channels import OpenChannel, SlackChannels
from activities.slack_charts import PostChart, SlackCharts
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.gameday.standins.slack_state import Message
from tests.lifecycle.drills import ASKS, drill, restart, scale
from tests.lifecycle.world import POLICY, Story, Town, World, alert, library
from tests.starters.workspace import BOT_TOKEN, PEOPLE, hears, workspace

POLICY_HERE = POLICY.model_copy(update={"people": PEOPLE})


class WorldWithSlack(World):
    """A world whose Slack is no script: the real activities, and a workspace behind them."""

    def __init__(self, town: Town, api: SlackApi) -> None:
        super().__init__(town)
        slack, charts, channels = Slack(api, CHANNELS), SlackCharts(api), SlackChannels(api)
        self._slack: dict[str, tuple[Any, Any]] = {
            "slack.post_root": (slack.post_root, PostRoot),
            "slack.update_root": (slack.update_root, UpdateRoot),
            "slack.post_entry": (slack.post_entry, PostEntry),
            "slack.update_entry": (slack.update_entry, UpdateEntry),
            "slack.post_chart": (charts.post_chart, PostChart),
            "slack.open_channel": (channels.open_channel, OpenChannel),
        }

    async def call(self, name: str, arguments: list[Any]) -> Any:
        if name not in self._slack:
            return await super().call(name, arguments)
        self.calls.append((name, arguments))
        method, order = self._slack[name]
        return await method(order.model_validate(arguments[0]))


@pytest.fixture
async def slack(town: Town) -> AsyncIterator[SlackStandIn]:
    async with workspace(town.env.client) as reached:
        yield reached


@pytest.fixture
async def asking(town: Town, slack: SlackStandIn) -> AsyncIterator[Story]:
    """A critical incident that asks for a step, and has another that needs no asking."""
    async with slack_api(SecretStr(BOT_TOKEN), url=slack.api_url) as api:
        world = WorldWithSlack(town, api)
        world.library = library(drill(scale(asks=ASKS), restart()))
        world.cures = {"processes.scale": True}
        first = alert("HighDrill", severity="critical")
        story = await town.fire(first, policy=POLICY_HERE, world=world)
        await story.until(lambda r: r.question is not None and bool(r.question.ts))
        yield story
        await town.clear()


def buttons(message: Message) -> list[str]:
    rows = (block for block in message.blocks if block["type"] == "actions")
    return [each["action_id"] for row in rows for each in row["elements"]]


async def comes_true(what: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.02)


def question(slack: SlackStandIn) -> Message:
    """The entry that has an Approve; waited for by `asking`."""
    [asked] = [each for each in slack.messages() if "approve" in buttons(each)]
    return asked


async def test_an_approval_pressed_is_carried_out_and_the_entry_says_who_and_when(
    slack: SlackStandIn, asking: Story
) -> None:
    asked = question(slack)
    as_it_was = asked.model_copy(deep=True)

    assert await slack.press(asked.ts, "approve", user="U0DANA") == 200

    assert await hears(slack, "U0DANA") == f"{asking.id}: approved: scale to 5"
    await comes_true(lambda: not buttons(asked))
    assert asked.text.startswith("Approved by dana at ")
    await comes_true(lambda: asking.world.changes == ["processes.scale"])
    # On a phone that was offline the old entry still has its buttons.
    await slack.people.press(as_it_was, "reject", "U0LEE")
    assert "Not done: it was already approved by dana at " in await hears(slack, "U0LEE")
    assert asking.world.changes == ["processes.scale"]


async def test_what_changed_while_it_was_asked_is_asked_anew_and_the_old_buttons_are_dead(
    slack: SlackStandIn, asking: Story
) -> None:
    asked = question(slack)
    as_it_was = asked.model_copy(deep=True)
    asking.world.replicas = 3

    await slack.press(asked.ts, "approve", user="U0DANA")

    await comes_true(lambda: asked.text.startswith("Void, although approved by dana"))
    await comes_true(lambda: any("approve" in buttons(each) for each in slack.messages()))
    anew = question(slack)
    assert anew.ts != asked.ts
    assert asking.world.changes == []
    await slack.people.press(as_it_was, "approve", "U0LEE")
    assert "count: 2, now 3). Asked anew:" in await hears(slack, "U0LEE")
    await slack.press(anew.ts, "approve", user="U0LEE")
    await comes_true(lambda: asking.world.changes == ["processes.scale"])


async def test_the_buttons_of_the_root_follow_what_was_pressed(
    slack: SlackStandIn, asking: Story
) -> None:
    [root] = slack.roots()
    every = ["acknowledge", "hold", "stop", "escalate", "take-over", "resolve"]
    assert buttons(root) == every

    await slack.press(root.ts, "acknowledge", user="U0DANA")
    await comes_true(lambda: buttons(root) == every[1:])
    await slack.press(root.ts, "stop", user="U0LEE")
    await comes_true(lambda: buttons(root) == ["escalate", "hand-back", "resolve"])

    assert "lee has taken over" in str(root.blocks)
    await comes_true(lambda: not any("approve" in buttons(each) for each in slack.messages()))
    await slack.press(root.ts, "hand-back", user="U0LEE")
    await comes_true(lambda: "take-over" in buttons(root))
    assert slack.duplicates() == {}
