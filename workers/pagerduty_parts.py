"""What is made of the settings of PagerDuty."""

from __future__ import annotations

import httpx

from activities.on_call import OnCall
from activities.pagerduty import PagerDuty
from activities.pagerduty_there import PeoplesIncidents
from workers.parts import Parts
from workers.settings import Settings, variable
from workflows.efforts import Queue


def pagerduty(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> None:
    """Add pages, what is said of incidents that people opened there, and who is on call."""
    section = settings.pagerduty
    peoples = peoples_incidents(settings, http)
    pages = PagerDuty(http, section.routes, url=section.base_url, peoples=peoples)
    parts.add(pages, queue=Queue.PAGES)
    if section.api_token.get_secret_value():
        asked = OnCall(
            http, section.api_token, section.policies, names=section.names, url=section.api_url
        )
        parts.add(asked, queue=Queue.PROBES)
    else:
        setting = variable("pagerduty", "api_token")
        parts.lack("Who is on call", setting, OnCall, queue=Queue.PROBES)


def peoples_incidents(settings: Settings, http: httpx.AsyncClient) -> PeoplesIncidents:
    """Make what says at PagerDuty what is done here about incidents that people opened there."""
    section = settings.pagerduty
    return PeoplesIncidents(
        http,
        section.api_token,
        people=section.names,
        sender=section.from_address,
        url=section.api_url,
    )
