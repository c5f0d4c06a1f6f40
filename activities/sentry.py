"""What Sentry has seen: the newest errors, and the slowest transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
from pydantic import AwareDatetime, Field, SecretStr, ValidationError
from temporalio import activity

from activities.errors import Throttled, Unavailable, clamp, retry_after
from activities.redaction import redact
from activities.web import Answered, Web
from activities.words import Answer, Order

SENTRY_URL = "https://sentry.io"
_SYSTEM = "Sentry"
_TITLE = 200
_DURATION, _COUNT = "p95()", "count()"


class NewestIssues(Order):
    """A question for the errors that happened most within the last minutes."""

    minutes: int = Field(default=60, ge=1, le=24 * 60)
    most: int = Field(default=5, ge=1, le=25)


class Issue(Answer):
    """One kind of error."""

    title: str
    culprit: str = ""
    """Where in the code."""
    count: int
    """How often, since it was first seen."""
    users: int = 0
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    url: str = ""


class Issues(Answer):
    """The errors, most frequent first."""

    issues: tuple[Issue, ...]


class SlowTransactions(Order):
    """A question for the slowest transactions of the last minutes."""

    minutes: int = Field(default=60, ge=1, le=24 * 60)
    most: int = Field(default=5, ge=1, le=25)


class Transaction(Answer):
    """One kind of request, and how long it takes."""

    name: str
    p95_seconds: float
    count: int


class Transactions(Answer):
    """The transactions, slowest first."""

    transactions: tuple[Transaction, ...]


class Sentry:
    """Asks one project of one organization; it only reads."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        organization: str,
        token: SecretStr,
        *,
        project: str = "",
        environment: str = "",
        url: str = SENTRY_URL,
        seconds: float = 8.0,
    ) -> None:
        """Take the organization.

        Args:
            http: What speaks HTTP.
            organization: Its slug.
            token: May read events (scope ``event:read``), and nothing else.
            project: Id of the project; all of them when left out.
            environment: The environment that counts; all of them when left out.
            url: Of the region: https://us.sentry.io, https://de.sentry.io.
            seconds: Given to one request.
        """
        self._web = Web(http, _SYSTEM, secrets=(token.get_secret_value(),), seconds=seconds)
        self._token = token
        self._base = f"{url.rstrip('/')}/api/0/organizations/{organization}"
        chosen = {"project": project, "environment": environment}
        self._chosen = {name: value for name, value in chosen.items() if value}

    @activity.defn(name="sentry.issues")
    async def issues(self, ask: NewestIssues) -> Issues:
        """List the unresolved errors that happened most."""
        answer = await self._get(
            "/issues/",
            {
                # Sentry has fixed spans for its groups; what was seen lately is said in the query.
                "query": f"is:unresolved lastSeen:-{ask.minutes}m",
                "sort": "freq",
                "statsPeriod": "24h",
                "limit": str(ask.most),
            },
        )
        try:
            found = [_issue(each) for each in answer.listed(_SYSTEM)]
        except (KeyError, TypeError, ValueError, ValidationError):
            raise Unavailable(f"{_SYSTEM} does not list issues as it should") from None
        return Issues(issues=tuple(found[: ask.most]))

    @activity.defn(name="sentry.slow_transactions")
    async def slow_transactions(self, ask: SlowTransactions) -> Transactions:
        """List the slowest transactions by their p95."""
        answer = await self._get(
            "/events/",
            {
                "dataset": "transactions",
                "field": ["transaction", _DURATION, _COUNT],
                "query": "event.type:transaction",
                "sort": f"-{_DURATION}",
                "statsPeriod": f"{ask.minutes}m",
                "per_page": str(ask.most),
            },
        )
        rows = answer.json(_SYSTEM).get("data")
        if not isinstance(rows, list):
            raise Unavailable(f"{_SYSTEM} does not list transactions as it should")
        try:
            found = [_transaction(row) for row in rows[: ask.most]]
        except (KeyError, TypeError, ValueError):
            raise Unavailable(f"{_SYSTEM} does not list transactions as it should") from None
        return Transactions(transactions=tuple(found))

    async def _get(self, path: str, params: Mapping[str, str | list[str]]) -> Answered:
        query = str(httpx.QueryParams({**self._chosen, **params}))
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Accept": "application/json",
        }
        answer = await self._web.ask("GET", f"{self._base}{path}?{query}", headers=headers)
        if answer.status == 200:
            return answer
        if answer.status == 429:
            raise Throttled(f"{_SYSTEM} answered 429: too many requests", wait=_wait(answer))
        if answer.status < 400:
            raise Unavailable(
                f"{_SYSTEM} answered {answer.status} instead of 200: is it {_SYSTEM}?"
            )
        raise self._web.refused(answer, _detail(answer))


def _issue(raw: Mapping[str, Any]) -> Issue:
    # What users typed stands in titles of errors, and so may a credential.
    return Issue(
        title=_short(raw["title"]),
        culprit=_short(raw.get("culprit") or ""),
        count=int(raw["count"]),  # a string, there
        users=int(raw.get("userCount") or 0),
        first_seen=raw["firstSeen"],
        last_seen=raw["lastSeen"],
        url=link if (link := str(raw.get("permalink") or "")).startswith("https://") else "",
    )


def _transaction(row: Mapping[str, Any]) -> Transaction:
    return Transaction(
        name=_short(row["transaction"]),
        p95_seconds=float(row[_DURATION]) / 1000,
        count=int(row[_COUNT]),
    )


def _short(text: object) -> str:
    return redact(re.sub(r"\s+", " ", str(text)))[:_TITLE]


def _wait(answer: Answered) -> timedelta | None:
    if (asked := retry_after(answer.headers)) is not None:
        return asked
    until = answer.headers.get("x-sentry-rate-limit-reset", "")
    return clamp(timedelta(seconds=int(until) - time.time())) if until.isdecimal() else None


def _detail(answer: Answered) -> str:
    try:
        return str(answer.json(_SYSTEM).get("detail", ""))
    except Unavailable:
        return ""
