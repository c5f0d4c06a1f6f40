"""Who is on call, by name, and who has acknowledged a page: asked of PagerDuty's REST API.

Nothing is ever changed here. Who cannot be named stays unknown: that nobody is on call is said
only of an answer that was read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import Field, SecretStr, ValidationError
from temporalio import activity

from activities.errors import Failed, NotConfigured, NotYet, Throttled, Unavailable, retry_after
from activities.messages import fitted
from activities.web import Answered, Web
from activities.words import Answer, Name, Order

PAGERDUTY_API = "https://api.pagerduty.com"
MOST_KEY = 255
_Model = TypeVar("_Model", bound=Answer)
_LIMIT = 100
_MOST_PAGES = 10
_MOST_NAME = 100
_MOST_NAMES = 20
_SECONDS = 8.0
_EVERY = timedelta(seconds=10)


class AskOnCall(Order):
    """Who is on call now?"""

    levels: tuple[Name, ...] = Field(min_length=1, max_length=20)


class OnCallNow(Answer):
    """Who is on call, by level; one that PagerDuty was not told of is missing."""

    names: dict[str, tuple[str, ...]]
    """Empty where PagerDuty says that it is nobody's turn."""


class AwaitAcknowledgement(Order):
    """Has somebody acknowledged a page?"""

    dedup_key: str = Field(min_length=1, max_length=1000)


class AcknowledgedBy(Answer):
    """Who has acknowledged a page there."""

    by: str


class _Reference(Answer):
    id: str
    type: str = ""
    summary: str | None = None


class _Shift(Answer):
    user: _Reference
    escalation_policy: _Reference
    escalation_level: int


class _Acknowledgement(Answer):
    acknowledger: _Reference


class _Incident(Answer):
    incident_key: str | None = None
    status: str
    acknowledgements: tuple[_Acknowledgement, ...] = ()
    last_status_change_by: _Reference | None = None


class OnCall:
    """Asks PagerDuty; *policies* has by level the id of an escalation policy, and its level."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: SecretStr,
        policies: Mapping[str, str],
        *,
        names: Mapping[str, str] | None = None,
        url: str = PAGERDUTY_API,
        seconds: float = _SECONDS,
    ) -> None:
        secret = token.get_secret_value()
        self._web = Web(http, "PagerDuty", secrets=(secret,), seconds=seconds)
        self._headers = {
            "authorization": f"Token token={secret}",
            "accept": "application/vnd.pagerduty+json;version=2",
        }
        self._policies = {level: _split(policy) for level, policy in policies.items()}
        self._names = dict(names or {})
        self._url = url.rstrip("/")

    @activity.defn(name="pagerduty.on_call")
    async def on_call(self, ask: AskOnCall) -> OnCallNow:
        """Name who is on call at each level."""
        wanted = {lvl: self._policies[lvl] for lvl in ask.levels if lvl in self._policies}
        if not wanted:
            raise NotConfigured("Who is on call", "RESPONDER_PAGERDUTY__ESCALATION_POLICIES")
        ids = sorted({policy for policy, _ in wanted.values()})
        shifts = await self._shifts(ids)
        found: dict[str, tuple[str, ...]] = {}
        for level, (policy, place) in wanted.items():
            there = (s for s in shifts if s.escalation_policy.id.upper() == policy)
            turn = (self._name(s.user) for s in there if s.escalation_level == place)
            found[level] = tuple(dict.fromkeys(turn))[:_MOST_NAMES]
        return OnCallNow(names=found)

    @activity.defn(name="pagerduty.acknowledged")
    async def acknowledged(self, ask: AwaitAcknowledgement) -> AcknowledgedBy:
        """Look once for a person's acknowledgement of a page; fail with `NotYet` without one."""
        key = fitted(ask.dedup_key, MOST_KEY)
        query = urlencode({"incident_key": key, "limit": 5, "date_range": "all"})
        answer = await self._ask(f"/incidents?{query}")
        for raw in _listed(answer, "incidents", self._web.system):
            incident = _read(_Incident, raw, self._web.system)
            if incident.incident_key != key:
                continue
            people = [each.acknowledger for each in incident.acknowledgements]
            if incident.status == "resolved" and incident.last_status_change_by:
                people.append(incident.last_status_change_by)
            # A service or an integration may have done it too: that woke nobody.
            for who in people:
                if who.type.startswith("user"):
                    return AcknowledgedBy(by=self._name(who))
        raise NotYet("nobody has acknowledged it at PagerDuty", wait=_EVERY)

    async def key_of(self, incident: str) -> str:
        """Give the deduplication key of an incident there; empty where it has none, or is gone."""
        try:
            answer = await self._ask(f"/incidents/{quote(incident, safe='')}")
        except Failed as error:
            if error.type == "Refused":
                return ""
            raise
        found = answer.json(self._web.system).get("incident")
        if not isinstance(found, dict):
            raise Unavailable("PagerDuty answered without the incident it should")
        return _read(_Incident, found, self._web.system).incident_key or ""

    async def _shifts(self, policies: list[str]) -> list[_Shift]:
        shifts: list[_Shift] = []
        for page in range(_MOST_PAGES):
            query = urlencode(
                {
                    "escalation_policy_ids[]": policies,
                    "earliest": "true",
                    "limit": _LIMIT,
                    "offset": page * _LIMIT,
                },
                doseq=True,
            )
            answer = await self._ask(f"/oncalls?{query}")
            listed = _listed(answer, "oncalls", self._web.system)
            shifts += [_read(_Shift, raw, self._web.system) for raw in listed]
            if not answer.json(self._web.system).get("more"):
                return shifts
        raise Unavailable("PagerDuty lists more people on call than are read")

    async def _ask(self, path: str) -> Answered:
        answer = await self._web.ask("GET", f"{self._url}{path}", headers=self._headers)
        if answer.status == 200:
            return answer
        if answer.status == 429:
            wait = retry_after(answer.headers) or _reset(answer.headers)
            raise Throttled("PagerDuty answered 429: too many requests", wait=wait)
        if answer.status in range(201, 400):
            raise Unavailable(f"PagerDuty answered {answer.status} instead of 200")
        raise self._refused(answer)

    def _refused(self, answer: Answered) -> Failed:
        try:
            error = answer.json(self._web.system).get("error")
        except Unavailable:
            error = None
        said = error.get("message") if isinstance(error, dict) else ""
        return self._web.refused(answer, str(said or ""))

    def _name(self, user: _Reference) -> str:
        """Name a user as our own settings do, else as PagerDuty does."""
        return self._names.get(user.id.upper()) or (user.summary or user.id)[:_MOST_NAME]


def _split(policy: str) -> tuple[str, int]:
    name, _, place = policy.partition("/")
    return name.upper(), int(place or 1)


def _listed(answer: Answered, field: str, system: str) -> Iterator[dict[str, Any]]:
    found = answer.json(system).get(field)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unavailable(f"{system} answered {answer.status}, but without the {field} it should")
    return iter(found)


def _read(model: type[_Model], raw: dict[str, Any], system: str) -> _Model:
    try:
        return model.model_validate(raw)
    except ValidationError:
        raise Unavailable(f"{system} answered in a shape that is not known") from None


def _reset(headers: Mapping[str, str]) -> timedelta | None:
    """Read ratelimit-reset, which is in seconds, and often missing."""
    raw = headers.get("ratelimit-reset", "")
    return timedelta(seconds=int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 6 else None
