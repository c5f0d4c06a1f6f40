"""Stands in for Anthropic: its models and messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.llm import LlmStandIn

KEY = "sk-ant-stand-in-0000000000"
MODELS = {"claude-sonnet-5": "", "claude-haiku-4-5": ""}
VERSIONS = ("2026-10-21",)
"""The older one, which is live too, is not for the platform: it pins this one."""
_REMOVED = ("temperature", "top_p", "top_k")


class AnthropicStandIn(LlmStandIn):
    """Anthropic's interface, as far as the platform uses it."""

    title = "Anthropic"
    bad_key = ("authentication_error", "")
    limit_kind = ("rate_limit_error", "")

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
            Route("/v1/models", self._versioned(self.list_models)),
            Route("/v1/messages", self._versioned(self.complete), methods=["POST"]),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by what it is for."""
        return path.removeprefix("/v1/") if path.startswith("/v1/") else None

    def authorized(self, request: Request) -> bool:
        """Look at the key."""
        return request.headers.get("x-api-key") == self.key

    def complaint(self, asked: dict[str, Any]) -> str:
        """Refuse what is missing, and what the newer version has removed."""
        missing = [name for name in ("model", "max_tokens", "messages") if not asked.get(name)]
        if missing:
            return f"{missing[0]}: Field required"
        removed = [name for name in _REMOVED if name in asked]
        if removed:
            return f"{removed[0]}: Extra inputs are not permitted"
        if not all(each["role"] and each["content"] for each in asked["messages"]):
            return "messages: text content blocks must be non-empty"
        return ""

    def listing(self) -> dict[str, Any]:
        """Give the list of models."""
        data = [
            {
                "type": "model",
                "id": name,
                "display_name": name.replace("-", " ").title(),
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "deprecated" if ends else "active",
                "retires_at": f"{ends}T00:00:00Z" if ends else None,
            }
            for name, ends in self.models.items()
        ]
        names = list(self.models)
        ends_of = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
        return {"data": data, **ends_of}

    def completion(self, model: str, text: str, prompt: int, written: int) -> dict[str, Any]:
        """Give a message."""
        return {
            "id": f"msg_{len(self.completed)}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text, "citations": None}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": prompt, "output_tokens": written},
        }

    def error(
        self, status: int, kind: str, said: str, *, code: str = "", wait: str = ""
    ) -> Response:
        """Give an error with the id of the request."""
        error: dict[str, Any] = {"type": kind, "message": said}
        if code:
            error["details"] = {"error_code": code}
        headers = {"request-id": "req_stand_in", **({"retry-after": wait} if wait else {})}
        body = {"type": "error", "error": error, "request_id": headers["request-id"]}
        return JSONResponse(body, status_code=status, headers=headers)

    def unknown_model(self, model: str) -> Response:
        """Say that there is no such model."""
        return self.error(404, "not_found_error", f"model: {model}")

    def overloaded(self) -> Response:
        """Say that too many people ask."""
        return self.error(529, "overloaded_error", "Overloaded")

    def spent(self) -> Response:
        """Say that the limit of spending is reached: a 429 that no waiting helps."""
        said = "You have reached your specified API usage limits."
        return self.error(429, "rate_limit_error", said, code="enforced_spend_limit_reached")

    def limit_headers(self) -> dict[str, str]:
        """Say what is left, and when it is whole again."""
        whole = datetime.now(UTC) + timedelta(seconds=1)
        return {
            "anthropic-ratelimit-requests-limit": str(self.requests_a_minute),
            "anthropic-ratelimit-requests-remaining": str(self.requests_left),
            "anthropic-ratelimit-requests-reset": whole.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "anthropic-ratelimit-tokens-remaining": "80000",
        }

    def _versioned(self, serve: Any) -> Any:
        async def versioned(request: Request) -> Response:
            if request.headers.get("anthropic-version") not in VERSIONS:
                said = "anthropic-version: header is required"
                return self.error(400, "invalid_request_error", said)
            answer: Response = await serve(request)
            return answer

        return versioned
