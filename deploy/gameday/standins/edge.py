"""A stand-in of the edge: a proxy in front of the platform that does as the Worker does.

What it decides is `deploy/cloudflare/maintenance-worker.js` once more: one table of cases holds
both of them to it (tests/fixtures/edge).
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import aiohttp
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.edge import SHOWN_BY, Flag
from deploy.gameday.standins.server import StandIn

SECRET = "bypass-of-the-game-day"  # noqa: S105 (of a stand-in)
HEALTH_PATH = "/healthz"
_BUCKETS = 10_000
_COOKIE = re.compile(r"(?:^|;\s*)edge_bucket=(\d{1,4})(?:;|$)")
_WEBHOOKS = ("/webhooks/", "/api/webhooks/")
_ORIGIN_SECONDS = 15.0
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}

Origin = Callable[[Request, Mapping[str, str]], Awaitable[Response]]
"""Asks the platform, with these headers."""


async def answer(
    request: Request,
    stored: bytes | None,
    *,
    now: datetime,
    origin: Origin,
    healthy: Callable[[], Awaitable[bool]],
) -> Response:
    """Answer as the Worker does: from the platform, or with the page."""
    flag = _flag(stored)
    header = flag.bypass_header if flag else ""
    onwards = {name: value for name, value in request.headers.items() if name != header}
    if flag is None or not flag.holders or _same(request.headers.get(header, "")):
        return await origin(request, onwards)
    if not flag.holding(now):
        return await origin(request, onwards) if await healthy() else _page(request, flag)
    share = flag.share(now)
    if share >= 1:
        return await origin(request, onwards)
    bucket = _bucket(request)
    if request.url.path.startswith(_WEBHOOKS) or bucket / _BUCKETS >= share:
        return _page(request, flag)
    answered = await origin(request, onwards)
    answered.set_cookie("edge_bucket", str(bucket), max_age=3600, secure=True, httponly=True)
    return answered


class EdgeStandIn(StandIn):
    """The way by which users of the game day come to the platform."""

    title = "the edge"

    def __init__(self, flag: Callable[[], bytes | None], *, port: int = 0) -> None:
        """Take what gives the flag as it is stored at this moment."""
        super().__init__(port=port)
        self.origin = ""
        """Where the platform is; set once it is known."""
        self._flag = flag
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Listen."""
        limit = aiohttp.ClientTimeout(total=_ORIGIN_SECONDS)
        connector = aiohttp.TCPConnector(limit=200)
        self._session = aiohttp.ClientSession(timeout=limit, connector=connector)
        await super().start()

    async def stop(self) -> None:
        """Stop listening."""
        await super().stop()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def routes(self) -> list[Route]:
        """Take everything."""
        every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return [Route("/{path:path}", self._serve, methods=every)]

    def method(self, path: str) -> str | None:  # noqa: ARG002
        """Let every call be one that may fail."""
        return "edge"

    async def _serve(self, request: Request) -> Response:
        return await answer(
            request,
            self._flag(),
            now=datetime.now(UTC),
            origin=self._onwards,
            healthy=self._healthy,
        )

    async def _onwards(self, request: Request, headers: Mapping[str, str]) -> Response:
        if self._session is None or not self.origin:
            return Response("no origin", status_code=502)
        kept = {name: value for name, value in headers.items() if name not in _HOP}
        try:
            async with self._session.request(
                request.method,
                f"{self.origin}{request.url.path}",
                params=request.url.query,
                headers=kept,
                data=await request.body() or None,
                allow_redirects=False,
            ) as answered:
                body = await answered.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Response(type(error).__name__, status_code=502)
        back = {name: value for name, value in answered.headers.items() if name.lower() not in _HOP}
        return Response(body, status_code=answered.status, headers=back)

    async def _healthy(self) -> bool:
        if self._session is None:
            return False
        try:
            asked = self._session.get(f"{self.origin}{HEALTH_PATH}", allow_redirects=False)
            async with asked as answered:
                return answered.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def _flag(stored: bytes | None) -> Flag | None:
    try:
        return Flag.model_validate_json(stored) if stored else None
    except ValidationError:
        return None


def _same(shown: str) -> bool:
    digests = (hashlib.sha256(text.encode()).digest() for text in (shown, SECRET))
    return bool(shown) and hmac.compare_digest(*digests)


def _bucket(request: Request) -> int:
    if found := _COOKIE.search(request.headers.get("cookie", "")):
        return int(found[1])
    value = 0x811C9DC5  # FNV-1a
    for byte in request.headers.get("cf-connecting-ip", "").encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % _BUCKETS


def _page(request: Request, flag: Flag) -> Response:
    headers = {SHOWN_BY: "on", "retry-after": "60", "cache-control": "no-store"}
    if "text/html" not in request.headers.get("accept", ""):
        said = {"error": "maintenance", "message": flag.message, "eta": flag.eta}
        return Response(json.dumps(said), 503, headers, "application/json")
    words = f"<h1>We will be right back</h1><p>{html.escape(flag.message)}</p>"
    return Response(f"<!doctype html>{words}", 503, headers, "text/html")
