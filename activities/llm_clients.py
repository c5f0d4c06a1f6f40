"""OpenAI and Anthropic, spoken to alike: which models there are, and one completion."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from activities.errors import Failed, Refused, Unavailable
from activities.llm_findings import (
    Limits,
    Provider,
    Standing,
    anthropic_limits,
    complaint,
    openai_limits,
    retirement,
    standing_of,
)
from activities.web import Answered, NoName, Web

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com/v1"
ANTHROPIC_VERSION = "2026-10-21"
_MOST_BYTES = 1024 * 1024
_SECONDS = 7.0


@dataclass(frozen=True)
class Reply:
    """How one call went, in words that are the same for every provider."""

    standing: Standing
    said: str = ""
    text: str = ""
    """What the model wrote."""
    models: Mapping[str, str] = field(default_factory=dict)
    """The day on which each model ends, empty where none is announced."""
    limits: Limits = field(default_factory=Limits)
    failed: Failed | None = None

    def must(self) -> Reply:
        """Give the reply, or raise what kept it from being an answer."""
        if self.failed is not None:
            raise self.failed
        return self


class LlmClient(ABC):
    """One provider; it is shown its key, and the key is never quoted."""

    name: Provider
    title: str
    models_path: str
    completion_path: str
    fewest_tokens: int
    """What a completion must at least be given in order to be one."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        key: SecretStr,
        model: str,
        *,
        url: str,
        seconds: float = _SECONDS,
    ) -> None:
        self.model = model
        self._url = url.rstrip("/")
        self._key = key
        secret = key.get_secret_value()
        self._web = Web(
            http, self.title, secrets=(secret,), seconds=seconds, most_bytes=_MOST_BYTES
        )

    async def models(self) -> Reply:
        """List the models: free, and no proof that any of them works."""
        return await self._ask("GET", self.models_path, None)

    async def complete(self, prompt: str, tokens: int = 0) -> Reply:
        """Complete *prompt* with at most *tokens*, by default the fewest that can be asked for."""
        asked = self.question(prompt, tokens or self.fewest_tokens)
        return await self._ask("POST", self.completion_path, {"model": self.model, **asked})

    @abstractmethod
    def headers(self, secret: str) -> dict[str, str]:
        """Give what authenticates a call."""

    @abstractmethod
    def question(self, prompt: str, tokens: int) -> dict[str, Any]:
        """Give the body of a completion, without the model."""

    @abstractmethod
    def answer(self, body: dict[str, Any]) -> str:
        """Read what the model wrote; KeyError, IndexError or TypeError where it is no answer."""

    @abstractmethod
    def limits(self, headers: Mapping[str, str]) -> Limits:
        """Read what is still let through."""

    async def _ask(self, method: str, path: str, question: dict[str, Any] | None) -> Reply:
        content = None if question is None else json.dumps(question).encode()
        try:
            answer = await self._web.ask(
                method,
                f"{self._url}{path}",
                headers={
                    "content-type": "application/json",
                    **self.headers(self._key.get_secret_value()),
                },
                content=content,
            )
        except NoName as failed:
            return Reply(Standing.NO_NAME, failed.message, failed=failed)
        except Failed as failed:
            return Reply(Standing.DOWN, failed.message, failed=failed)
        limits = self.limits(answer.headers)
        if answer.status != 200:
            return self._refusal(answer, limits, completes=question is not None)
        try:
            body = answer.json(self.title)
            if question is None:
                listed = {str(each["id"]): retirement(each) for each in body["data"]}
                return Reply(Standing.ANSWERS, models=listed, limits=limits)
            return Reply(Standing.ANSWERS, text=self.answer(body), limits=limits)
        except (Failed, KeyError, IndexError, TypeError, AttributeError):
            said = f"{self.title} answered 200, but not as its interface does"
            return Reply(Standing.UNCLEAR, said, limits=limits, failed=Unavailable(said))

    def _refusal(self, answer: Answered, limits: Limits, *, completes: bool) -> Reply:
        try:
            said = complaint(json.loads(answer.body))
        except (ValueError, RecursionError):
            said = None
        standing = standing_of(answer.status, said, completes=completes)
        failed = self._web.refused(answer, said.message if said else "")
        if standing is Standing.QUOTA:
            # As a 429 it looks as if waiting helped.
            failed = Refused(failed.message)
        return Reply(standing, failed.message, limits=limits, failed=failed)


class OpenAI(LlmClient):
    """OpenAI's chat completions."""

    name = "openai"
    title = "OpenAI"
    models_path = "/models"
    completion_path = "/chat/completions"
    # What a model thinks counts too, and one that cannot finish to think is an error.
    fewest_tokens = 16

    def __init__(
        self,
        http: httpx.AsyncClient,
        key: SecretStr,
        model: str,
        *,
        url: str = OPENAI_URL,
        organization: str = "",
        project: str = "",
        seconds: float = _SECONDS,
    ) -> None:
        super().__init__(http, key, model, url=url, seconds=seconds)
        named = {"OpenAI-Organization": organization, "OpenAI-Project": project}
        self._named = {name: value for name, value in named.items() if value}

    def headers(self, secret: str) -> dict[str, str]:
        """Give the bearer token, and whose account it is."""
        return {"authorization": f"Bearer {secret}", **self._named}

    def question(self, prompt: str, tokens: int) -> dict[str, Any]:
        """Ask as one user."""
        # max_tokens is refused by models that think.
        return {
            "messages": [{"role": "user", "content": prompt}],
            "max_completion_tokens": tokens,
        }

    def answer(self, body: dict[str, Any]) -> str:
        """Read the first choice; one that was cut short may be empty."""
        return str(body["choices"][0]["message"].get("content") or "")

    def limits(self, headers: Mapping[str, str]) -> Limits:
        """Read OpenAI's headers."""
        return openai_limits(headers)


class Anthropic(LlmClient):
    """Anthropic's messages."""

    name = "anthropic"
    title = "Anthropic"
    models_path = "/models"
    completion_path = "/messages"
    fewest_tokens = 1

    def __init__(
        self,
        http: httpx.AsyncClient,
        key: SecretStr,
        model: str,
        *,
        url: str = ANTHROPIC_URL,
        version: str = ANTHROPIC_VERSION,
        seconds: float = _SECONDS,
    ) -> None:
        super().__init__(http, key, model, url=url, seconds=seconds)
        self._version = version

    def headers(self, secret: str) -> dict[str, str]:
        """Give the key, and the version whose rules hold."""
        return {"x-api-key": secret, "anthropic-version": self._version}

    def question(self, prompt: str, tokens: int) -> dict[str, Any]:
        """Ask as one user; a temperature would be refused."""
        return {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}

    def answer(self, body: dict[str, Any]) -> str:
        """Join the blocks of text; one that was cut short may be empty."""
        return "".join(str(block.get("text", "")) for block in body["content"])

    def limits(self, headers: Mapping[str, str]) -> Limits:
        """Read Anthropic's headers."""
        return anthropic_limits(headers)
