"""Cloudflare's API: an envelope around every answer, and two ways to say no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from activities.errors import Refused, Unavailable
from activities.web import Answered, Web

CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4"
_SYSTEM = "Cloudflare"


class CloudflareApi:
    """Calls the API of one account with one token, which reaches as far as its scopes do."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: SecretStr,
        *,
        url: str = CLOUDFLARE_URL,
        seconds: float = 10.0,
    ) -> None:
        secret = token.get_secret_value()
        self._web = Web(http, _SYSTEM, secrets=(secret,), seconds=seconds)
        self._headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}
        self._url = url.rstrip("/")

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Read a result."""
        return await self._result("GET", path, params)

    async def post(self, path: str) -> Any:
        """Order what makes the same state when it is ordered twice."""
        return await self._result("POST", path, None)

    async def _result(self, method: str, path: str, params: Mapping[str, str] | None) -> Any:
        answer = await self._web.ask(
            method, f"{self._url}/{path}", headers=self._headers, params=params
        )
        if not 200 <= answer.status < 300:
            raise self._web.refused(answer, complaint(answer))
        envelope = answer.json(_SYSTEM)
        # A status of success is not one yet.
        if envelope.get("success") is False:
            raise Refused(f"{_SYSTEM} refused: {self._web.quoted(complaint(answer))}")
        if envelope.get("success") is not True or "result" not in envelope:
            raise Unavailable(f"{_SYSTEM} answered {answer.status}, but not in its envelope")
        return envelope["result"]


def complaint(answer: Answered) -> str:
    """Read the errors of an envelope; a page of HTML has none worth repeating."""
    try:
        errors = answer.json(_SYSTEM).get("errors")
    except Unavailable:
        return ""
    listed = errors if isinstance(errors, list) else []
    return "; ".join(
        f"{each.get('message', '')} ({each.get('code', '?')})"
        for each in listed
        if isinstance(each, dict)
    )
