"""What is made of the settings of PagerDuty."""

from __future__ import annotations

import httpx

from activities.on_call import OnCall
from activities.pagerduty import PagerDuty
from workers.parts import Parts
from workers.settings import Settings, variable
from workflows.efforts import Queue


def pagerduty(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> None:
    """Add pages, and who is on call."""
    section = settings.pagerduty
    if any(key.get_secret_value() for key in section.routes.values()):
        parts.add(PagerDuty(http, section.routes, url=section.base_url), queue=Queue.PAGES)
    else:
        setting = variable("pagerduty", "routing_key")
        parts.lack("PagerDuty", setting, PagerDuty, queue=Queue.PAGES)
    if section.api_token.get_secret_value():
        asked = OnCall(
            http, section.api_token, section.policies, names=section.names, url=section.api_url
        )
        parts.add(asked, queue=Queue.PROBES)
    else:
        setting = variable("pagerduty", "api_token")
        parts.lack("Who is on call", setting, OnCall, queue=Queue.PROBES)
