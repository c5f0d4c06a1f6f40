"""Whether a request is Slack's: signature version 0, over the bytes as they came."""

from __future__ import annotations

import hashlib
import hmac
import time
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import Request

from starters.requests import Refusal

REPLAY_SECONDS = 300
_MOST_DIGITS = 12
_PROBE = b"ssl_check=1"


def verify(request: Request, body: bytes, secret: SecretStr, *, now: float | None = None) -> None:
    """Refuse what Slack has not signed, or signed too long ago; none of it is parsed before."""
    stamp = _only(request, b"x-slack-request-timestamp")
    shown = _only(request, b"x-slack-signature")
    base = b"v0:" + stamp + b":" + body
    right = b"v0=" + hmac.new(_key(secret), base, hashlib.sha256).hexdigest().encode()
    # Bytes, both: text that is not ASCII cannot be compared, and would be an error of ours.
    genuine = hmac.compare_digest(shown, right)
    age = abs((time.time() if now is None else now) - _seconds(stamp))
    if not genuine or age > REPLAY_SECONDS:
        raise Refusal(
            HTTPStatus.UNAUTHORIZED, "unauthorized", "it is not signed by Slack, or too old"
        )


def is_probe(body: bytes) -> bool:
    """Tell whether Slack only looks whether anybody answers; that is not signed."""
    return len(body) < 1_000 and _PROBE in body.split(b"&")


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


def _only(request: Request, name: bytes) -> bytes:
    sent = [value for header, value in request.headers.raw if header == name]
    return sent[0] if len(sent) == 1 else b""


def _seconds(stamp: bytes) -> float:
    # Bytes know no digits but 0 to 9.
    return float(stamp) if stamp.isdigit() and len(stamp) <= _MOST_DIGITS else 0.0
