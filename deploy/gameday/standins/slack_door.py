"""Sends what people press, write and command to the responder's door, signed as Slack signs it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

PATIENCE_SECONDS = 3.0
"""Slack waits no longer for an answer."""


@dataclass(frozen=True)
class Answered:
    """How the responder answered: status, and what it said."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def taken(self) -> bool:
        """Whether it took what was sent."""
        return 200 <= self.status < 300


class Way(ABC):
    """A way by which requests go to the responder."""

    @abstractmethod
    async def interaction(self, payload: Mapping[str, Any]) -> Answered:
        """Send a press, or a window that was filled in."""

    @abstractmethod
    async def command(self, fields: Mapping[str, str]) -> Answered:
        """Send a slash command."""

    @abstractmethod
    async def event(self, payload: Mapping[str, Any], tries: int) -> Answered:
        """Send an event; *tries* came before this one."""


@dataclass(frozen=True)
class Door(Way):
    """By HTTP: where requests go, and the secret that they are signed with."""

    url: str
    signing_secret: str = field(repr=False)

    async def interaction(self, payload: Mapping[str, Any]) -> Answered:
        """Send a press, or a window that was filled in."""
        return await self._form({"payload": json.dumps(payload)})

    async def command(self, fields: Mapping[str, str]) -> Answered:
        """Send a slash command."""
        return await self._form(fields)

    async def event(self, payload: Mapping[str, Any], tries: int) -> Answered:
        """Send an event; *tries* came before this one."""
        again = {"x-slack-retry-num": str(tries), "x-slack-retry-reason": "http_error"}
        headers = {"content-type": "application/json", **(again if tries else {})}
        return await self.send(json.dumps(payload).encode(), headers)

    async def send(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send *body*, signed."""
        stamp = str(int(time.time()))
        signed = b"v0:" + stamp.encode() + b":" + body
        digest = hmac.new(self.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
        signature = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
                answer = await client.post(self.url, content=body, headers={**headers, **signature})
        except httpx.HTTPError:
            return Answered(status=0)
        try:
            said = answer.json()
        except ValueError:
            said = {}
        return Answered(answer.status_code, said if isinstance(said, dict) else {})

    async def _form(self, fields: Mapping[str, str]) -> Answered:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.send(urlencode(fields).encode(), headers)
