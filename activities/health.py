"""Whether the platform's own health address answers."""

from __future__ import annotations

import asyncio

import httpx

_SECONDS = 3.0


class Health:
    """Asks one health address; 200 is healthy, all else is not."""

    def __init__(self, http: httpx.AsyncClient, url: str, *, seconds: float = _SECONDS) -> None:
        self._http = http
        self._url = url
        self._seconds = seconds

    async def complaint(self) -> str:
        """Ask once; empty is healthy, else what is wrong."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("GET", self._url, timeout=self._seconds) as answer,
            ):
                return "" if answer.status_code == 200 else f"health answers {answer.status_code}"
        except (TimeoutError, httpx.TimeoutException):
            return f"health does not answer within {self._seconds:g} s"
        except httpx.HTTPError as error:
            return f"health cannot be reached ({type(error).__name__})"
