"""Who is on call, by name, and who has acknowledged a page: asked of PagerDuty's REST API.

Nothing is ever changed here. Who cannot be named stays unknown: that nobody is on call is said
only of an answer that was read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from pydantic import Field, SecretStr
from temporalio import activity

from activities.errors import Failed, NotConfigured, NotYet, Unavailable
from activities.messages import fitted
from activities.pagerduty_api import PAGERDUTY_API, PagerDutyApi
from activities.words import Answer, Name, Order

MOST_KEY = 255
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
        self._api = PagerDutyApi(http, token, url=url, seconds=seconds)
        self._policies = {level: _split(policy) for level, policy in policies.items()}
        self._names = dict(names or {})

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
        answer = await self._api.get(f"/incidents?{query}")
        for raw in _listed(answer, "incidents", self._api.system):
            incident = self._api.read(_Incident, raw)
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
            answer = await self._api.get(f"/incidents/{quote(incident, safe='')}")
        except Failed as error:
            if error.type == "Refused":
                return ""
            raise
        found = answer.get("incident")
        if not isinstance(found, dict):
            raise Unavailable("PagerDuty answered without the incident it should")
        return self._api.read(_Incident, found).incident_key or ""

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
            answer = await self._api.get(f"/oncalls?{query}")
            listed = _listed(answer, "oncalls", self._api.system)
            shifts += [self._api.read(_Shift, raw) for raw in listed]
            if not answer.get("more"):
                return shifts
        raise Unavailable("PagerDuty lists more people on call than are read")

    def _name(self, user: _Reference) -> str:
        """Name a user as our own settings do, else as PagerDuty does."""
        return self._names.get(user.id.upper()) or (user.summary or user.id)[:_MOST_NAME]


def _split(policy: str) -> tuple[str, int]:
    name, _, place = policy.partition("/")
    return name.upper(), int(place or 1)


def _listed(answer: dict[str, Any], field: str, system: str) -> Iterator[dict[str, Any]]:
    found = answer.get(field)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unavailable(f"{system} answered 200, but without the {field} it should")
    return iter(found)
