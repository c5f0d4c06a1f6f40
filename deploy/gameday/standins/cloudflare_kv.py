"""A stand-in of Cloudflare's key-value store: one namespace, by its HTTP API."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"
NAMESPACE = "0f2ac74b498b48028cb68387c421e279"
TOKEN = "kv-token-of-the-game-day"  # noqa: S105 (of a stand-in)
_BASE = "/client/v4"
_VALUE = f"{_BASE}/accounts/{{account}}/storage/kv/namespaces/{{namespace}}/values/{{key}}"
_MOST_KEY_BYTES = 512
_MOST_VALUE_BYTES = 25 * 1024 * 1024


class KvStandIn(StandIn):
    """Keeps values by key; *behind* lets reads lag so many reads after a write."""

    title = "Cloudflare KV"

    def __init__(self, *, port: int = 0, data: Path | None = None) -> None:
        super().__init__(port=port, data=data)
        self.values: dict[str, bytes] = {}
        self.writes: list[bytes] = []
        self.behind = 0
        self.token_ends = ""
        """When the token expires, as Cloudflare writes it."""
        self._stale: dict[str, tuple[int, bytes | None]] = {}

    @property
    def api_url(self) -> str:
        """The base address of the API."""
        return f"{self.url}{_BASE}"

    def routes(self) -> list[Route]:
        """Answer for values."""
        return [
            Route(f"{_BASE}/user/tokens/verify", self._verify),
            Route(_VALUE, self._value, methods=["GET", "PUT", "DELETE"]),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by what it is about."""
        return "value" if path.startswith(_BASE) else None

    async def _verify(self, request: Request) -> Response:
        return verified(request, TOKEN, self.token_ends)

    async def _value(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        key = request.path_params["key"]
        if request.method == "GET":
            return self._read(key)
        body = await request.body()
        if len(body) > _MOST_VALUE_BYTES:
            return _failure(413, 10033, "value too large")
        if self.behind:
            self._stale[key] = (self.behind, self.values.get(key))
        if request.method == "PUT":
            self.values[key] = body
            self.writes.append(body)
        else:
            self.values.pop(key, None)
        return JSONResponse({"success": True, "errors": [], "messages": [], "result": None})

    def _refusal(self, request: Request) -> Response | None:
        parts = request.path_params
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _failure(403, 10000, "Authentication error")
        if parts["account"] != ACCOUNT:
            return _failure(403, 10000, "Authentication error")
        if parts["namespace"] != NAMESPACE:
            return _failure(404, 10013, "get: 'namespace not found'")
        if len(parts["key"].encode()) > _MOST_KEY_BYTES:
            return _failure(414, 10030, "key too long")
        return None

    def _read(self, key: str) -> Response:
        left, old = self._stale.pop(key, (0, None))
        if left > 1:
            self._stale[key] = (left - 1, old)
        value = old if left else self.values.get(key)
        if value is None:
            return _failure(404, 10009, "get: 'key not found'")
        return Response(value, media_type="application/octet-stream")


def verified(request: Request, token: str, ends: str = "") -> Response:
    """Say whether a token is alive, as Cloudflare does of a user's own."""
    if request.headers.get("authorization") != f"Bearer {token}":
        return _failure(401, 1000, "Invalid API Token")
    result = {"id": "ed17574386854bf78a67040be0a770b0", "status": "active", "expires_on": ends}
    return JSONResponse({"success": True, "errors": [], "messages": [], "result": result})


def _failure(status: int, code: int, message: str) -> Response:
    errors = [{"code": code, "message": message}]
    envelope = {"success": False, "errors": errors, "messages": [], "result": None}
    return JSONResponse(envelope, status_code=status)
