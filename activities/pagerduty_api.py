"""PagerDuty's REST API: one request, and an answer or a refusal in our own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr, ValidationError

from activities.errors import Failed, Throttled, Unavailable, retry_after
from activities.web import Answered, Web
from activities.words import Answer

PAGERDUTY_API = "https://api.pagerduty.com"
_Model = TypeVar("_Model", bound=Answer)


class PagerDutyApi:
    """Asks with one key; the key may be one that may only read."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: SecretStr,
        *,
        url: str = PAGERDUTY_API,
        seconds: float,
    ) -> None:
        secret = token.get_secret_value()
        self._web = Web(http, "PagerDuty", secrets=(secret,), seconds=seconds)
        self._headers = {
            "authorization": f"Token token={secret}",
            "accept": "application/vnd.pagerduty+json;version=2",
        }
        self._url = url.rstrip("/")
        self.system = self._web.system

    async def get(self, path: str) -> dict[str, Any]:
        """Give the object that stands at *path*."""
        answer = await self.ask("GET", path)
        if answer.status != 200:
            raise self.refused(answer)
        return answer.json(self.system)

    async def put(self, path: str, body: Mapping[str, Any], *, sender: str = "") -> Answered:
        """Set what is at *path* to *body*, in the name of the user whose address *sender* is.

        A refusal is an answer here: what it means depends on what was wanted.
        """
        headers = {"content-type": "application/json"} | ({"from": sender} if sender else {})
        content = json.dumps(body).encode()
        return await self.ask("PUT", path, headers=headers, content=content)

    def refused(self, answer: Answered) -> Failed:
        """Say why *answer* is no success."""
        return self._web.refused(answer, str(self.error(answer).get("message") or ""))

    def error(self, answer: Answered) -> dict[str, Any]:
        """Read what the answer says is wrong; nothing where it says nothing readable."""
        try:
            found = answer.json(self.system).get("error")
        except Unavailable:
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, model: type[_Model], raw: Any) -> _Model:
        """Read *raw* as *model*."""
        try:
            return model.model_validate(raw)
        except ValidationError:
            raise Unavailable(f"{self.system} answered in a shape that is not known") from None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answered:
        """Ask once; any status but of a busy or another server is an answer."""
        answer = await self._web.ask(
            method,
            f"{self._url}{path}",
            headers={**self._headers, **(headers or {})},
            content=content,
        )
        if answer.status == 429:
            wait = retry_after(answer.headers) or _reset(answer.headers)
            raise Throttled("PagerDuty answered 429: too many requests", wait=wait)
        if answer.status in range(201, 400):
            raise Unavailable(f"PagerDuty answered {answer.status} instead of 200")
        return answer


def _reset(headers: Mapping[str, str]) -> timedelta | None:
    """Read ratelimit-reset, which is in seconds, and often missing."""
    raw = headers.get("ratelimit-reset", "")
    return timedelta(seconds=int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 6 else None
