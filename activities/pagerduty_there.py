"""Incidents that people open by hand at PagerDuty: how they are named here, and told of.

The Events API knows nothing of them, for it knows only what came by it: what is done here is said
there by the REST API, in the name of whoever did it where PagerDuty knows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

import httpx
from pydantic import AwareDatetime, SecretStr

from activities.errors import Failed, Refused, Unavailable
from activities.pagerduty_api import PAGERDUTY_API, PagerDutyApi
from activities.web import Answered
from activities.words import Answer

OPENED_THERE = "OpenedInPagerDuty"
"""Name of the alert that such an incident has."""
State = Literal["acknowledged", "resolved"]

_KEY = "there/"
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
"""An e-mail address that can stand in a header."""
_ID = re.compile(r"[A-Za-z0-9]{1,40}")
_NAMED = re.compile(rf"{OPENED_THERE}-({_ID.pattern})")
_SECONDS = 2.4
"""Of four requests at most, within the time that a page is given."""
_ALREADY = {1001: "resolved", 1002: "acknowledged"}
_OF_SENDER = frozenset({400, 403})
_NO_SENDER = frozenset({1008, 2016})
"""Codes of PagerDuty for a writer who is none of its users, and for one who is not named."""
_NOWHERE = "NOSUCHINCIDENT"
_TOKEN, _FROM = "RESPONDER_PAGERDUTY__API_TOKEN", "RESPONDER_PAGERDUTY__FROM_ADDRESS"
_NEEDS_KEY = f"set {_TOKEN} to a key of the REST API that may write"
_NEEDS_SENDER = f"set {_FROM} to the e-mail address of a user there"
_REMEDIES = {401: _NEEDS_KEY, 403: _NEEDS_KEY, 404: "it is not there any more"}


def incident_of(there: str) -> str:
    """Name the incident here of an incident there, by its id alone; empty where that is no id."""
    return f"{OPENED_THERE}-{there}" if _ID.fullmatch(there) else ""


def key_of(incident: str) -> str:
    """Give the key of the page that such an incident has from the start; empty for any other."""
    found = _NAMED.fullmatch(incident)
    return f"{_KEY}{found[1]}" if found else ""


def there(key: str) -> str:
    """Give the id there of a page that people opened; empty for a page of ours."""
    return key.removeprefix(_KEY) if key.startswith(_KEY) else ""


class _User(Answer):
    id: str
    email: str = ""
    type: str = ""
    summary: str | None = None


class _Acknowledgement(Answer):
    at: AwareDatetime
    acknowledger: _User


class Standing(Answer):
    """How an incident stands there."""

    status: str
    acknowledgements: tuple[_Acknowledgement, ...] = ()
    last_status_change_at: AwareDatetime | None = None
    last_status_change_by: _User | None = None

    @property
    def done(self) -> tuple[State, str, datetime] | None:
        """What a user has done to it last, the user's id, and when; None where none has."""
        who, at = self.last_status_change_by, self.last_status_change_at
        if self.status == "acknowledged" and self.acknowledgements:
            who, at = self.acknowledgements[-1].acknowledger, self.acknowledgements[-1].at
        if self.status not in ("acknowledged", "resolved") or who is None or at is None:
            return None
        state: State = "resolved" if self.status == "resolved" else "acknowledged"
        return (state, who.id, at) if who.type.startswith("user") else None


class PeoplesIncidents:
    """Says at PagerDuty what is done here about incidents that people opened there."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: SecretStr,
        *,
        people: Mapping[str, str] | None = None,
        sender: str = "",
        url: str = PAGERDUTY_API,
        seconds: float = _SECONDS,
    ) -> None:
        """Take *people*, our names by the ids of users there; *sender* speaks for all others."""
        self._known = bool(token.get_secret_value())
        self._api = PagerDutyApi(http, token, url=url, seconds=seconds)
        self._users = {name: user for user, name in (people or {}).items()}
        self._sender = sender
        self._addresses: dict[str, str] = {}

    async def say(self, incident: str, state: State, by: str = "") -> str:
        """Set an incident there to *state*, once, and tell what came of it."""
        if not self._known:
            raise Refused(f"PagerDuty cannot be told what is {state} here: {_NEEDS_KEY}")
        # To acknowledge what has been resolved there meanwhile would open it again.
        if state == "acknowledged" and (await self.standing(incident)).status == "resolved":
            return "It is resolved there already."
        answer = await self._put_by(incident, state, by)
        if answer.status == HTTPStatus.OK and self._read(answer).status != state:
            raise Unavailable(f"PagerDuty answered 200, and it is not {state} there")
        if answer.status == HTTPStatus.OK:
            return f"Told PagerDuty that it is {state}."
        if already := self._already(answer):
            return f"It is {already} there already."
        raise self._refusal(answer)

    async def standing(self, incident: str) -> Standing:
        """Look at an incident there."""
        answer = await self._api.ask("GET", f"/incidents/{incident}")
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer)
        return self._read(answer)

    def _read(self, answer: Answered) -> Standing:
        return self._api.read(Standing, answer.json(self._api.system).get("incident"))

    async def lacking(self) -> tuple[str, ...]:
        """Say what is missing to set anything there; of what it tries it on, there is none."""
        if not self._known:
            return (_NEEDS_KEY,)
        answer = await self._put(_NOWHERE, "acknowledged", self._sender)
        if answer.status != HTTPStatus.NOT_FOUND:
            return (self._refusal(answer).message,)
        return () if self._sender else (_NEEDS_SENDER,)

    async def _put_by(self, incident: str, state: State, by: str) -> Answered:
        """Set it in the name of *by*, and where that person may not, in that of all others."""
        senders = [each for each in (await self._address(by), self._sender) if each] or [""]
        for sender in senders:
            answer = await self._put(incident, state, sender)
            if answer.status not in _OF_SENDER or self._already(answer):
                break
        return answer

    def _already(self, answer: Answered) -> str:
        code = self._api.error(answer).get("code")
        return _ALREADY.get(code, "") if isinstance(code, int) else ""

    async def _put(self, incident: str, state: State, sender: str) -> Answered:
        body: dict[str, Any] = {"incident": {"type": "incident_reference", "status": state}}
        return await self._api.put(f"/incidents/{incident}", body, sender=sender)

    async def _address(self, name: str) -> str:
        """Give the address of a person as PagerDuty has it; empty where it does not."""
        user = self._users.get(name, "")
        if user and user not in self._addresses:
            try:
                found = (await self._api.get(f"/users/{user}")).get("user")
            except Refused:
                return ""
            address = self._api.read(_User, found).email
            self._addresses[user] = address if ADDRESS.fullmatch(address) else ""
        return self._addresses.get(user, "")

    def _refusal(self, answer: Answered) -> Failed:
        """Say why it was refused, and what to set."""
        refused = self._api.refused(answer)
        remedy = _REMEDIES.get(answer.status, "")
        code = self._api.error(answer).get("code")
        if isinstance(code, int) and code in _NO_SENDER:
            remedy = _NEEDS_SENDER
        asked = isinstance(refused, Refused) and remedy
        return Refused(f"{refused.message}: {remedy}") if asked else refused
