"""Sends what people press to the responder's door, signed as Slack signs it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from deploy.gameday.standins.slack_state import Message

TEAM = {"id": "T0PRAVADO", "domain": "pravado"}
APP = "A0RESPONDER"
_PATIENCE_SECONDS = 3.0
"""Slack waits no longer for an answer."""


@dataclass(frozen=True)
class Door:
    """Where interactions go, and the secret that they are signed with."""

    url: str
    signing_secret: str = field(repr=False)

    async def press(self, message: Message, channel: str, action: str, user: str) -> int:
        """Send the press of a button in *channel* (its name); give back the answer's status."""
        found = [each for each in _buttons(message) if each["action_id"] == action]
        if not found:
            raise LookupError(f"no button {action!r} on {message.ts}")
        body = urlencode(
            {"payload": json.dumps(_payload(message, channel, found[0], user))}
        ).encode()
        stamp = str(int(time.time()))
        signed = b"v0:" + stamp.encode() + b":" + body
        digest = hmac.new(self.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": f"v0={digest}",
        }
        async with httpx.AsyncClient(timeout=_PATIENCE_SECONDS) as client:
            answer = await client.post(self.url, content=body, headers=headers)
        return answer.status_code


def _buttons(message: Message) -> list[dict[str, Any]]:
    return [
        {**element, "block_id": block.get("block_id", f"b{place}")}
        for place, block in enumerate(message.blocks)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def _payload(message: Message, channel: str, button: dict[str, Any], user: str) -> dict[str, Any]:
    now = f"{time.time():.6f}"
    container: dict[str, Any] = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": False,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    name = user.lower()
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": TEAM["id"]},
        "api_app_id": APP,
        "token": "deprecated",
        "container": container,
        "trigger_id": f"{now}.{message.ts}",
        "team": TEAM,
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": message.channel, "name": channel},
        "message": message.shown(metadata=True),
        "state": {"values": {}},
        "actions": [
            {
                "type": "button",
                "action_id": button["action_id"],
                "block_id": button["block_id"],
                "text": button["text"],
                "value": button.get("value", ""),
                "action_ts": now,
            }
        ],
    }
