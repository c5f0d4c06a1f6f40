"""One key of Cloudflare's key-value store, which knows no transactions."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from activities.cloudflare import CLOUDFLARE_URL, complaint
from activities.errors import Unavailable
from activities.web import Answered, Web

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
            raise self._web.refused(answer, complaint(answer))
        if answer.cut:
            raise Unavailable("Cloudflare's value is larger than it may be")
        return answer.body

    async def put(self, value: bytes) -> None:
        """Write the value; the same value twice is the same state."""
        headers = {**self._headers, "Content-Type": "application/octet-stream"}
        self._written(await self._web.ask("PUT", self._url, headers=headers, content=value))

    def _written(self, answer: Answered) -> None:
        if answer.status != 200:
            raise self._web.refused(answer, complaint(answer))
        # 200 and "success": false is a refusal all the same.
        if answer.json(_SYSTEM).get("success") is not True:
            raise Unavailable(f"Cloudflare did not write: {complaint(answer)}")


def _is_no_key(answer: Answered) -> bool:
    """Tell a key that is not there from an account or a namespace that is not."""
    said = complaint(answer).lower()
    return f"({_NO_KEY})" in said or "key not found" in said
