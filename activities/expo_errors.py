"""What it means when Expo's push service does not take what it is sent, or says nothing."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from activities.errors import Ambiguous, Failed, Refused, Throttled, Unavailable

_MOST_SAID = 300


class Unauthorized(Refused):
    """Expo refuses the access token."""


class SeveralProjects(Refused):
    """Expo sends for one project at a time: nothing was sent; it says whose phones are whose."""

    def __init__(self, said: str, projects: Sequence[frozenset[str]]) -> None:
        super().__init__(said)
        self.projects = projects


class NoSuchHost(Unavailable):
    """The name of Expo's host cannot be resolved, which says nothing about Expo."""


def projects_named(parsed: Mapping[str, Any]) -> list[frozenset[str]]:
    """Read which phones belong together, where Expo refuses them for not doing so."""
    errors = parsed.get("errors")
    for each in errors if isinstance(errors, list) else []:
        if isinstance(each, dict) and each.get("code") == "PUSH_TOO_MANY_EXPERIENCE_IDS":
            told = each.get("details")
            lists = list(told.values()) if isinstance(told, dict) else []
            return [frozenset(map(str, phones)) for phones in lists if isinstance(phones, list)]
    return []


def lost(error: Exception, *, writes: bool) -> Failed:
    """Classify a request that has no answer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return NoSuchHost("Expo: the name of its host cannot be resolved")
        cause = cause.__cause__ or cause.__context__
    kind = type(error).__name__
    unsent = httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.InvalidURL
    if writes and not isinstance(error, unsent):
        return Ambiguous(f"Expo: the answer was lost ({kind}): it may be sent")
    return Unavailable(f"Expo: no answer ({kind})")


def refused(codes: Sequence[tuple[str, str]], *, writes: bool) -> Failed:
    """Classify errors in an answer whose status is 200."""
    names = [code for code, _ in codes]
    text = "Expo answered " + "; ".join(f"{code}: {said}" for code, said in codes)[:_MOST_SAID]
    if "UNAUTHORIZED" in names:
        return Unauthorized(text)
    if "TOO_MANY_REQUESTS" in names:
        return Throttled(text)
    if any(n.startswith(("PUSH_TOO_MANY", "VALIDATION")) or n == "API_ERROR" for n in names):
        return Refused(text)
    return Ambiguous(text) if writes else Unavailable(text)
