"""One HTTP request, bounded in time and in size, which fails in our own words."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from activities.errors import Ambiguous, Failed, Unavailable, from_status
from activities.redaction import READ, beginning

_MOST_BYTES = 4 * 1024 * 1024
_SAID = 300


class NoName(Unavailable):
    """Its name cannot be resolved: there is none, or it is we who cannot ask for it."""


@dataclass(frozen=True)
class Answered:
    """What came back: a status, and no more of the body than was wanted."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is marked."""
        return self.body.decode(errors="replace")

    def json(self, system: str) -> dict[str, Any]:
        """Read an object; a page of HTML, or half an answer, is none."""
        found = self._parsed()
        if not isinstance(found, dict):
            raise Unavailable(f"{system} answered {self.status}, but not with the JSON it should")
        return found

    def listed(self, system: str) -> list[dict[str, Any]]:
        """Read a list of objects; anything else is none."""
        found = self._parsed()
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Unavailable(f"{system} answered {self.status}, but not with the list it should")
        return found

    def _parsed(self) -> Any:
        try:
            return None if self.cut else json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Web:
    """Asks one system; its secrets are shown to it, and never quoted."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        system: str,
        *,
        secrets: tuple[str, ...] = (),
        seconds: float = 10.0,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._http = http
        self.system = system
        self._secrets = secrets
        self._seconds = seconds
        self._most = most_bytes

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        writes: bool = False,
    ) -> Answered:
        """Ask once, following no redirection; any status is an answer.

        Args:
            method: GET, HEAD, POST and so on.
            url: The whole address.
            headers: What is sent beside it.
            params: The query.
            content: The body.
            writes: Whether doing it twice would show: a lost answer is then `Ambiguous`.
        """
        lost: type[Failed] = Ambiguous if writes else Unavailable
        try:
            async with (
                asyncio.timeout(self._seconds),  # httpx counts each read by itself
                self._http.stream(
                    method,
                    url,
                    headers=headers,
                    params=params,
                    content=content,
                    timeout=self._seconds,
                    follow_redirects=False,
                ) as answer,
            ):
                body, cut = await self._some(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            # Nothing was sent.
            cause = _root(error)
            kind = NoName if isinstance(cause, socket.gaierror) else Unavailable
            raise kind(self._unreached(cause)) from None
        except (httpx.TimeoutException, TimeoutError):
            raise lost(f"{self.system} did not answer within {self._seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not its text, and not chained: it holds the request, and that our credentials.
            raise lost(self._unreached(_root(error))) from None
        return Answered(answer.status_code, answer.headers, body, cut)

    def refused(self, answer: Answered, said: str = "", *, writes: bool = False) -> Failed:
        """Classify an answer that is no success; *said* is the reason that it gives, if any."""
        quoted = self.quoted(said)
        return from_status(self.system, answer.status, quoted, answer.headers, writes=writes)

    def quoted(self, said: str) -> str:
        """Give the beginning of what the far side said, without credentials."""
        return beginning(said, _SAID, *self._secrets, cut=len(said) > READ)

    async def _some(self, answer: httpx.Response) -> tuple[bytes, bool]:
        kept = bytearray()
        async for piece in answer.aiter_bytes():
            kept += piece
            if len(kept) > self._most:
                return bytes(kept[: self._most]), True
        return bytes(kept), False

    def _unreached(self, cause: BaseException) -> str:
        kinds: dict[type[BaseException], str] = {
            socket.gaierror: "its name cannot be resolved",
            ssl.SSLError: "its certificate is not accepted",
            ConnectionRefusedError: "it refuses the connection",
        }
        why = next((said for kind, said in kinds.items() if isinstance(cause, kind)), "")
        return f"{self.system} cannot be reached ({why or type(cause).__name__})"


def _root(error: BaseException) -> BaseException:
    """Find what the libraries between wrapped."""
    while True:
        inner = error.__cause__ or error.__context__
        if isinstance(error, BaseExceptionGroup):  # one for each address of the name
            inner = error.exceptions[0]
        if inner is None:
            return error
        error = inner
