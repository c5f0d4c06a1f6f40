"""Stands in for OpenAI: its models and chat completions."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.llm import LlmStandIn

KEY = "sk-stand-in-0000000000"
MODELS = {"gpt-4": "", "gpt-5.4-mini": "", "gpt-4o-mini": "2027-01-14"}
_BEGAN = 1_700_000_000
_OLD = ("gpt-4", "gpt-4o-mini")
"""Which still take max_tokens."""


class OpenAIStandIn(LlmStandIn):
    """OpenAI's interface, as far as the platform uses it."""

    title = "OpenAI"

    def __init__(self, key: str = KEY) -> None:
        """Begin well."""
        super().__init__(key, MODELS)

    @property
    def api_url(self) -> str:
        """Where its interface is."""
        return f"{self.url}/v1"

    def routes(self) -> list[Route]:
        """List what is answered."""
        return [
            Route("/v1/models", self.list_models),
            Route("/v1/chat/completions", self.complete, methods=["POST"]),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by what it is for."""
        return path.removeprefix("/v1/") if path.startswith("/v1/") else None

    def authorized(self, request: Request) -> bool:
        """Look at the bearer token."""
        return request.headers.get("authorization") == f"Bearer {self.key}"

    def complaint(self, asked: dict[str, Any]) -> str:
        """Refuse what is missing, and what newer models do not take."""
        missing = [name for name in ("model", "messages") if not asked.get(name)]
        if missing:
            return f"you must provide a {missing[0]} parameter"
        if "max_tokens" in asked and asked["model"] not in _OLD:
            return "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        messages = asked["messages"]
        if not all(each["role"] and each["content"] for each in messages):
            return "Invalid value for 'content': expected a string, got null."
        return ""

    def listing(self) -> dict[str, Any]:
        """Give the list of models."""
        data = [
            {
                "id": name,
                "object": "model",
                "created": _BEGAN,
                "owned_by": "openai",
                "shutdown_date": ends or None,
            }
            for name, ends in self.models.items()
        ]
        return {"object": "list", "data": data}

    def completion(self, model: str, text: str, prompt: int, written: int) -> dict[str, Any]:
        """Give a chat completion."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": f"chatcmpl-{len(self.completed)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": written,
                "total_tokens": prompt + written,
            },
        }

    def error(
        self, status: int, kind: str, said: str, *, code: str = "", wait: str = ""
    ) -> Response:
        """Give an error; every part of it is there, null or not."""
        body = {"error": {"message": said, "type": kind, "param": None, "code": code or None}}
        headers = self.limit_headers() | ({"retry-after": wait} if wait else {})
        return JSONResponse(body, status_code=status, headers=headers)

    def unknown_model(self, model: str) -> Response:
        """Say that there is no such model."""
        said = f"The model `{model}` does not exist or you do not have access to it."
        return self.error(404, "invalid_request_error", said, code="model_not_found")

    def overloaded(self) -> Response:
        """Say that the engine has too much to do."""
        said = "The engine is currently overloaded, please try again later."
        return self.error(503, "server_error", said, code="slow_down")

    def spent(self) -> Response:
        """Say that there is no quota left: a 429, as for a rate."""
        said = "You exceeded your current quota, please check your plan and billing details."
        return self.error(429, "insufficient_quota", said, code="credit_balance_exhausted")

    def limit_headers(self) -> dict[str, str]:
        """Say what is left, and when it is whole again."""
        return {
            "x-ratelimit-limit-requests": str(self.requests_a_minute),
            "x-ratelimit-remaining-requests": str(self.requests_left),
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "150000",
        }
