"""What each method of Slack's web API does to the stand-in's workspace, and what it objects to."""

from __future__ import annotations

import time
from typing import Any

from deploy.gameday.standins.slack_rooms import Rooms
from deploy.gameday.standins.slack_rules import (
    MOST_TEXT_POST,
    MOST_TEXT_UPDATE,
    wrong_blocks,
    wrong_metadata,
    wrong_view,
)
from deploy.gameday.standins.slack_state import (
    BOT,
    Channel,
    File,
    Message,
    Objection,
    State,
    Version,
    Window,
)

TRIGGER_SECONDS = 3.0

Body = dict[str, Any]


class Workspace:
    """The methods, over what is remembered; *url* is where files are uploaded to."""

    def __init__(self, state: State, url: str) -> None:
        self.state = state
        self._url = url
        self._rooms = Rooms(state, BOT)
        self._methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._whisper,
            "views.open": self._open,
            "conversations.create": self._rooms.create,
            "conversations.info": self._info,
            "conversations.invite": self._rooms.invite,
            "conversations.join": self._rooms.join,
            "conversations.list": self._rooms.every,
            "usergroups.users.list": self._rooms.members,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.getUploadURLExternal": self._ticket,
            "files.completeUploadExternal": self._complete,
        }

    def answer(self, method: str, body: Body) -> Body:
        """Carry out *method*, or object."""
        if method not in self._methods:
            raise Objection("unknown_method")
        return self._methods[method](body)

    def _channel(self, body: Body, *, writes: bool) -> Channel:
        named = str(body.get("channel") or body.get("channel_id") or "")
        # Posting takes a name too; reading and changing take an id alone.
        by_name = {f"#{each.name}": each for each in self.state.channels.values()}
        if writes and named.startswith("U"):
            # To a person: their direct messages, opened as they are needed.
            named = f"D{named[1:]}"
            self.state.channels.setdefault(named, Channel(id=named, name=f"direct-{named}"))
        channel = self.state.channels.get(named) or (by_name.get(named) if writes else None)
        if channel is None:
            raise Objection("channel_not_found")
        if not channel.member:
            raise Objection("not_in_channel")
        if writes and channel.archived:
            raise Objection("is_archived")
        return channel

    def _standing(self, channel: str, ts: object) -> Message | None:
        found = (each for each in self.state.messages if (each.channel, each.ts) == (channel, ts))
        return next((each for each in found if not each.deleted), None)

    def _auth_test(self, _: Body) -> Body:
        return {
            "user_id": BOT,
            "bot_id": "B0RESPONDER",
            "user": "responder",
            "team": "Pravado",
            "team_id": "T0PRAVADO",
        }

    def _post(self, body: Body) -> Body:
        channel = self._channel(body, writes=True)
        text, blocks = _content(body)
        if not text and not blocks:
            raise Objection("no_text")
        if "metadata" in body and (wrong := wrong_metadata(body["metadata"])):
            raise Objection(wrong)
        thread = body.get("thread_ts")
        if thread is not None:
            root = self._standing(channel.id, thread)
            if root is None or root.thread_ts is not None:
                raise Objection("thread_not_found")
        message = Message(
            channel=channel.id,
            ts=self.state.next_ts(),
            thread_ts=thread,
            user=BOT,
            text=text[:MOST_TEXT_POST],
            blocks=blocks or [],
            metadata=body.get("metadata"),
            broadcast=thread is not None and body.get("reply_broadcast") in {True, "true"},
        )
        self.state.messages.append(message)
        return {"channel": channel.id, "ts": message.ts, "message": message.shown(metadata=True)}

    def _update(self, body: Body) -> Body:
        channel = self._channel(body, writes=False)
        if channel.archived:
            raise Objection("is_inactive")
        message = self._standing(channel.id, body.get("ts"))
        if message is None:
            raise Objection("message_not_found")
        text, blocks = _content(body)
        if len(text) > MOST_TEXT_UPDATE:
            raise Objection("msg_too_long")
        if not text and not blocks:
            raise Objection("no_text")
        if "metadata" in body and (wrong := wrong_metadata(body["metadata"])):
            raise Objection(wrong)
        message.history.append(Version(at=time.time(), text=message.text, blocks=message.blocks))
        message.text = text
        message.blocks = message.blocks if blocks is None else blocks
        message.metadata = body.get("metadata", message.metadata)
        return {"channel": channel.id, "ts": message.ts, "text": text}

    def _delete(self, body: Body) -> Body:
        channel = self._channel(body, writes=False)
        message = self._standing(channel.id, body.get("ts"))
        if message is None:
            raise Objection("message_not_found")
        message.deleted = True
        return {"channel": channel.id, "ts": message.ts}

    def _whisper(self, body: Body) -> Body:
        channel = self._channel(body, writes=True)
        user, (text, blocks) = str(body.get("user", "")), _content(body)
        if not user.startswith("U"):
            raise Objection("user_not_found")
        if not text and not blocks:
            raise Objection("no_text")
        thread = body.get("thread_ts")
        if thread is not None and self._standing(channel.id, thread) is None:
            raise Objection("thread_not_found")
        self.state.whisper(channel.id, user, body)
        return {"message_ts": self.state.next_ts()}

    def _open(self, body: Body) -> Body:
        trigger, view = str(body.get("trigger_id", "")), body.get("view")
        # Once, and by whoever made it.
        user = self.state.triggers.pop(trigger, None)
        if user is None:
            raise Objection("invalid_trigger_id" if trigger else "invalid_arguments")
        if time.time() - float(trigger.partition(".")[0]) / 1_000 > TRIGGER_SECONDS:
            raise Objection("expired_trigger_id")
        if not isinstance(view, dict):
            raise Objection("invalid_arguments")
        if wrong := wrong_view(view):
            raise Objection("invalid_arguments", [wrong])
        window = Window(id=f"V{len(self.state.windows):08d}", user=user, view=view)
        self.state.windows.append(window)
        return {"view": {**view, "id": window.id}}

    def _info(self, body: Body) -> Body:
        # Who is not in a public channel sees it all the same.
        channel = self.state.channels.get(str(body.get("channel") or ""))
        if channel is None:
            raise Objection("channel_not_found")
        return {
            "channel": {
                "id": channel.id,
                "name": channel.name,
                "is_archived": channel.archived,
                "is_member": channel.member,
            }
        }

    def _history(self, body: Body) -> Body:
        channel = self._channel(body, writes=False)
        found = [
            each for each in self.state.standing(channel.id) if not each.thread_ts or each.broadcast
        ]
        return _paged(found[::-1], body)

    def _replies(self, body: Body) -> Body:
        channel = self._channel(body, writes=False)
        root = self._standing(channel.id, body.get("ts"))
        if root is None:
            raise Objection("thread_not_found")
        return _paged([root, *self.state.thread(root.ts)], body)

    def _ticket(self, body: Body) -> Body:
        length = str(body.get("length", ""))
        if not body.get("filename") or not length.isdigit() or int(length) == 0:
            raise Objection("invalid_arguments")
        if len(str(body.get("alt_txt", ""))) > 1_000:
            raise Objection("alt_txt_too_large")
        file = File(id=f"F{len(self.state.files):08d}", name=body["filename"], length=int(length))
        self.state.files[file.id] = file
        return {"upload_url": f"{self._url}/upload/{file.id}", "file_id": file.id}

    def _complete(self, body: Body) -> Body:
        channel = self._channel(body, writes=True)
        asked = body.get("files")
        files = [self.state.files.get(str(each.get("id"))) for each in asked or []]
        ready = [file for file in files if file is not None and len(file.content) == file.length]
        if not ready or len(ready) != len(files):
            raise Objection("file_not_found")
        thread = body.get("thread_ts")
        if thread is not None and self._standing(channel.id, thread) is None:
            raise Objection("thread_not_found")
        for file, named in zip(ready, asked or [], strict=True):
            file.title = str(named.get("title", file.name))
        self.state.messages.append(
            Message(
                channel=channel.id,
                ts=self.state.next_ts(),
                thread_ts=thread,
                user=BOT,
                text=str(body.get("initial_comment", "")),
                files=[file.shown() for file in ready],
            )
        )
        return {"files": [file.shown() for file in ready]}


def _content(body: Body) -> tuple[str, list[Body] | None]:
    blocks = body.get("blocks")
    if blocks is not None and (wrong := wrong_blocks(blocks)):
        raise Objection(*wrong)
    return str(body.get("text") or ""), blocks


def _paged(found: list[Message], body: Body) -> Body:
    oldest, inclusive = float(body.get("oldest") or 0), body.get("inclusive") == "true"
    kept = [
        each
        for each in found
        if float(each.ts) > oldest or (inclusive and float(each.ts) == oldest)
    ]
    limit = min(int(body.get("limit") or 100), 999)
    start = int(body.get("cursor") or 0)
    metadata = body.get("include_all_metadata") == "true"
    more = start + limit < len(kept)
    return {
        "messages": [each.shown(metadata=metadata) for each in kept[start : start + limit]],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + limit) if more else ""},
    }
