"""Whether a request is PagerDuty's: signature version 1, over the bytes as they came."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import Request

from starters.requests import Refusal

HEADER = b"x-pagerduty-signature"
_MOST_SIGNATURES = 32


def verify(request: Request, body: bytes, secrets: Iterable[SecretStr]) -> None:
    """Refuse what none of *secrets* has signed; none of it is parsed before.

    PagerDuty signs with each of its secrets while one is exchanged for another. It signs no time:
    a repeat is told by the event's id, and by what is known of the page since.
    """
    sent = (value for name, value in request.headers.raw if name == HEADER)
    shown = [each.strip() for value in sent for each in value.split(b",")][:_MOST_SIGNATURES]
    genuine = False
    for secret in secrets:
        right = b"v1=" + hmac.digest(_key(secret), body, hashlib.sha256).hex().encode()
        for each in shown:
            # All of them, whichever fits: the time says nothing.
            genuine |= hmac.compare_digest(each, right)
    if not genuine:
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", "it is not signed by PagerDuty")


def _key(secret: SecretStr) -> bytes:
    # As text, although it looks like base64.
    return secret.get_secret_value().encode()
