"""One key of Cloudflare's key-value store, which knows no transactions."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from activities.errors import Unavailable
from activities.web import Answered, Web

CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4"
_NOT_FOUND = 404
_NO_KEY = 10009
_SYSTEM = "Cloudflare"


@dataclass(frozen=True)
class Place:
    """Where the key is."""

    account: str
    namespace: str
    key: str
    url: str = CLOUDFLARE_URL


class Cell:
    """The value of one key."""

    def __init__(
        self, http: httpx.AsyncClient, place: Place, token: SecretStr, *, seconds: float = 10.0
    ) -> None:
        secret = token.get_secret_value()
        self._web = Web(http, _SYSTEM, secrets=(secret,), seconds=seconds, most_bytes=256 * 1024)
        self._headers = {"Authorization": f"Bearer {secret}"}
        path = f"accounts/{place.account}/storage/kv/namespaces/{place.namespace}"
        self._url = f"{place.url}/{path}/values/{place.key}"

    async def get(self) -> bytes | None:
        """Read the value; None where there is none."""
        answer = await self._web.ask("GET", self._url, headers=self._headers)
        if answer.status == _NOT_FOUND and _is_no_key(answer):
            return None
        if answer.status != 200:
            raise self._web.refused(answer, _said(answer))
        if answer.cut:
            raise Unavailable("Cloudflare's value is larger than it may be")
        return answer.body

    async def put(self, value: bytes) -> None:
        """Write the value; the same value twice is the same state."""
        headers = {**self._headers, "Content-Type": "application/octet-stream"}
        self._written(await self._web.ask("PUT", self._url, headers=headers, content=value))

    def _written(self, answer: Answered) -> None:
        if answer.status != 200:
            raise self._web.refused(answer, _said(answer))
        # 200 and "success": false is a refusal all the same.
        if answer.json(_SYSTEM).get("success") is not True:
            raise Unavailable(f"Cloudflare did not write: {_said(answer) or 'it did not say why'}")


def _is_no_key(answer: Answered) -> bool:
    """Tell a key that is not there from an account or a namespace that is not."""
    return any(
        code == _NO_KEY or "key not found" in message.lower() for code, message in _errors(answer)
    )


def _said(answer: Answered) -> str:
    return "; ".join(f"{message} ({code})" for code, message in _errors(answer))


def _errors(answer: Answered) -> list[tuple[object, str]]:
    try:
        errors = answer.json(_SYSTEM).get("errors")
    except Unavailable:
        return []
    listed = errors if isinstance(errors, list) else []
    return [
        (each.get("code"), str(each.get("message", "")))
        for each in listed
        if isinstance(each, dict)
    ]
