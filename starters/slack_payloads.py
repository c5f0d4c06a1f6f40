"""What Slack sends, over HTTP and over Socket Mode alike, and what of it we listen to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from activities.messages import fitted

_MOST_ACT_ID = 200
_MOST_TEXT = 3_000
_MARKED = re.compile(r"<([^<>|]+)(?:\|[^<>]*)?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_BY_PEOPLE = frozenset({"", "thread_broadcast", "file_share"})
"""Subtypes of messages that a person has just written."""

Id = Annotated[str, StringConstraints(max_length=100, pattern=r"^[!-~]*$")]
"""Of Slack's making, and so without anything that a line of the log could be broken with."""
Text = Annotated[str, StringConstraints(max_length=40_000)]
Url = Annotated[str, StringConstraints(max_length=2_000)]


@dataclass(frozen=True)
class Whence:
    """Who it was, and where an answer can be put that only they see."""

    user: str
    team: str
    channel: str = ""
    thread: str = ""
    response_url: str = ""


@dataclass(frozen=True)
class Press:
    """A button that was pressed."""

    id: str
    whence: Whence
    action: str
    value: str
    trigger: str


@dataclass(frozen=True)
class Command:
    """A slash command, without its name."""

    id: str
    whence: Whence
    text: str


@dataclass(frozen=True)
class Submission:
    """A window that was filled in."""

    id: str
    whence: Whence
    window: str
    carried: str
    """What we had put into it when it was opened."""
    fields: dict[str, str]


@dataclass(frozen=True)
class Remark:
    """A message that a person wrote in a thread."""

    id: str
    whence: Whence
    text: str


@dataclass(frozen=True)
class Challenge:
    """Slack's question whether this is the address that it was given."""

    word: str


Received = Press | Command | Submission | Remark | Challenge


class _Sent(BaseModel):
    # Slack adds fields all the time: what is not known is not our business.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Named(_Sent):
    id: Id = ""


class _User(_Sent):
    id: Id = Field(min_length=1)
    team_id: Id = ""


class _Container(_Sent):
    message_ts: Id = ""
    channel_id: Id = ""
    thread_ts: Id = ""


class _Action(_Sent):
    action_id: Annotated[str, StringConstraints(max_length=255)]
    action_ts: Id = ""
    value: Annotated[str, StringConstraints(max_length=2_000)] = ""


class _Interaction(_Sent):
    user: _User
    team: _Named | None = None
    response_url: Url = ""

    def whence(self, container: _Container) -> Whence:
        return Whence(
            user=self.user.id,
            team=self.user.team_id or (self.team.id if self.team else ""),
            channel=container.channel_id,
            thread=container.thread_ts,
            response_url=self.response_url,
        )


class _BlockActions(_Interaction):
    type: Literal["block_actions"]
    container: _Container = _Container()
    trigger_id: Id = ""
    actions: tuple[_Action, ...] = Field(min_length=1, max_length=25)

    def received(self) -> Press:
        # One click is one action; more come only where several were changed before a button.
        pressed, at = self.actions[0], self.container
        once = (pressed.action_id, at.message_ts, self.user.id, pressed.action_ts)
        return Press(
            id=act_id("press", *once),
            whence=self.whence(at),
            action=pressed.action_id,
            value=pressed.value,
            trigger=self.trigger_id,
        )


class _Field(_Sent):
    value: Annotated[str, StringConstraints(max_length=3_000)] | None = None


class _State(_Sent):
    values: dict[str, dict[str, _Field]] = Field(default_factory=dict)


class _View(_Sent):
    id: Id = Field(min_length=1)
    callback_id: Annotated[str, StringConstraints(max_length=255)] = ""
    private_metadata: Annotated[str, StringConstraints(max_length=3_000)] = ""
    state: _State = _State()


class _ViewSubmission(_Interaction):
    type: Literal["view_submission"]
    view: _View

    def received(self) -> Submission:
        view = self.view
        blocks = view.state.values.items()
        return Submission(
            # A window is sent once; sent twice, it is the same.
            id=act_id("window", view.id),
            whence=self.whence(_Container()),
            window=view.callback_id,
            carried=view.private_metadata,
            fields={
                block: next((each.value or "" for each in fields.values()), "")
                for block, fields in blocks
            },
        )


class _SlashCommand(_Sent):
    command: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    text: Text = ""
    user_id: Id = Field(min_length=1)
    team_id: Id = ""
    channel_id: Id = ""
    trigger_id: Id = Field(min_length=1)
    response_url: Url = ""

    def received(self) -> Command:
        whence = Whence(self.user_id, self.team_id, self.channel_id, response_url=self.response_url)
        return Command(id=act_id("command", self.trigger_id), whence=whence, text=_plain(self.text))


class _Event(_Sent):
    type: Id
    subtype: Id = ""
    channel: Id | dict[str, Any] = ""
    user: Id | dict[str, Any] = ""
    team: Id | dict[str, Any] = ""
    bot_id: str | None = None
    text: Text = ""
    ts: Id = ""
    thread_ts: Id = ""


class _Callback(_Sent):
    type: Literal["event_callback"]
    team_id: Id = ""
    event: _Event

    def received(self) -> Remark | None:
        event = self.event
        spoken = event.type == "message" and event.subtype in _BY_PEOPLE and not event.bot_id
        replied = bool(event.thread_ts) and event.thread_ts != event.ts
        if not (spoken and replied and isinstance(event.user, str) and event.user):
            return None
        if not isinstance(event.channel, str) or not event.channel or not event.ts:
            return None
        team = event.team if isinstance(event.team, str) and event.team else self.team_id
        return Remark(
            # Of the message and not of the event: delivered by another event it is the same words.
            id=act_id("remark", event.channel, event.ts),
            whence=Whence(event.user, team, event.channel, event.thread_ts),
            text=_plain(event.text),
        )


class _Verification(_Sent):
    type: Literal["url_verification"]
    challenge: Annotated[str, StringConstraints(min_length=1, max_length=500)]

    def received(self) -> Challenge:
        return Challenge(self.challenge)


class _Kind(_Sent):
    type: str = ""


_KINDS: dict[str, type[_BlockActions | _ViewSubmission | _Callback | _Verification]] = {
    "block_actions": _BlockActions,
    "view_submission": _ViewSubmission,
    "event_callback": _Callback,
    "url_verification": _Verification,
}
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def from_json(text: str | bytes) -> Received | None:
    """Read an interaction or an event; None is nothing that anybody waits for.

    Raises:
        ValidationError: it is none, or not as Slack writes it.
    """
    return from_object(_OBJECT.validate_json(text))


def from_object(sent: dict[str, Any]) -> Received | None:
    """Do as `from_json`, with what has been read already."""
    kind = _KINDS.get(_Kind.model_validate(sent).type)
    return None if kind is None else kind.model_validate(sent).received()


def from_fields(fields: dict[str, Any]) -> Command:
    """Read a slash command."""
    return _SlashCommand.model_validate(fields).received()


def act_id(*parts: str) -> str:
    """Name an act by Slack's own ids: delivered twice it has the same name."""
    return fitted("-".join(("slack", *parts)), _MOST_ACT_ID)


def _plain(text: str) -> str:
    """Take Slack's markup out of what a person wrote: of a link its address is kept."""
    text = _MARKED.sub(r"\1", text)
    for entity, char in _ENTITIES:
        text = text.replace(entity, char)
    return text[:_MOST_TEXT]
