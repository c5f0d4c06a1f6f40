"""What PagerDuty posts: one event of one incident of its own, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.documents import clean
from activities.words import Severity
from starters.requests import Moment
from workflows.page_events import PageEvent, PageHappening

_TYPE = re.compile(r"incident\.([a-z_]+)")
_KEY = re.compile(r"(?P<incident>[^/\s]{1,200})/(?P<run>[0-9a-f-]{36})/\S+")
_MOST_KEY = 255
_MOST_NAME = 100
_MOST_NAMES = 10
_MOST_NOTE = 3000
_MOST_TITLE = 1000
_MOST_SERVICE = 100
_UNFIT = re.compile(r"[^\w.]+")
_USER = "user"


class _Received(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Reference(_Received):
    id: str = Field(max_length=100)
    type: str = Field(default="", max_length=100)
    summary: str | None = None

    @property
    def name(self) -> str:
        return clean(self.summary or self.id)[:_MOST_NAME]


class _Data(_Received):
    id: str = Field(default="", max_length=100)
    type: str = Field(default="", max_length=100)
    incident_key: str | None = None
    title: str | None = None
    urgency: str | None = None
    service: _Reference | None = None
    assignees: tuple[_Reference, ...] = ()
    content: str = ""
    incident: _Reference | None = None


class _Event(_Received):
    id: str = Field(min_length=1, max_length=100)
    event_type: str = Field(max_length=100)
    occurred_at: Moment
    agent: _Reference | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class _Envelope(_Received):
    event: _Event


class Ignored(Exception):
    """An event that is none of our business; the reason is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Happened:
    """An event of an incident there, before it is known which page that is."""

    happening: PageHappening
    there: str
    """Id of the incident at PagerDuty."""
    key: str
    """Of the page; empty where the event does not say it, or there is none."""
    _event: _Event
    _data: _Data

    @property
    def whole(self) -> bool:
        """Whether it carries the incident itself, and with it its key if it has one."""
        return self.happening is not PageHappening.ANNOTATED

    @property
    def title(self) -> str:
        """What whoever opened it has written."""
        return clean(self._data.title or "")[:_MOST_TITLE].strip() or "no title"

    @property
    def service(self) -> str:
        """What it is about, as a label: ``Pravado API`` is pravado-api."""
        service = self._data.service
        return _UNFIT.sub("-", service.name.lower()).strip("-.")[:_MOST_SERVICE] if service else ""

    @property
    def severity(self) -> Severity:
        """How bad it is, by its urgency: only what is known to wait is a warning."""
        return Severity.WARNING if self._data.urgency == "low" else Severity.CRITICAL

    def told(self, key: str, people: Mapping[str, str]) -> PageEvent:
        """Say it of the page *key*; *people* has our names by the ids of users there."""
        agent = self._event.agent
        human = agent is not None and agent.type.startswith(_USER)
        names = [people.get(each.id.upper()) or each.name for each in self._data.assignees]
        note = self.happening is PageHappening.ANNOTATED
        who = agent.name if agent else ""
        if agent and human:
            who = f"{who} ({clean(agent.id)})"
        return PageEvent(
            id=self._event.id,
            happening=self.happening,
            key=key,
            at=self._event.occurred_at,
            by=people.get(agent.id.upper(), "") if agent and human else "",
            agent=who,
            human=human,
            text=self._data.content[:_MOST_NOTE] if note else ", ".join(names[:_MOST_NAMES]),
        )


def read(body: bytes) -> Happened:
    """Read a delivery; `Ignored` says why it is nothing for us."""
    try:
        event = _Envelope.model_validate_json(body).event
        kind = _TYPE.fullmatch(event.event_type)
        if kind is None or kind[1] not in {*PageHappening}:
            raise Ignored("other_type")
        data = _Data.model_validate(event.data)
    except (ValidationError, ValueError):
        # It is signed, so PagerDuty sent it: it would be so again, and three refusals make it
        # send nothing for a day.
        raise Ignored("unreadable") from None
    happening = PageHappening(kind[1])
    there = data.incident.id if data.incident else data.id
    return Happened(happening, there, (data.incident_key or "")[:_MOST_KEY], event, data)


def incident_of(key: str) -> str:
    """Name the incident whose page has *key*; empty where it is none of ours."""
    found = _KEY.fullmatch(key)
    return found["incident"] if found else ""
