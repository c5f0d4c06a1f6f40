"""What every door asks of a request before it believes it, and how it says no."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

_WORDS = 300
_MOST_DIGITS = 20
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt _]")


def _dated(value: Any) -> Any:
    if not isinstance(value, str) or _DATED.match(value) is None:
        raise ValueError("Input should be a date and a time")
    return value


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_dated)]
"""A moment as a sender writes it; a number, also one in a text, would be one of 1970."""


class Refusal(Exception):
    """A request that is not carried out; repeating it as it is changes nothing."""

    def __init__(self, status: HTTPStatus, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field

    def response(self) -> Response:
        """Say it as JSON."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == HTTPStatus.UNAUTHORIZED else None
        return problem(self.status, self.code, self.message, field=self.field, headers=headers)


def problem(
    status: int,
    code: str,
    message: str,
    *,
    field: str = "",
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer for what went wrong, for people and machines."""
    error: dict[str, Any] = {"code": code, "message": message}
    if field:
        error["field"] = field
    return JSONResponse({"error": {**error, **(more or {})}}, status, headers=headers)


def authenticate(request: Request, token: SecretStr) -> None:
    """Refuse who does not show *token*, in a time that says nothing about how near it was."""
    # As they came: text would have been guessed from the bytes.
    sent = [value for name, value in request.headers.raw if name == b"authorization"]
    scheme, _, shown = (sent[0] if len(sent) == 1 else b"").partition(b" ")
    right = hmac.compare_digest(shown, token.get_secret_value().encode())
    if not right or scheme.lower() != b"bearer":
        raise Refusal(
            HTTPStatus.UNAUTHORIZED, "unauthorized", "the bearer token is missing or wrong"
        )


def expect_json(request: Request) -> None:
    """Refuse what does not say that it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        unprocessable("content_type", "send application/json", field="content-type")


async def body_of(request: Request, most_bytes: int) -> bytes:
    """Read the body, and stop as soon as it is too large."""
    # Of digits that are none in ASCII, or of thousands of them, no number can be made.
    told = request.headers.get("content-length", "")[:_MOST_DIGITS]
    if told.isascii() and told.isdigit() and int(told) > most_bytes:
        _too_large(most_bytes)
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                _too_large(most_bytes)
    except ClientDisconnect:
        raise Refusal(HTTPStatus.BAD_REQUEST, "disconnected", "the body did not arrive") from None
    return bytes(body)


def unprocessable(code: str, message: str, field: str = "") -> NoReturn:
    """Refuse what cannot be understood."""
    raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, code, message, field)


def misunderstood(error: ValidationError) -> NoReturn:
    """Refuse what does not fit the model; the first field that does not is named."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # It has the sender's own names in it, of any length, and goes into a line of the log.
    path = _printable(".".join(str(part) for part in first["loc"])[:_WORDS])
    message = first["msg"].removeprefix("Value error, ")[:_WORDS]
    if first["type"] == "json_invalid":
        unprocessable("json", message)
    others = error.error_count() - 1
    more = f" (and {others} more)" if others else ""
    unprocessable("invalid", f"{path}: {message}{more}" if path else message, field=path)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def refused_by_starlette(_: Request, error: Exception) -> Response:
    """Say in our way what starlette says no to: a wrong path or method."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(error.status_code, code, error.detail, headers=error.headers)


def broken(_: Request, error: Exception) -> Response:  # noqa: ARG001 (it is in the log, not here)
    """Answer for a fault of our own; the sender repeats a 5xx, and nobody sees a stack trace."""
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something is wrong here: see the log"
    )


def _too_large(most_bytes: int) -> NoReturn:
    raise Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the body is over {most_bytes} bytes"
    )
