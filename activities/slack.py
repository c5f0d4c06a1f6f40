"""Posts and updates what people read in Slack.

Slack has no idempotency key, so every post carries ours in its metadata. After an attempt whose end
is not known, the channel is read back from the start of the incident: a message with the key is
adopted instead of posted again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime
from temporalio import activity

from activities.blocks import Rendered, render_entry, render_glance
from activities.errors import Ambiguous, Gone, NotConfigured
from activities.messages import Entry, Glance
from activities.mrkdwn import clip
from activities.slack_api import SlackApi
from activities.slack_errors import GONE_ERRORS, PAYLOAD_ERRORS, SlackRefused
from activities.slack_history import Message, Posted, find, keyed, metadata
from activities.words import Order

_SLACK = "Slack"
_MOST_PLAIN = 3_000
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,30}")


class PostRoot(Order):
    """Post the root message of an incident."""

    glance: Glance
    oldest: AwareDatetime
    """When the incident began: nothing of it was posted earlier."""
    read_back: bool = False
    """True when an earlier order to post the same may have got through."""
    channel_id: str = ""
    """The incident's own channel; empty is the one of the glance's role."""


class UpdateRoot(Order):
    """Bring a root message up to date."""

    channel_id: str
    ts: str
    glance: Glance


class PostEntry(Order):
    """Add an entry to an incident's thread."""

    channel_id: str
    thread_ts: str
    entry: Entry
    oldest: AwareDatetime
    read_back: bool = False


class Announce(Order):
    """Say something in a channel, outside of any thread."""

    channel: str
    """The role of a channel ("incidents"), not its name."""
    entry: Entry
    oldest: AwareDatetime
    read_back: bool = False


class UpdateEntry(Order):
    """Bring an entry of an incident's thread up to date."""

    channel_id: str
    ts: str
    entry: Entry


class Slack:
    """One workspace; *channels* maps a role ("incidents") to a channel's id."""

    def __init__(self, api: SlackApi | None, channels: Mapping[str, str]) -> None:
        for role, channel in channels.items():
            # Slack posts to a name but reads back by id alone.
            if not _CHANNEL_ID.fullmatch(channel):
                message = f"channel {role!r}: write the id (C…) of {channel!r}, not its name"
                raise ValueError(message)
        self._api = api
        self._channels = dict(channels)

    @activity.defn(name="slack.post_root")
    async def post_root(self, order: PostRoot) -> Posted:
        """Post the root message, or find the one that an earlier attempt posted."""
        api, glance = self._ready(), order.glance
        channel = order.channel_id or self._named(glance.channel)
        body = {"channel": channel, "metadata": metadata(glance.key)}
        return await _post_once(
            api, body, render_glance(glance), oldest=order.oldest, read_back=order.read_back
        )

    @activity.defn(name="slack.update_root")
    async def update_root(self, order: UpdateRoot) -> Posted:
        """Replace what the root message shows; `Gone` when it is not there any more."""
        return await _update(self._ready(), order, render_glance(order.glance))

    @activity.defn(name="slack.update_entry")
    async def update_entry(self, order: UpdateEntry) -> Posted:
        """Replace what an entry shows; `Gone` when it is not there any more."""
        return await _update(self._ready(), order, render_entry(order.entry))

    @activity.defn(name="slack.post_entry")
    async def post_entry(self, order: PostEntry) -> Posted:
        """Add an entry to the thread, or find the one that an earlier attempt added."""
        api, entry = self._ready(), order.entry
        body: dict[str, Any] = {
            "channel": order.channel_id,
            "thread_ts": order.thread_ts,
            "metadata": metadata(entry.key),
        }
        if entry.broadcast:
            body["reply_broadcast"] = True
        return await _post_once(
            api, body, render_entry(entry), oldest=order.oldest, read_back=order.read_back
        )

    @activity.defn(name="slack.announce")
    async def announce(self, order: Announce) -> Posted:
        """Post an entry of its own into a channel, or find the one that was posted."""
        api, entry = self._ready(), order.entry
        body = {"channel": self._named(order.channel), "metadata": metadata(entry.key)}
        return await _post_once(
            api, body, render_entry(entry), oldest=order.oldest, read_back=order.read_back
        )

    def _named(self, role: str) -> str:
        channel = self._channels.get(role)
        if channel is None:
            raise NotConfigured(_SLACK, f"the id of the channel for {role!r}")
        return channel

    def _ready(self) -> SlackApi:
        if self._api is None:
            raise NotConfigured(_SLACK, "its bot token")
        return self._api


async def _post_once(
    api: SlackApi, body: Message, rendered: Rendered, *, oldest: datetime, read_back: bool
) -> Posted:
    """Post unless a message with the same key stands there already."""
    channel, note = str(body["channel"]), ""
    if read_back or activity.info().attempt > 1:
        found, note = await find(
            api, channel, body.get("thread_ts"), oldest=oldest, same=keyed(body["metadata"])
        )
        if found is not None:
            return Posted(channel_id=channel, ts=str(found["ts"]))
    try:
        answer = await _post(api, {**body, **_rich(rendered)})
    except SlackRefused as refused:
        if refused.code not in PAYLOAD_ERRORS:
            raise
        # A refusal of the payload is certain: nothing was posted, so posting again is no second.
        plain = {**body, "text": clip(rendered.text, _MOST_PLAIN, escape=False)}
        if "metadata" in refused.code:
            del plain["metadata"]
        answer = await _post(api, plain)
        note = f"{note} {_shortened(refused)}".strip()
    return Posted(channel_id=answer["channel"], ts=answer["ts"], said=note)


async def _update(api: SlackApi, order: UpdateRoot | UpdateEntry, rendered: Rendered) -> Posted:
    """Replace what a message shows; done twice it is the same."""
    body = {"channel": order.channel_id, "ts": order.ts}
    try:
        await api.call("chat.update", {**body, **_rich(rendered)}, changes=True)
    except SlackRefused as refused:
        if refused.code not in PAYLOAD_ERRORS:
            raise
        # Without an empty list of blocks Slack would keep showing the old ones.
        plain = {**body, "text": clip(rendered.text, _MOST_PLAIN, escape=False), "blocks": []}
        await api.call("chat.update", plain, changes=True)
        return _posted(order, _shortened(refused))
    return _posted(order, "")


async def _post(api: SlackApi, body: Message) -> Message:
    quiet = {"unfurl_links": False, "unfurl_media": False}
    try:
        answer = await api.call("chat.postMessage", {**body, **quiet}, posts=True)
    except SlackRefused as refused:
        if "thread_ts" in body and refused.code in GONE_ERRORS:
            raise Gone(f"{refused}; the thread cannot take entries any more") from None
        raise
    if not answer.get("ts") or not answer.get("channel"):
        raise Ambiguous("Slack chat.postMessage: ok, but without saying where the message stands")
    return answer


def _rich(rendered: Rendered) -> Message:
    return {"text": rendered.text, "blocks": rendered.blocks}


def _shortened(refused: SlackRefused) -> str:
    return f"Shown as short plain text, because Slack said {refused.code}."


def _posted(order: UpdateRoot | UpdateEntry, note: str) -> Posted:
    return Posted(channel_id=order.channel_id, ts=order.ts, said=note)
