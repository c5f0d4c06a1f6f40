"""Puts together what looks at the platform and its providers from outside."""

from __future__ import annotations

import httpx

from activities.status_pages import StatusPages
from workers.parts import Parts
from workers.settings import Settings


def outside_looks(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> None:
    """Add the status pages."""
    section = settings.status_pages
    parts.add(StatusPages(http, section.pages, section.named))
