from __future__ import annotations

import json
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.blocks import render_glance
from activities.charts import Chart, Point
from activities.slack import Slack
from activities.slack_api import SlackApi
from activities.slack_charts import PostChart, SlackCharts
from deploy.gameday.standins.faults import dropped, outage
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from tests.activities.slack_words import (
    AMBIGUOUS,
    BEGAN,
    GLANCE,
    UNAVAILABLE,
    attempt,
    entry,
    objection,
    root,
    until_posted,
    update,
)


async def test_the_root_is_updated_in_place(workspace: SlackStandIn, slack: Slack) -> None:
    posted = await attempt(1, slack.post_root, root())
    over = GLANCE.model_copy(update={"over": True, "status": "Rolled back to v1.2.3"})
    await attempt(1, slack.update_root, update(posted, over))

    [message] = workspace.messages()
    assert message.ts == posted.ts
    assert "RESOLVED" in message.text
    assert "Rolled back" in json.dumps(message.blocks)
    assert [version.text for version in message.history] == [render_glance(GLANCE).text]
    assert message.key == GLANCE.key


async def test_a_deleted_root_is_gone(workspace: SlackStandIn, slack: Slack) -> None:
    posted = await attempt(1, slack.post_root, root())
    workspace.delete(posted.ts)
    for activity, order in (
        (slack.update_root, update(posted)),
        (slack.post_entry, entry(posted)),
        (slack.post_entry, entry(posted, read_back=True)),
    ):
        with pytest.raises(ApplicationError) as failed:
            await attempt(1, activity, order)
        assert failed.value.type == "Gone"
        assert failed.value.non_retryable

    again = await attempt(1, slack.post_root, root(read_back=True))
    assert again.ts != posted.ts


async def test_an_archived_channel_is_gone_for_what_stands_in_it(
    workspace: SlackStandIn, slack: Slack
) -> None:
    posted = await attempt(1, slack.post_root, root())
    workspace.archive(posted.channel_id)
    for activity, order, kind in (
        (slack.update_root, update(posted), "Gone"),
        (slack.post_entry, entry(posted), "Gone"),
        (slack.post_root, root(), "Refused"),
    ):
        with pytest.raises(ApplicationError) as failed:
            await attempt(1, activity, order)
        assert failed.value.type == kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ratelimited", "Throttled"),
        ("rate_limited", "Throttled"),
        ("service_unavailable", "Unavailable"),
        ("internal_error", "Unavailable"),
        ("request_timeout", "Unavailable"),
        ("team_added_to_org", "Unavailable"),
        ("org_login_required", "Unavailable"),
        ("fatal_error", "Ambiguous"),
        ("invalid_auth", "Refused"),
        ("token_revoked", "Refused"),
        ("missing_scope", "Refused"),
        ("channel_not_found", "Refused"),
        ("is_archived", "Refused"),
        ("message_limit_exceeded", "Refused"),
        ("a_code_of_next_year", "Refused"),
    ],
)
async def test_slacks_codes_are_sorted(
    workspace: SlackStandIn, slack: Slack, code: str, kind: str
) -> None:
    workspace.fail(objection(code))
    with pytest.raises(ApplicationError) as failed:
        await attempt(1, slack.post_root, root())
    assert failed.value.type == kind
    assert failed.value.non_retryable is (kind == "Refused")
    assert code in str(failed.value)


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long", "metadata_too_large"])
async def test_a_refused_form_is_posted_as_short_plain_text(
    workspace: SlackStandIn, slack: Slack, code: str
) -> None:
    workspace.fail(objection(code))
    posted = await attempt(1, slack.post_root, root())
    [message] = workspace.messages()
    assert code in posted.said
    assert message.blocks == []
    assert "CRITICAL: API experiencing high error rates" in message.text


async def test_a_refused_form_is_degraded_once(workspace: SlackStandIn, slack: Slack) -> None:
    workspace.fail(objection("invalid_blocks").model_copy(update={"times": 2}))
    with pytest.raises(ApplicationError) as failed:
        await attempt(1, slack.post_root, root())
    assert failed.value.type == "Refused"


async def test_a_refused_update_replaces_the_old_blocks(
    workspace: SlackStandIn, slack: Slack
) -> None:
    posted = await attempt(1, slack.post_root, root())
    workspace.fail(objection("msg_blocks_too_long", "chat.update"))
    updated = await attempt(1, slack.update_root, update(posted))
    assert "msg_blocks_too_long" in updated.said
    assert workspace.messages()[0].blocks == []


async def test_without_a_token_nothing_is_tried() -> None:
    with pytest.raises(ApplicationError) as failed:
        await attempt(1, Slack(None, CHANNELS).post_root, root())
    assert failed.value.type == "NotConfigured"


async def test_a_channel_that_is_not_set_is_named(slack: Slack) -> None:
    other = GLANCE.model_copy(update={"channel": "elsewhere"})
    with pytest.raises(ApplicationError, match="'elsewhere'") as failed:
        await attempt(1, slack.post_root, root(other))
    assert failed.value.type == "NotConfigured"


def test_a_channel_is_set_by_its_id() -> None:
    with pytest.raises(ValueError, match="write the id"):
        Slack(None, {"incidents": "#incidents"})


@pytest.mark.parametrize(
    ("who", "called"),
    [
        ("U0ALICE", "<@U0ALICE>"),
        ("S0ONCALL", "<!subteam^S0ONCALL>"),
        ("here", "<!here>"),
        ("<!channel>", ""),
        ("", ""),
    ],
)
async def test_a_mention_calls_whom_it_names(
    workspace: SlackStandIn, slack: Slack, who: str, called: str
) -> None:
    posted = await attempt(1, slack.post_root, root())
    await attempt(1, slack.post_entry, entry(posted, mention=who, broadcast=True))
    [reply] = workspace.thread(posted.ts)
    assert reply.broadcast
    assert reply.text == f"{called} Seen".strip()
    assert reply.blocks[0]["text"]["text"] == f"{called} *Seen*".strip()


async def test_a_chart_is_shown_once(workspace: SlackStandIn, api: SlackApi, slack: Slack) -> None:
    posted = await attempt(1, slack.post_root, root())
    points = tuple(
        Point(at=BEGAN + timedelta(seconds=30 * n), value=float(n), good=n < 3) for n in range(6)
    )
    order = PostChart(
        channel_id=posted.channel_id,
        thread_ts=posted.ts,
        chart=Chart(title="p95 of the API", unit="s", threshold=3.0, points=points),
        key="i/1/chart",
        oldest=BEGAN,
    )
    workspace.fail(
        outage(method="upload"), dropped(done=True, method="files.completeUploadExternal")
    )
    _, failures = await until_posted(SlackCharts(api).post_chart, order)

    assert failures == [UNAVAILABLE, AMBIGUOUS]
    [reply] = workspace.thread(posted.ts)
    [file] = reply.files
    assert workspace.state.files[file["id"]].content.startswith(b"\x89PNG")
