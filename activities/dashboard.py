"""The dashboard as it is seen from outside: 200 is not enough, it must say what it should."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from enum import StrEnum

import httpx
from pydantic import Field
from temporalio import activity

from activities.changes import heartbeats
from activities.errors import Failed
from activities.verification import Sample
from activities.web import NoName, Web
from activities.words import Answer, Order

_MOST_BYTES = 1024 * 1024


class Trouble(StrEnum):
    """What is wrong with one answer."""

    NONE = ""
    NAME = "name not found"
    SILENT = "no answer"
    STATUS = "wrong status"
    CONTENT = "wrong content"


class LookAtDashboard(Order):
    """A question for a few looks in a row: one alone may be a blip."""

    looks: int = Field(default=3, ge=1, le=10)
    pause_seconds: float = Field(default=2.0, ge=0, le=20)


class DashboardLook(Answer):
    """One look."""

    trouble: Trouble
    said: str


class DashboardSeen(Answer):
    """A few looks in a row."""

    url: str
    looks: tuple[DashboardLook, ...]
    server: str = ""
    """What served the last answer: the header that says so."""
    ray: str = ""
    """Cloudflare's id of the last answer: what its support asks for."""

    @property
    def answers(self) -> bool:
        """Whether every look was good."""
        return all(not look.trouble for look in self.looks)

    @property
    def down(self) -> bool:
        """Whether no look was good, for a reason that is not our own eyes."""
        return all(look.trouble not in {Trouble.NONE, Trouble.NAME} for look in self.looks)

    @property
    def said(self) -> str:
        """What was seen, each thing once."""
        return "; ".join(dict.fromkeys(look.said for look in self.looks))


class Dashboard:
    """Asks for the dashboard's first page."""

    def __init__(
        self, http: httpx.AsyncClient, url: str, *, text: str, seconds: float = 5.0
    ) -> None:
        self._web = Web(http, "the dashboard", seconds=seconds, most_bytes=_MOST_BYTES)
        self._url = url
        self._text = text

    @activity.defn(name="dashboard.look")
    async def look(self, ask: LookAtDashboard) -> DashboardSeen:
        """Look a few times; whatever is wrong with it is an answer, not an error."""
        looks: list[DashboardLook] = []
        headers: dict[str, str] = {}
        async with heartbeats("looking at the dashboard"):
            for number in range(ask.looks):
                if number:
                    await asyncio.sleep(ask.pause_seconds)
                look, headers = await self._once()
                looks.append(look)
        return DashboardSeen(
            url=self._url,
            looks=tuple(looks),
            server=headers.get("server", "")[:50],
            ray=headers.get("cf-ray", "")[:50],
        )

    async def sample(self) -> Sample:
        """Look once; unknown where its name cannot be resolved, which may be our own doing."""
        look, _ = await self._once()
        good = None if look.trouble is Trouble.NAME else not look.trouble
        return Sample(at=datetime.now(UTC), good=good, note="" if good else look.said)

    async def _once(self) -> tuple[DashboardLook, dict[str, str]]:
        try:
            answer = await self._web.ask("GET", self._url)
        except NoName as error:
            return DashboardLook(trouble=Trouble.NAME, said=error.message), {}
        except Failed as error:
            return DashboardLook(trouble=Trouble.SILENT, said=error.message), {}
        trouble, said = Trouble.NONE, "it answers as it should"
        if answer.status != 200:
            trouble, said = Trouble.STATUS, f"it answers {answer.status}"
        elif self._text not in answer.text:
            trouble, said = Trouble.CONTENT, f"it answers 200, but without {self._text!r}"
        return DashboardLook(trouble=trouble, said=said), dict(answer.headers)
