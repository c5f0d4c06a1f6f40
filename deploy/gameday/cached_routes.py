"""What the API answers from its cache, and the endpoint by which an operator warms that."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deploy.gameday.cache import lifetime
from deploy.gameday.part import Endpoint, Part

TOKEN = "CACHE_WARMUP_TOKEN"  # noqa: S105 (the name of a variable)
WARM_UP = "/internal/cache/warmup"
USERS = 60
"""How many of the users a warm-up has in the cache afterwards: those who come most."""

_OLD = "old:"
_OLD_SECONDS = 600.0
"""How long an answer may still be served where that is switched on."""
_BETWEEN_SECONDS = 5.0
"""Between one warm-up and the next, however often one is asked for."""
_MOST_A_SECOND = 200
_ORGS = "SELECT id, name FROM organizations ORDER BY created_at DESC LIMIT 20"
_USER = "SELECT id, email, organization_id FROM users WHERE id = %s"
_DASHBOARD = (
    "SELECT plan, count(DISTINCT s.organization_id), count(u.id) FROM subscriptions s"
    " JOIN users u USING (organization_id) GROUP BY plan ORDER BY plan"
)


class CachedRoutes(Part):
    """Organizations, users and the dashboard, each looked up in the cache first."""

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Give the pages, and the endpoint for operators."""
        return {
            ("GET", "/api/orgs"): self.orgs,
            ("GET", "/api/users/{id}"): self.user,
            ("GET", "/api/dashboard"): self.dashboard,
            ("POST", WARM_UP): self.warm_up,
        }

    async def orgs(self, _request: Request) -> Response:
        """List the newest organizations."""
        return await self._cached("orgs", "select", _ORGS)

    async def user(self, request: Request) -> Response:
        """Show one user."""
        user = int(request.path_params["id"])
        return await self._cached(f"user:{user}", "select", _USER, user)

    async def dashboard(self, _request: Request) -> Response:
        """Show the figures of all plans."""
        return await self._cached("dashboard", "aggregate", _DASHBOARD)

    async def warm_up(self, request: Request) -> Response:
        """Fill the cache, once for each key of idempotency, and not too often."""
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = self.environment.get(TOKEN, "")
        if not token or not hmac.compare_digest(shown.encode(), token.encode()):
            return JSONResponse({"error": "that is not the token"}, status_code=401)
        key = request.headers.get("idempotency-key", "")
        if not key:
            return JSONResponse({"error": "an Idempotency-Key is needed"}, status_code=400)
        order = f"warmup:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        if (earlier := await self.api.cache.get(order)) is not None:
            return Response(earlier, media_type="application/json")
        if (wait := await self._too_soon()) > 0:
            return JSONResponse(
                {"error": "a warm-up was asked for just now"},
                status_code=429,
                headers={"Retry-After": str(round(wait) or 1)},
            )
        asked = (await request.json()).get("keys_per_second", _MOST_A_SECOND)
        warmed = json.dumps({"warmed": await self._warm(min(max(int(asked), 1), _MOST_A_SECOND))})
        await self.api.cache.put(order, warmed, _BETWEEN_SECONDS * 60)
        return Response(warmed, media_type="application/json")

    async def _too_soon(self) -> float:
        """Take the turn, or say how long it is until the next."""
        last = await self.api.cache.get("warmup:last")
        wait = float(last) + _BETWEEN_SECONDS - time.time() if last else 0.0
        if wait <= 0:
            await self.api.cache.put("warmup:last", str(time.time()), _BETWEEN_SECONDS)
        return wait

    async def _warm(self, a_second: int) -> int:
        await self._fill("orgs", "select", _ORGS)
        await self._fill("dashboard", "aggregate", _DASHBOARD)
        for user in range(1, USERS + 1):
            await asyncio.sleep(1 / a_second)
            await self._fill(f"user:{user}", "select", _USER, user)
        return USERS + 2

    async def _cached(self, key: str, kind: str, statement: str, *values: object) -> Response:
        """Answer from the cache, else from the database; without the cache, not at all."""
        api = self.api
        api.meters.cache_requests.inc()
        text = await api.cache.get(key)
        if text is None and api.settings.serve_cached:
            text = await api.cache.get(_OLD + key)  # an old answer is better than a late one
        async with api.slots:
            await asyncio.sleep(api.work_seconds)
            if text is None:
                api.meters.cache_misses.inc()
                text = await self._fill(key, kind, statement, *values)
        return Response(text, media_type="application/json")

    async def _fill(self, key: str, kind: str, statement: str, *values: object) -> str:
        text = json.dumps(await self.api.query(kind, statement, *values), default=str)
        hour = self.api.settings.plan_policy_ttl_seconds / 3600
        await self.api.cache.put(key, text, lifetime(key, hour, self.api.faults))
        await self.api.cache.put(_OLD + key, text, _OLD_SECONDS)
        return text
