"""Puts together what looks at the platform and its providers from outside."""

from __future__ import annotations

import httpx

from activities.status_pages import StatusPages
from activities.synthetic import Flows
from workers.parts import Parts
from workers.settings import Settings


def outside_looks(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> None:
    """Add the status pages, and the ways of users."""
    pages, ways = settings.status_pages, settings.flows
    parts.add(StatusPages(http, pages.pages, pages.named))
    flows = Flows(
        http, ways.url, [each.flow for each in ways.flows], bypass=ways.bypass, seconds=ways.seconds
    )
    parts.add(flows)
    parts.checks["flows.all"] = flows.sample
    parts.checks["flows.as_user"] = flows.sample_as_user
