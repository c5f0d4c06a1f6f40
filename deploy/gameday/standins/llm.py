"""What the stand-ins of OpenAI and Anthropic share: keys, models, troubles, and a limit."""

from __future__ import annotations

import asyncio
import json
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from deploy.gameday.standins.faults import HTML
from deploy.gameday.standins.server import StandIn

_TOKEN_LETTERS = 4
_ANSWER = "Certainly."
_LATENCY_SECONDS = 0.1
_PLENTY = 1000.0
_WINDOW_SECONDS = 4.0
"""What a rate is counted over."""


class Trouble(StrEnum):
    """What can be wrong with a provider, for as long as it is told so."""

    NONE = ""
    DOWN = "down"
    OVERLOADED = "overloaded"
    QUOTA = "quota"
    LIMITED = "limited"
    COMPLETIONS_DOWN = "completions down"


class LlmStandIn(StandIn):
    """One provider: *models* by name, with the day on which each ends."""

    def __init__(self, key: str, models: Mapping[str, str]) -> None:
        """Begin well, with a limit that nobody reaches."""
        super().__init__()
        self.key = key
        self.models = dict(models)
        self.trouble = Trouble.NONE
        self.most_a_second = _PLENTY
        """Completions that are let through; more are refused for their number."""
        self.carries_a_second = _PLENTY
        """Completions that it has the machines for; with more it is overloaded."""
        self.completed: list[dict[str, Any]] = []
        """Every completion that was asked for and given."""
        self._recent: deque[float] = deque()

    def mend(self) -> None:
        """Be well again."""
        self.trouble = Trouble.NONE
        self.most_a_second = self.carries_a_second = _PLENTY
        self.faults.clear()

    @property
    def unwell(self) -> bool:
        """Whether it was told that something is wrong with it."""
        return bool(self.trouble) or min(self.most_a_second, self.carries_a_second) < _PLENTY

    async def list_models(self, request: Request) -> Response:
        """List the models, to whoever has the key."""
        refused = self._refused(request, completes=False)
        return refused or JSONResponse(self.listing(), headers=self.limit_headers())

    async def complete(self, request: Request) -> Response:
        """Complete a prompt, or refuse it as the real one does."""
        refused = self._refused(request, completes=True)
        if refused is not None:
            return refused
        try:
            asked = json.loads(await request.body())
            wrong = self.complaint(asked)
        except (ValueError, TypeError, AttributeError, KeyError):
            asked, wrong = {}, "We could not parse the JSON body of your request."
        if wrong:
            return self.error(400, "invalid_request_error", wrong)
        model = str(asked["model"])
        if model not in self.models:
            return self.unknown_model(model)
        await asyncio.sleep(_LATENCY_SECONDS)
        self.completed.append(asked)
        prompt = len(json.dumps(asked["messages"])) // _TOKEN_LETTERS
        body = self.completion(model, _ANSWER, prompt, len(_ANSWER))
        return JSONResponse(body, headers=self.limit_headers())

    @abstractmethod
    def authorized(self, request: Request) -> bool:
        """Tell whether the key is shown as it must be."""

    @abstractmethod
    def complaint(self, asked: dict[str, Any]) -> str:
        """Say what is wrong with the body of a completion, empty if nothing is."""

    @abstractmethod
    def listing(self) -> dict[str, Any]:
        """Give the list of models."""

    @abstractmethod
    def completion(self, model: str, text: str, prompt: int, written: int) -> dict[str, Any]:
        """Give a completion, with the tokens that it took."""

    @abstractmethod
    def error(
        self, status: int, kind: str, said: str, *, code: str = "", wait: str = ""
    ) -> Response:
        """Give an error in the provider's shape."""

    @abstractmethod
    def unknown_model(self, model: str) -> Response:
        """Say that there is no such model any more."""

    @abstractmethod
    def overloaded(self) -> Response:
        """Say that too many people ask."""

    @abstractmethod
    def spent(self) -> Response:
        """Say that there is no money left."""

    @abstractmethod
    def limit_headers(self) -> dict[str, str]:
        """Say what is still let through."""

    @property
    def requests_a_minute(self) -> int:
        """The limit as it is told."""
        return int(self.most_a_second * 60)

    @property
    def requests_left(self) -> int:
        """What is left of it."""
        return max(0, self.requests_a_minute - round(len(self._recent) * 60 / _WINDOW_SECONDS))

    def _refused(self, request: Request, *, completes: bool) -> Response | None:
        if not self.authorized(request):
            return self.error(
                401, self.bad_key[0], "Incorrect API key provided.", code=self.bad_key[1]
            )
        if self.trouble is Trouble.DOWN or (self.trouble is Trouble.COMPLETIONS_DOWN and completes):
            # As what stands in front of the real one answers for it.
            return HTMLResponse(HTML, status_code=503)
        if not completes:
            return None
        if self.trouble is Trouble.OVERLOADED:
            return self.overloaded()
        if self.trouble is Trouble.QUOTA:
            return self.spent()
        return self._too_many()

    bad_key = ("invalid_request_error", "invalid_api_key")
    """Type and code of what is said to a wrong key."""

    def _too_many(self) -> Response | None:
        now = time.monotonic()
        while self._recent and self._recent[0] < now - _WINDOW_SECONDS:
            self._recent.popleft()
        asked = len(self._recent)
        if self.trouble is Trouble.LIMITED or asked >= self.most_a_second * _WINDOW_SECONDS:
            said = "Rate limit reached for requests. Please try again in 1s."
            return self.error(429, self.limit_kind[0], said, code=self.limit_kind[1], wait="1")
        if asked >= self.carries_a_second * _WINDOW_SECONDS:
            return self.overloaded()
        self._recent.append(now)
        return None

    limit_kind = ("requests", "rate_limit_exceeded")
    """Type and code of what is said to too many calls."""
