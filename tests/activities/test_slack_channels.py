"""A channel of an incident's own: opened once, whatever happens on the way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some
from temporalio.exceptions import ApplicationError

from activities.messages import Button
from activities.slack import Announce, Slack, UpdateEntry
from activities.slack_api import SlackApi
from activities.slack_channels import OpenChannel, OpenedChannel, SlackChannels, channel_name
from deploy.gameday.standins.faults import dropped
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.slack_state import Channel
from tests.activities.slack_words import BEGAN, GLANCE, attempt, entry, objection, root

RUN = "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"
NAME = "inc-apilatency-pravado-api-1f2e3d4c-7a9e11"


def order(*invite: str) -> OpenChannel:
    return OpenChannel(incident="APILatency-pravado-api-1f2e3d4c", run=RUN, invite=invite)


@pytest.fixture
def channels(api: SlackApi) -> SlackChannels:
    return SlackChannels(api)


async def open_it(channels: SlackChannels, *invite: str, number: int = 1) -> OpenedChannel:
    return await attempt(number, channels.open_channel, order(*invite))


def made(workspace: SlackStandIn) -> list[Channel]:
    return [each for each in workspace.state.channels.values() if each.name.startswith("inc-")]


async def test_a_channel_is_opened_and_people_and_groups_are_invited(
    workspace: SlackStandIn, channels: SlackChannels
) -> None:
    opened = await open_it(channels, "S0ONCALL", "U0DANA")

    [channel] = made(workspace)
    assert (opened.channel_id, opened.name, opened.said) == (channel.id, NAME, "")
    assert channel.people == ["U0RESPONDER", "U0SAM", "U0LEE", "U0DANA"]


async def test_an_answer_that_was_lost_makes_no_second_channel(
    workspace: SlackStandIn, channels: SlackChannels
) -> None:
    workspace.faults.add(dropped(done=True, method="conversations.create"))
    with pytest.raises(ApplicationError) as lost:
        await open_it(channels, "U0DANA")
    assert not lost.value.non_retryable

    opened = await open_it(channels, "U0DANA", number=2)

    [channel] = made(workspace)
    assert opened.channel_id == channel.id
    assert "U0DANA" in channel.people


async def test_it_is_found_again_on_a_later_page(
    workspace: SlackStandIn, channels: SlackChannels
) -> None:
    for number in range(450):
        busy = Channel(id=f"C1{number:06d}", name=f"room-{number}")
        workspace.state.channels[busy.id] = busy
    first = await open_it(channels)

    assert (await open_it(channels, number=2)).channel_id == first.channel_id


async def test_a_name_that_an_archived_channel_has_is_refused(
    workspace: SlackStandIn, channels: SlackChannels
) -> None:
    opened = await open_it(channels)
    workspace.archive(opened.channel_id)

    with pytest.raises(ApplicationError, match="archived or not ours") as refused:
        await open_it(channels)

    assert refused.value.non_retryable


async def test_who_cannot_be_invited_is_named_and_keeps_nobody_else_out(
    workspace: SlackStandIn, channels: SlackChannels
) -> None:
    opened = await open_it(channels, "W0NOBODY", "S0NONE", "U0DANA")

    [channel] = made(workspace)
    assert "U0DANA" in channel.people
    assert (
        "W0NOBODY could not be invited: Slack conversations.invite: user_not_found" in opened.said
    )
    assert "S0NONE could not be invited: Slack usergroups.users.list" in opened.said


async def test_a_missing_right_says_which(workspace: SlackStandIn, channels: SlackChannels) -> None:
    workspace.faults.add(objection("restricted_action", "conversations.create"))

    with pytest.raises(ApplicationError, match="restricted_action") as refused:
        await open_it(channels)

    assert refused.value.type == "Refused"


@given(some.text(min_size=1, max_size=300), some.uuids().map(str))
def test_every_incident_has_a_name_that_slack_takes(incident: str, run: str) -> None:
    name = channel_name(incident, run)

    assert re.fullmatch(r"[a-z0-9_-]{5,80}", name)
    assert name == channel_name(incident, run)
    assert name.endswith(run.replace("-", "")[-6:])


async def test_an_announcement_stands_in_the_channel_once(
    workspace: SlackStandIn, slack: Slack
) -> None:
    posted = entry(await attempt(1, slack.post_root, root())).entry
    announced = Announce(channel="incidents", entry=posted, oldest=BEGAN)
    await attempt(1, slack.announce, announced)
    await attempt(2, slack.announce, announced)

    assert [each.key for each in workspace.roots()] == [GLANCE.key, posted.key]


async def test_an_entry_is_revised_in_place_and_loses_its_buttons(
    workspace: SlackStandIn, slack: Slack
) -> None:
    standing = await attempt(1, slack.post_root, root())
    asked = entry(standing)
    button = Button(action="approve", text="Approve", value="a|b|c|d")
    asked = asked.model_copy(
        update={"entry": asked.entry.model_copy(update={"buttons": (button,)})}
    )
    posted = await attempt(1, slack.post_entry, asked)
    decided = asked.entry.model_copy(update={"buttons": (), "title": "Approved by dana"})
    revision = UpdateEntry(channel_id=posted.channel_id, ts=posted.ts, entry=decided)

    for _ in range(2):
        await attempt(1, slack.update_entry, revision)

    [message] = workspace.thread(standing.ts)
    assert "Approved by dana" in message.text
    assert not [block for block in message.blocks if block["type"] == "actions"]
    workspace.delete(posted.ts)
    with pytest.raises(ApplicationError) as gone:
        await attempt(1, slack.update_entry, revision)
    assert gone.value.type == "Gone"
