"""What an LLM provider's answer means: the same few words for every provider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from activities.errors import retry_after
from activities.words import Answer

Provider = Literal["openai", "anthropic"]

_SPENT = frozenset({
    "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached", "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
})  # fmt: skip
_SPENT_WORDS = re.compile(r"(?i)credit balance|spend(ing)? limit|usage limit")
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


class Standing(StrEnum):
    """How a provider stands; each but the first is a finding of its own."""

    ANSWERS = "answers"
    DOWN = "down"
    OVERLOADED = "overloaded"
    LIMITED = "rate limited"
    QUOTA = "quota exhausted"
    CREDENTIALS = "bad credentials"
    FORBIDDEN = "not allowed"
    RETIRED = "model retired"
    NO_NAME = "its name cannot be resolved"
    UNCLEAR = "unclear"

    @property
    def ours(self) -> bool:
        """Whether it is our account or our settings that are refused, not everybody."""
        return self in _OURS

    @property
    def known(self) -> bool:
        """Whether it says how the provider is, and not how we are."""
        return self not in (Standing.NO_NAME, Standing.UNCLEAR)


_OURS = frozenset({Standing.QUOTA, Standing.CREDENTIALS, Standing.FORBIDDEN, Standing.RETIRED})


class Limits(Answer):
    """What the provider still lets through; None is not said."""

    requests: int | None = None
    """A minute, in all."""
    requests_left: int | None = None
    tokens_left: int | None = None
    resets_in_seconds: float | None = None
    """Until the requests are whole again."""
    wait_seconds: float | None = None
    """What it asks us to wait."""


@dataclass(frozen=True)
class Complaint:
    """The parts of an error that classify it, whoever sends it."""

    kind: str = ""
    code: str = ""
    message: str = ""

    @property
    def spent(self) -> bool:
        """Whether it is about money, so that waiting does not help."""
        return bool(_SPENT & {self.kind, self.code})


def complaint(body: object) -> Complaint | None:
    """Read the error of an answer; None where it is not in the providers' shape."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None
    details = error.get("details")
    code = error.get("code") or (details.get("error_code") if isinstance(details, dict) else "")
    return Complaint(
        kind=str(error.get("type") or ""),
        code=str(code or ""),
        message=str(error.get("message") or ""),
    )


def standing_of(status: int, said: Complaint | None, *, completes: bool) -> Standing:  # noqa: PLR0911
    """Say what an answer that is no success means.

    Args:
        status: Of HTTP.
        said: The error, if the answer has one.
        completes: Whether a completion was asked for, so that a 404 is about the model.
    """
    about = said or Complaint()
    if about.spent or status == 402 or (status == 400 and _SPENT_WORDS.search(about.message)):
        return Standing.QUOTA
    if status == 401:
        return Standing.CREDENTIALS
    if status == 403:
        return Standing.FORBIDDEN
    if status == 404 and (completes or about.code == "model_not_found"):
        return Standing.RETIRED if said else Standing.UNCLEAR
    if status == 429:
        return Standing.LIMITED
    # A 503 of the provider's own says "too busy"; one of something in between says nothing.
    if status == 529 or about.kind == "overloaded_error" or (status == 503 and said):
        return Standing.OVERLOADED
    return Standing.DOWN if status >= 500 or status == 408 else Standing.UNCLEAR


def openai_limits(headers: Mapping[str, str]) -> Limits:
    """Read ``x-ratelimit-…``: numbers, and spans such as 6m0s or 12ms."""
    return Limits(
        requests=_whole(headers, "x-ratelimit-limit-requests"),
        requests_left=_whole(headers, "x-ratelimit-remaining-requests"),
        tokens_left=_whole(headers, "x-ratelimit-remaining-tokens"),
        resets_in_seconds=span(headers.get("x-ratelimit-reset-requests", "")),
        wait_seconds=_wait(headers),
    )


def anthropic_limits(headers: Mapping[str, str]) -> Limits:
    """Read ``anthropic-ratelimit-…``: numbers, and times."""
    whole = headers.get("anthropic-ratelimit-requests-reset", "")
    return Limits(
        requests=_whole(headers, "anthropic-ratelimit-requests-limit"),
        requests_left=_whole(headers, "anthropic-ratelimit-requests-remaining"),
        tokens_left=_whole(headers, "anthropic-ratelimit-tokens-remaining"),
        resets_in_seconds=_until(whole),
        wait_seconds=_wait(headers),
    )


def span(text: str) -> float | None:
    """Read a span such as ``1h2m3.5s`` in seconds."""
    found = _SPAN.fullmatch(text.strip()) if len(text) < 40 else None
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def retirement(model: Mapping[str, Any]) -> str:
    """Say when a listed model ends, empty where no end is announced."""
    day = model.get("shutdown_date") or model.get("retires_at") or ""
    return str(day)[:10] if isinstance(day, str) else ""


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _until(text: str) -> float | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max((then - datetime.now(UTC)).total_seconds(), 0.0)


def _wait(headers: Mapping[str, str]) -> float | None:
    milliseconds = _whole(headers, "retry-after-ms")
    if milliseconds is not None:
        return milliseconds / 1000
    asked = retry_after(headers)
    return None if asked is None else asked.total_seconds()
