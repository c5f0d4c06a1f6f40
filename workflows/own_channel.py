"""A Slack channel of the incident's own: opened before its root, announced where all look."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.messages import Entry, Link, Part
from activities.outbox import Unsent
from activities.slack import Announce, Slack
from activities.slack_channels import OpenChannel, SlackChannels
from workflows.case import Case, why
from workflows.efforts import MESSAGE, said

ANNOUNCEMENT = "announcement"
_OPEN = "https://slack.com/app_redirect?channel="


async def open_channel(case: Case) -> None:
    """Open the channel; where that does not work, the incident goes where all do."""
    record, channel = case.record, case.record.slack
    on_call = case.policy.mentions.get(case.level_name(0), "")
    try:
        opened = await workflow.execute_activity_method(
            SlackChannels.open_channel,
            OpenChannel(incident=record.id, run=record.run, invite=(on_call,) if on_call else ()),
            **said(MESSAGE, "Open a channel for the incident"),
        )
    except ActivityError as error:
        case.note("problem", f"there is no channel of its own: {why(error)}")
        return
    channel.own = opened.channel_id
    if opened.said:
        case.note("problem", opened.said)
    record.entries += 1
    key = case.key(f"{ANNOUNCEMENT}-{record.entries}")
    payload = {"channel": opened.channel_id, "name": opened.name}
    channel.unsent.insert(
        0, Unsent(key=key, kind=ANNOUNCEMENT, payload=payload, queued_at=case.now)
    )


async def announce(case: Case, message: Unsent, *, again: bool) -> None:
    """Say in the common channel where the incident is worked on."""
    record, name = case.record, message.payload["name"]
    entry = Entry(
        key=message.key,
        title=f"{record.severity.value.upper()}: {record.title} on {record.service}",
        parts=(Part(text=f"Has a channel of its own: #{name}"),),
        links=(Link(text=f"#{name}", url=f"{_OPEN}{message.payload['channel']}"),),
    )
    await workflow.execute_activity_method(
        Slack.announce,
        Announce(channel="incidents", entry=entry, oldest=record.opened_at, read_back=again),
        **said(MESSAGE, "Say in Slack where the incident is worked on"),
    )
