"""How the adapters of the language models join the kit."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from pydantic import SecretStr

from activities.changes import Targets
from activities.llm_clients import Anthropic, LlmClient, OpenAI
from activities.llm_summary import LlmSummary, Summarize
from activities.llm_throttle import LlmThrottle, Throttle

Call = Callable[[], Awaitable[Any]]


@contextlib.asynccontextmanager
async def listing(kind: type[OpenAI | Anthropic], url: str, secret: str, seconds: float) -> Any:
    async with httpx.AsyncClient() as http:
        client: LlmClient = kind(http, SecretStr(secret), "a-model", url=url, seconds=seconds)

        async def call() -> Any:
            return (await client.models()).must()

        yield call


@contextlib.asynccontextmanager
async def writing(kind: type[OpenAI | Anthropic], url: str, secret: str, seconds: float) -> Any:
    async with httpx.AsyncClient() as http:
        client: LlmClient = kind(http, SecretStr(secret), "a-model", url=url, seconds=seconds)
        yield lambda: LlmSummary(client).summarize(Summarize(facts=("Redis was down.",)))


@contextlib.asynccontextmanager
async def throttling(url: str, secret: str, seconds: float) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as http:
        throttle = LlmThrottle(http, url, SecretStr(secret), targets=Targets(), seconds=seconds)
        order = Throttle(organizations={"42": 6})
        yield lambda: throttle.throttle_read(order)
