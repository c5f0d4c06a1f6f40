"""Whether OpenAI and Anthropic answer us: their models listed, and one word completed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from temporalio import activity

from activities.errors import NotConfigured
from activities.llm_clients import LlmClient, Reply
from activities.llm_findings import Limits, Provider, Standing
from activities.verification import Sample
from activities.words import Answer, Order


class LookAt(Order):
    """A question how a provider stands."""

    provider: Provider


class ProviderLook(Answer):
    """How a provider stands, seen from the worker, with the platform's model and key."""

    provider: Provider
    standing: Standing
    said: str = ""
    """Why, in the provider's words or ours."""
    model: str = ""
    lists_models: bool = False
    listed: bool | None = None
    """Whether the model is on the list; None where there is none."""
    retires_on: str = ""
    """The day on which the model ends, where one is announced."""
    limits: Limits = Limits()
    took_seconds: float = 0.0

    @property
    def answers(self) -> bool:
        """Whether it completed a word just now."""
        return self.standing is Standing.ANSWERS


class LlmProviders:
    """Looks at each provider of the settings."""

    def __init__(self, clients: Iterable[LlmClient]) -> None:
        self._clients = {client.name: client for client in clients}

    @activity.defn(name="llm.look")
    async def look(self, ask: LookAt) -> ProviderLook:
        """List the models and complete one word; what goes wrong is an answer too."""
        return await self._look(self._client(ask.provider))

    async def sample(self, provider: Provider) -> Sample:
        """Look once whether *provider* completes; unknown when it is we who cannot ask."""
        client = self._client(provider)
        seen = await self._look(client)
        note = "" if seen.answers else f"{client.title}: {seen.standing}: {seen.said}"
        good = seen.answers if seen.standing.known else None
        # No value: seconds would stand in a chart of shares.
        return Sample(at=datetime.now(UTC), good=good, note=note)

    def _client(self, provider: Provider) -> LlmClient:
        client = self._clients.get(provider)
        if client is None:
            raise NotConfigured(provider, f"RESPONDER_LLM__{provider.upper()}__KEY")
        return client

    async def _look(self, client: LlmClient) -> ProviderLook:
        began = time.monotonic()
        listed, done = await asyncio.gather(client.models(), client.complete("Say yes."))
        # What users need is the completion; the list says what is behind it when it fails.
        return ProviderLook(
            provider=client.name,
            standing=done.standing,
            said=_said(listed, done),
            model=client.model,
            lists_models=listed.standing is Standing.ANSWERS,
            listed=client.model in listed.models if listed.models else None,
            retires_on=listed.models.get(client.model, ""),
            limits=done.limits,
            took_seconds=round(time.monotonic() - began, 3),
        )


def _said(listed: Reply, done: Reply) -> str:
    if done.standing is listed.standing:
        return done.said
    if done.standing is Standing.ANSWERS:
        return f"it completes, though its models cannot be listed: {listed.said}"
    if listed.standing is Standing.ANSWERS:
        return f"its models are listed, but nothing is completed: {done.said}"
    return f"{done.said}; its models: {listed.said}"
