from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities import slack_history
from activities.errors import Unavailable
from activities.slack import Slack
from activities.slack_api import slack_api
from activities.slack_history import Posted
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


@pytest.mark.parametrize("own", [True, False], ids=["it is there", "it is not"])
async def test_a_long_look_back_is_gone_on_with_where_it_broke_off(
    workspace: SlackStandIn, slack: Slack, monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> None:
    first = await attempt(1, slack.post_root, root()) if own else None
    for number in range(250):
        await attempt(1, slack.post_root, root(GLANCE.model_copy(update={"key": f"k{number}"})))
    beats: list[tuple[Any, ...]] = []

    async def again() -> Posted:
        environment = ActivityEnvironment()
        details = beats[-1] if beats else ()
        environment.info = replace(environment.info, attempt=2, heartbeat_details=details)
        environment.on_heartbeat = lambda *given: beats.append(given)
        return await environment.run(slack.post_root, root())

    with monkeypatch.context() as patch:
        patch.setattr(slack_history, "_READ_SECONDS", 0.0)
        with pytest.raises(Unavailable, match="1 pages were read back"):
            await again()
    count = len(beats)
    posted = await again()

    # The first page once more, for what the attempt before may have sent, and then on.
    assert [page for _, page, _ in beats[count:]] == [0, 1, 2]
    assert (posted == first) is own


async def test_a_proxy_of_the_environment_is_not_told(
    workspace: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with slack_api(SecretStr(TOKEN), url=workspace.api_url) as api:
        assert (await attempt(1, Slack(api, CHANNELS).post_root, root())).ts


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
