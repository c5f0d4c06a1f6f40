"""Looks at whether PagerDuty can tell us what people do there, and be told what they do here."""

from __future__ import annotations

from workers.checks.check import Check, Seen
from workers.pagerduty_parts import peoples_incidents
from workers.settings import variable


class PagerDutyWebhookCheck(Check):
    """Whether what people do in PagerDuty can be heard."""

    name = "PagerDuty's webhook"
    setting = variable("pagerduty", "webhook_secrets")
    without = "what people do in PagerDuty is not heard"

    @property
    def configured(self) -> bool:
        """Whether there is a secret that it signs with."""
        return bool(self.settings.pagerduty.webhook_secrets)

    async def look(self) -> Seen:
        """Look at the settings: only an event of PagerDuty's proves that it reaches the door."""
        section = self.settings.pagerduty
        count = len(section.webhook_secrets)
        said = f"{count} secret{'s' if count > 1 else ''}, {len(section.people)} people known"
        if section.people:
            return Seen(f"{said}; `responder doctor --page` proves the way back")
        people = variable("pagerduty", "people")
        return Seen(said, (f"nobody's word counts that comes from there: {people}",))


class PeoplesIncidentsCheck(Check):
    """Whether PagerDuty can be told what is done about incidents that people open there."""

    name = "incidents opened in PagerDuty"
    setting = variable("pagerduty", "webhook_secrets")
    without = "what people open in PagerDuty is not opened here"

    @property
    def configured(self) -> bool:
        """Whether such incidents are opened here; the worker knows no secret of the door's."""
        section = self.settings.pagerduty
        heard = bool(section.webhook_secrets or section.from_address)
        return heard and section.open_what_people_open

    async def look(self) -> Seen:
        """Try the right to write on an incident that does not exist: nothing can come of it."""
        lacks = await peoples_incidents(self.settings, self.http).lacking()
        untold = "what is acknowledged and resolved here is not said there"
        may_not = tuple(f"{untold}: {each}" for each in lacks)
        return Seen("opened here too", may_not=may_not)
