"""What the Slack stand-in remembers."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, ConfigDict

BOT = "U0RESPONDER"


class Objection(Exception):
    """A business error: HTTP 200, ok false, and a code."""

    def __init__(self, code: str, messages: list[str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []


class Channel(BaseModel):
    """One channel, and whether the bot may use it."""

    id: str
    name: str
    archived: bool = False
    member: bool = True
    people: list[str] = []


class Version(BaseModel):
    """What a message showed until it was changed."""

    at: float
    text: str
    blocks: list[dict[str, Any]]


class File(BaseModel):
    """One uploaded file."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    id: str
    name: str
    length: int
    title: str = ""
    content: bytes = b""

    def shown(self) -> dict[str, Any]:
        """Describe it as a message does."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "size": self.length,
            "url_private": f"/files/{self.id}",
        }


class Message(BaseModel):
    """One message, as it stands and as it stood."""

    channel: str
    ts: str
    thread_ts: str | None = None
    user: str
    text: str
    blocks: list[dict[str, Any]] = []
    metadata: dict[str, Any] | None = None
    files: list[dict[str, Any]] = []
    broadcast: bool = False
    deleted: bool = False
    history: list[Version] = []

    @property
    def key(self) -> str:
        """Our own idempotency key, where the metadata has one."""
        payload = (self.metadata or {}).get("event_payload", {})
        return str(payload.get("key", ""))

    def shown(self, *, metadata: bool) -> dict[str, Any]:
        """Give the message as the reading methods do."""
        said: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
            "blocks": self.blocks,
        }
        if self.thread_ts is not None:
            said["thread_ts"] = self.thread_ts
        if self.files:
            said["files"] = self.files
        if metadata and self.metadata:
            said["metadata"] = self.metadata
        return said


class Whisper(BaseModel):
    """A message that one person alone sees, for as long as they look."""

    channel: str
    user: str
    thread_ts: str | None = None
    text: str = ""
    blocks: list[dict[str, Any]] = []


class Window(BaseModel):
    """A window in front of a person."""

    id: str
    user: str
    view: dict[str, Any]
    open: bool = True


class State(BaseModel):
    """The workspace."""

    channels: dict[str, Channel] = {}
    messages: list[Message] = []
    files: dict[str, File] = {}
    whispers: list[Whisper] = []
    windows: list[Window] = []
    triggers: dict[str, str] = {}
    """What a window can be opened with, and by whom it was made."""
    answers: dict[str, tuple[str, str]] = {}
    """Tickets of the addresses that answers go to: channel and user."""

    def whisper(self, channel: str, user: str, said: dict[str, Any]) -> None:
        """Show *said* to one person."""
        self.whispers.append(
            Whisper(
                channel=channel,
                user=user,
                thread_ts=said.get("thread_ts"),
                text=str(said.get("text", "")),
                blocks=said.get("blocks") or [],
            )
        )

    def told(self, user: str) -> list[str]:
        """List what one person was told alone, in channels and directly."""
        direct = [each.text for each in self.standing(f"D{user[1:]}")]
        return [*(each.text for each in self.whispers if each.user == user), *direct]

    def standing(self, channel: str) -> list[Message]:
        """List what stands in a channel (by name or id), threads included, oldest first."""
        named = (each.id for each in self.channels.values() if each.name == channel)
        wanted = next(named, channel)
        return [each for each in self.messages if each.channel == wanted and not each.deleted]

    def thread(self, ts: str) -> list[Message]:
        """List the replies to a message."""
        return [each for each in self.messages if each.thread_ts == ts and not each.deleted]

    def next_ts(self) -> str:
        """Make the name of the next message: the time, and never the same twice."""
        newest = max((int(each.ts.replace(".", "")) for each in self.messages), default=0)
        micros = max(time.time_ns() // 1_000, newest + 1)
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
