from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from activities.slack import Slack
from activities.slack_api import SlackApi, slack_api
from deploy.gameday.standins.faults import dropped, hanging, outage, rate_limited
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from tests.activities.slack_words import (
    AMBIGUOUS,
    GLANCE,
    POST,
    THROTTLED,
    TOKEN,
    UNAVAILABLE,
    attempt,
    entry,
    missing_scope,
    root,
    until_posted,
)


@pytest.fixture
async def workspace() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(TOKEN) as standing:
        yield standing


@pytest.fixture
async def api(workspace: SlackStandIn) -> AsyncIterator[SlackApi]:
    async with slack_api(SecretStr(TOKEN), url=workspace.api_url, timeout_seconds=1.0) as opened:
        yield opened


@pytest.fixture
def slack(api: SlackApi) -> Slack:
    return Slack(api, CHANNELS)


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        pytest.param(dropped(done=True, method=POST), AMBIGUOUS, id="dropped after it was done"),
        pytest.param(dropped(done=False, method=POST), AMBIGUOUS, id="dropped before it was done"),
        pytest.param(hanging(3, done=True, method=POST), AMBIGUOUS, id="done, then silence"),
        pytest.param(outage(502, done=True, method=POST), AMBIGUOUS, id="done, then a 502"),
        pytest.param(outage(503, method=POST), AMBIGUOUS, id="a 503 with a page of HTML"),
        pytest.param(rate_limited(3, method=POST), THROTTLED, id="rate limited"),
    ],
)
@pytest.mark.parametrize("where", ["root", "entry"])
async def test_a_message_is_posted_exactly_once(
    workspace: SlackStandIn, slack: Slack, fault: Any, failed: str, where: str
) -> None:
    if where == "root":
        workspace.fail(fault)
        posted, failures = await until_posted(slack.post_root, root())
    else:
        first = await attempt(1, slack.post_root, root())
        workspace.fail(fault)
        posted, failures = await until_posted(slack.post_entry, entry(first))

    assert failures == [failed]
    assert not workspace.duplicates()
    [standing] = [each for each in workspace.messages() if each.ts == posted.ts]
    assert len(workspace.messages()) == (1 if where == "root" else 2)
    assert standing.key == (GLANCE.key if where == "root" else "i/1/seen")


async def test_a_failing_look_back_is_tried_again_before_anything_is_posted(
    workspace: SlackStandIn, slack: Slack
) -> None:
    workspace.fail(
        dropped(done=True, method=POST),
        outage(method="conversations.history"),
        rate_limited(1, method="conversations.history"),
    )
    _, failures = await until_posted(slack.post_root, root())
    assert failures == [AMBIGUOUS, UNAVAILABLE, THROTTLED]
    assert len(workspace.messages()) == 1


async def test_a_first_attempt_reads_back_when_told(workspace: SlackStandIn, slack: Slack) -> None:
    first = await attempt(1, slack.post_root, root())
    assert await attempt(1, slack.post_root, root(read_back=True)) == first
    entered = await attempt(1, slack.post_entry, entry(first))
    assert await attempt(1, slack.post_entry, entry(first, read_back=True)) == entered
    assert len(workspace.messages()) == 2


async def test_the_look_back_goes_through_pages(workspace: SlackStandIn, slack: Slack) -> None:
    first = await attempt(1, slack.post_root, root())
    for number in range(150):
        await attempt(1, slack.post_root, root(GLANCE.model_copy(update={"key": f"k{number}"})))
    assert await attempt(2, slack.post_root, root()) == first


async def test_a_message_from_before_the_incident_is_not_adopted(
    workspace: SlackStandIn, slack: Slack
) -> None:
    first = await attempt(1, slack.post_root, root())
    later = root().model_copy(update={"oldest": datetime.now(UTC) + timedelta(minutes=5)})
    assert (await attempt(2, slack.post_root, later)).ts != first.ts


async def test_an_unreadable_channel_does_not_keep_the_message_back(
    workspace: SlackStandIn, slack: Slack
) -> None:
    workspace.fail(missing_scope("conversations.history"))
    posted = await attempt(2, slack.post_root, root())
    assert "may stand twice" in posted.said
    assert "channels:history" in posted.said
    assert len(workspace.messages()) == 1
