"""What people do in the Slack stand-in: each act as the request that Slack makes of it."""

from __future__ import annotations

import time
import uuid
from itertools import count
from typing import Any

from deploy.gameday.standins.slack_door import Answered, Way
from deploy.gameday.standins.slack_state import Message, State, Window

TEAM = {"id": "T0PRAVADO", "domain": "pravado"}
APP = "A0RESPONDER"
_REPEATS = 3
"""Times that an event is sent again when nobody took it."""
_numbers = count(1)


class PeopleOfSlack:
    """The people of a workspace; *url* is where answers to them may be sent."""

    def __init__(self, state: State, way: Way, url: str) -> None:
        self._state = state
        self._way = way
        self._url = url

    async def press(self, message: Message, action: str, user: str, *, times: int = 1) -> Answered:
        """Press a button; *times* delivers the one press more than once, as Slack may."""
        found = [each for each in _buttons(message) if each["action_id"] == action]
        if not found:
            raise LookupError(f"no button {action!r} on {message.ts}")
        payload = self._pressed(message, found[0], user)
        for _ in range(times - 1):
            await self._way.interaction(payload)
        return await self._way.interaction(payload)

    async def command(self, text: str, user: str, channel: str) -> Answered:
        """Write a slash command."""
        name = self._state.channels[channel].name
        answered = await self._way.command(
            {
                "token": "deprecated",
                "team_id": TEAM["id"],
                "team_domain": TEAM["domain"],
                "channel_id": channel,
                "channel_name": name,
                "user_id": user,
                "user_name": user.lower(),
                "command": "/incident",
                "text": text,
                "response_url": self._answer_url(channel, user),
                "trigger_id": self._trigger(user),
                "api_app_id": APP,
                "is_enterprise_install": "false",
            }
        )
        if answered.body.get("text"):
            self._state.whisper(channel, user, answered.body)
        return answered

    async def submit(self, window: Window, reason: str | None) -> Answered:
        """Fill in a window and send it."""
        answered = await self._way.interaction(
            {
                "type": "view_submission",
                "team": TEAM,
                "user": _user(window.user),
                "api_app_id": APP,
                "token": "deprecated",
                "trigger_id": self._trigger(window.user),
                "view": {
                    "id": window.id,
                    "team_id": TEAM["id"],
                    "type": "modal",
                    **{
                        name: window.view.get(name, "")
                        for name in ("callback_id", "private_metadata", "blocks")
                    },
                    "state": {
                        "values": {
                            "reason": {"reason": {"type": "plain_text_input", "value": reason}}
                        }
                    },
                },
                "response_urls": [],
                "is_enterprise_install": False,
                "enterprise": None,
            }
        )
        window.open = answered.body.get("response_action") == "errors" or not answered.taken
        return answered

    async def say(
        self, message: Message, *, event: str = "", fields: dict[str, Any] | None = None
    ) -> Answered:
        """Tell the responder of a message that stands there now, until it takes it."""
        payload = {
            "token": "deprecated",
            "team_id": TEAM["id"],
            "api_app_id": APP,
            "event": {
                "type": "message",
                "channel": message.channel,
                "user": message.user,
                "text": message.text,
                "ts": message.ts,
                "event_ts": message.ts,
                "channel_type": "channel",
                "team": TEAM["id"],
                **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
                **(fields or {}),
            },
            "type": "event_callback",
            "event_id": event or f"Ev{uuid.uuid4().hex[:9].upper()}",
            "event_time": int(time.time()),
            "authorizations": [],
        }
        answered = Answered(status=0)
        for tries in range(1 + _REPEATS):
            answered = await self._way.event(payload, tries)
            if answered.taken:
                break
        return answered

    def _pressed(self, message: Message, button: dict[str, Any], user: str) -> dict[str, Any]:
        container: dict[str, Any] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": False,
        }
        if message.thread_ts is not None:
            container["thread_ts"] = message.thread_ts
        return {
            "type": "block_actions",
            "user": _user(user),
            "api_app_id": APP,
            "token": "deprecated",
            "container": container,
            "trigger_id": self._trigger(user),
            "team": TEAM,
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {
                "id": message.channel,
                "name": self._state.channels[message.channel].name,
            },
            "message": message.shown(metadata=True),
            "state": {"values": {}},
            "response_url": self._answer_url(message.channel, user),
            "actions": [
                {
                    "type": "button",
                    "action_id": button["action_id"],
                    "block_id": button["block_id"],
                    "text": button["text"],
                    "value": button.get("value", ""),
                    "action_ts": f"{time.time():.6f}",
                }
            ],
        }

    def _trigger(self, user: str) -> str:
        trigger = f"{time.time_ns() // 1_000_000}.{next(_numbers)}.{uuid.uuid4().hex}"
        self._state.triggers[trigger] = user
        return trigger

    def _answer_url(self, channel: str, user: str) -> str:
        ticket = uuid.uuid4().hex
        self._state.answers[ticket] = (channel, user)
        return f"{self._url}/actions/{TEAM['id']}/{ticket}"


def _buttons(message: Message) -> list[dict[str, Any]]:
    return [
        {**element, "block_id": block.get("block_id", f"b{place}")}
        for place, block in enumerate(message.blocks)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def _user(user: str) -> dict[str, Any]:
    name = user.lower()
    return {"id": user, "username": name, "name": name, "team_id": TEAM["id"]}
