"""Opens here what people of ours open in PagerDuty by hand.

The incident's id follows from PagerDuty's alone, so every event of it finds it, whichever door
takes the event; and PagerDuty gives an id only once, so a second opening is a repeat.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import httpx
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.errors import Failed
from activities.pagerduty_there import OPENED_THERE, PeoplesIncidents
from starters.opening import by_hand, open_once
from starters.pagerduty_payload import Happened, Ignored
from workers.settings import Settings, variable
from workflows.page_events import PageEvent, PageHappening

_LATEST = timedelta(days=2)
"""For so long PagerDuty repeats an event: an older one was sent by whoever has kept it."""
_LOOK_SECONDS = 1.5
_MOST_EARLY = 500
_MOST_EVENTS = 10

_log = logging.getLogger(__name__)


class PeoplesOpenings:
    """Opens incidents that people have opened there."""

    def __init__(self, client: Client, settings: Settings, *, seconds: float) -> None:
        self._client = client
        self._settings = settings
        self._seconds = seconds
        self._early: OrderedDict[str, list[PageEvent]] = OrderedDict()
        """What people did there before we heard that it was opened, by our name for it. Lost with
        the process, and then seen by how it stands there, where we may look."""

    def keep(self, incident: str, event: PageEvent) -> None:
        """Keep what somebody of ours did to what is not open here: it may be opened yet."""
        if not event.by:
            return
        known = self._early.setdefault(incident, [])
        if event.id not in (each.id for each in known):
            known.append(event)
        del known[:-_MOST_EVENTS]
        self._early.move_to_end(incident)
        while len(self._early) > _MOST_EARLY:
            self._early.popitem(last=False)

    async def look(self, happened: Happened, incident: str, event: PageEvent) -> list[PageEvent]:
        """Refuse what nobody of ours has opened, and give what was done there since, in order."""
        self._check(event)
        early = sorted(self._early.get(incident, ()), key=lambda each: each.at)
        return early or await self._standing(happened, event)

    async def open(
        self, happened: Happened, incident: str, event: PageEvent, since: list[PageEvent]
    ) -> None:
        """Open the incident, which hears of the first of *since* before it does anything."""
        alert = by_hand(
            OPENED_THERE,
            happened.service or "unknown",
            happened.severity,
            self._settings.environment,
            why=happened.title,
            who=event.by,
            at=min(event.at, datetime.now(UTC)),
        )
        try:
            await open_once(
                self._client,
                incident,
                alert,
                self._settings.policy,
                environment=self._settings.environment,
                seconds=self._seconds,
                heard=since[0] if since else None,
            )
        except WorkflowAlreadyStartedError:
            raise Ignored("over") from None

    def forget(self, incident: str) -> None:
        """Drop what was kept of it: Temporal has it now."""
        self._early.pop(incident, None)

    def _check(self, event: PageEvent) -> None:
        """Say why it opens nothing."""
        if not event.human or not self._settings.pagerduty.open_what_people_open:
            raise Ignored("not_ours")
        if not event.by:
            setting = variable("pagerduty", "people")
            self._unopened(event, f"it is not known who that is: {setting} says it")
            raise Ignored("opened_by_stranger")
        rights = self._settings.policy.rights(event.by)
        if rights is None or not rights.responder:
            setting = variable("policy", "people")
            self._unopened(event, f"{event.by} does not have the responder role: {setting}")
            raise Ignored("opened_without_role")
        if event.at < datetime.now(UTC) - _LATEST:
            raise Ignored("too_late")

    def _unopened(self, event: PageEvent, why: str) -> None:
        said = "what %s has opened in PagerDuty by hand is not opened here: %s"
        _log.warning(said, event.agent, why)

    async def _standing(self, happened: Happened, event: PageEvent) -> list[PageEvent]:
        """Look how it stands there, for another door may have taken what came before."""
        section = self._settings.pagerduty
        if not section.api_token.get_secret_value():
            return []
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                peoples = PeoplesIncidents(
                    http, section.api_token, url=section.api_url, seconds=_LOOK_SECONDS
                )
                done = (await peoples.standing(happened.there)).done
        except Failed as error:
            # Whoever opened it waits; what comes later is heard of.
            _log.warning("how an incident stands in PagerDuty is not known: %s", error.message)
            return []
        if done is None:
            return []
        state, user, at = done
        by = section.names.get(user.upper(), "")
        found = PageEvent(
            id=f"{happened.there}-stands-{state}",
            happening=PageHappening(state),
            key=event.key,
            at=at,
            by=by,
            human=True,
        )
        return [found] if by else []
