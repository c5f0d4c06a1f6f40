"""The API's chat: language models by way of OpenAI or Anthropic, as the switches say."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deploy.gameday.llm_throttle import Throttle
from deploy.gameday.meters import PROVIDERS
from deploy.gameday.part import Endpoint, Part

if TYPE_CHECKING:
    from deploy.gameday.api import Api

URLS = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""Names of the variables that say where the providers are; without them the API answers itself."""
THROTTLE = "/internal/llm/throttle"
IGNORED = "llm_throttle_ignored"
"""The fault by which the throttle takes what it is told, and does nothing about it."""

MAPPED = {"gpt-4": "claude-sonnet-5", "gpt-5.4-mini": "claude-haiku-4-5"}
PRICES = {
    "gpt-4": (30.0, 60.0),
    "gpt-5.4-mini": (0.5, 2.0),
    "claude-sonnet-5": (3.0, 15.0),
    "claude-haiku-4-5": (1.0, 5.0),
}
"""Dollars for a million tokens, read and written."""
ORGANIZATIONS = range(1, 9)
_STATUSES = ("200", "400", "401", "404", "429", "500", "503", "529", "timeout", "unreachable")
_OWN_SECONDS = 0.12
_QUEUE_SECONDS = 0.02
_SORRY = "AI features are limited at the moment; please try again later."
_MOST_TOKENS = 50


@dataclass(frozen=True)
class Models:
    """What the environment says of the models, read once at the start."""

    routing: str
    model: str
    timeout_seconds: float
    tries: int
    backoff_seconds: float
    queue: bool
    non_critical_off: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables; a wrong one ends the instance, as it would in production."""
        routing = environment.get("LLM_ROUTING_STRATEGY") or "costOptimized"
        kind, _, rest = routing.partition(":")
        if kind in ("forcedProvider", "split") and rest.partition(":")[0] not in PROVIDERS:
            message = f"LLM_ROUTING_STRATEGY names no provider: {routing}"
            raise ValueError(message)
        model = environment.get("LLM_MODEL") or "gpt-4"
        if model not in MAPPED:
            message = f"LLM_MODEL is none that the platform knows: {model}"
            raise ValueError(message)
        return cls(
            routing=routing,
            model=model,
            timeout_seconds=int(environment.get("LLM_TIMEOUT_MS") or 30_000) / 1000,
            tries=int(environment.get("LLM_MAX_TRIES") or 1),
            backoff_seconds=int(environment.get("LLM_BACKOFF_MS") or 1000) / 1000,
            queue=environment.get("LLM_REQUEST_QUEUE") == "true",
            non_critical_off=environment.get("NON_CRITICAL_LLM_OFF") == "true",
        )

    def provider(self, number: int) -> str:
        """Choose for the *number*-th call; a share goes out evenly, so that a small one is seen."""
        kind, _, rest = self.routing.partition(":")
        if kind == "forcedProvider":
            return rest
        if kind == "split":
            first, _, percent = rest.partition(":")
            before, now = ((each * int(percent)) // 100 for each in (number, number + 1))
            return first if now > before else next(p for p in PROVIDERS if p != first)
        return PROVIDERS[0]

    def model_of(self, provider: str) -> str:
        """Give the provider's model that stands for ours."""
        return self.model if provider == "openai" else MAPPED[self.model]


class LanguageModels(Part):
    """The chat, and the endpoint by which organizations are slowed down."""

    def __init__(self, api: Api, environment: Mapping[str, str]) -> None:
        super().__init__(api, environment)
        self.models = Models.read(environment)
        self.throttle = Throttle(
            api.settings.redis_url, broken=lambda: bool(api.faults.text(IGNORED))
        )
        self._http = httpx.AsyncClient(trust_env=False, timeout=self.models.timeout_seconds)
        self._calls = itertools.count()
        self._turn = asyncio.Lock()
        registry = api.meters.registry
        self.requests = Counter(
            "llm_requests",
            "Calls of language models.",
            ("provider", "model", "status"),
            registry=registry,
        )
        self.cost = Counter(
            "llm_cost_usd",
            "What completions cost.",
            ("provider", "model", "organization_id"),
            registry=registry,
        )
        for provider in PROVIDERS:
            model = self.models.model_of(provider)
            for status in _STATUSES:
                self.requests.labels(provider, model, status)
            for organization in ORGANIZATIONS:
                self.cost.labels(provider, model, str(organization))

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Give the chat, and the platform's own throttle."""
        return {
            ("POST", "/api/chat"): self.chat,
            ("GET", THROTTLE): self.throttle.serve,
            ("POST", THROTTLE): self.throttle.serve,
        }

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.aclose()
        await self.throttle.close()

    async def chat(self, request: Request) -> Response:
        """Ask a language model, and keep what it cost; without one, say so kindly."""
        asked = _asked(await request.body())
        organization = str(asked.get("organization_id") or ORGANIZATIONS[0])
        if not await self.throttle.lets(organization):
            return JSONResponse({"error": "Daily LLM budget exceeded"}, status_code=429)
        if self.models.non_critical_off and not asked.get("critical", True):
            return JSONResponse({"answer": None, "sorry": _SORRY})
        provider = self.models.provider(next(self._calls))
        answer = await self._complete(provider, str(asked.get("text") or "Hello"))
        if answer is None:
            return JSONResponse({"provider": provider, "answer": None, "sorry": _SORRY})
        text, dollars = answer
        model = self.models.model_of(provider)
        self.cost.labels(provider, model, organization).inc(dollars)
        async with self.api.slots:
            await asyncio.sleep(self.api.work_seconds)
            await self.api.query(
                "insert",
                "INSERT INTO llm_request_logs (organization_id, provider, model, cost_usd)"
                " VALUES (%s, %s, %s, %s) RETURNING id",
                int(organization),
                provider,
                model,
                dollars,
            )
        return JSONResponse({"provider": provider, "answer": text})

    async def _complete(self, provider: str, prompt: str) -> tuple[str, float] | None:
        """Call until it is answered, or as often as may be; give text and dollars."""
        model = self.models.model_of(provider)
        for number in range(self.models.tries):
            if self.models.queue:
                async with self._turn:
                    await asyncio.sleep(_QUEUE_SECONDS)
            began = time.perf_counter()
            status, answer = await self._call(provider, model, prompt)
            self.api.meters.llm_seconds.labels(provider).observe(time.perf_counter() - began)
            self.requests.labels(provider, model, status).inc()
            if answer is not None:
                return answer
            if status != "429" or number + 1 == self.models.tries:
                break
            await asyncio.sleep(self.models.backoff_seconds * 2**number)
        return None

    async def _call(
        self, provider: str, model: str, prompt: str
    ) -> tuple[str, tuple[str, float] | None]:
        url = self.environment.get(URLS[provider])
        if not url:
            await asyncio.sleep(_OWN_SECONDS)
            return "200", ("Certainly.", _dollars(model, len(prompt) // 4, 10))
        try:
            async with asyncio.timeout(self.models.timeout_seconds):
                answer = await self._post(provider, url, model, prompt)
        except (TimeoutError, httpx.TimeoutException):
            return "timeout", None
        except httpx.HTTPError:
            return "unreachable", None
        if answer.status_code != 200:
            return str(answer.status_code), None
        body = answer.json()
        if provider == "openai":
            used = body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]
            text = body["choices"][0]["message"]["content"]
        else:
            used = body["usage"]["input_tokens"], body["usage"]["output_tokens"]
            text = body["content"][0]["text"]
        return "200", (text, _dollars(model, *used))

    async def _post(self, provider: str, url: str, model: str, prompt: str) -> httpx.Response:
        key = self.environment.get(KEYS[provider], "")
        asked: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
        }
        if provider == "openai":
            return await self._http.post(
                f"{url}/chat/completions",
                json=asked | {"max_completion_tokens": _MOST_TOKENS},
                headers={"authorization": f"Bearer {key}"},
            )
        return await self._http.post(
            f"{url}/messages",
            json=asked | {"max_tokens": _MOST_TOKENS},
            headers={"x-api-key": key, "anthropic-version": "2026-10-21"},
        )


def _asked(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dollars(model: str, read: int, written: int) -> float:
    per_read, per_written = PRICES[model]
    return (read * per_read + written * per_written) / 1_000_000
