"""Puts together what looks at the platform and its providers from outside."""

from __future__ import annotations

import httpx

from activities.changes import Targets
from activities.cloudflare import CloudflareApi
from activities.dashboard import Dashboard
from activities.pages import Pages
from activities.pages_project import Project
from activities.public_page import PublicPage
from activities.status_pages import StatusPages
from activities.synthetic import Flows
from workers.parts import Parts
from workers.settings import Settings, variable
from workflows.efforts import Queue


def outside_looks(
    parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient
) -> None:
    """Add the status pages, the ways of users, the dashboard, and what serves it."""
    pages, ways = settings.status_pages, settings.flows
    parts.add(StatusPages(http, pages.pages, pages.named))
    flows = Flows(
        http, ways.url, [each.flow for each in ways.flows], bypass=ways.bypass, seconds=ways.seconds
    )
    parts.add(flows)
    parts.checks["flows.all"] = flows.sample
    parts.checks["flows.as_user"] = flows.sample_as_user
    _own_page(parts, settings, http)
    _dashboard(parts, settings, targets, http)


def _own_page(parts: Parts, settings: Settings, http: httpx.AsyncClient) -> None:
    if settings.status_pages.own.page:
        parts.add(own_page(settings, http), queue=Queue.CHANGES)
    else:
        setting = variable("status_pages", "own", "page")
        parts.lack("our status page", setting, PublicPage, queue=Queue.CHANGES)


def own_page(settings: Settings, http: httpx.AsyncClient) -> PublicPage:
    """Make the way to our own status page."""
    own = settings.status_pages.own
    return PublicPage(
        http, own.page, own.token, components=own.components, notifies=own.notifies, url=own.url
    )


def _dashboard(parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient) -> None:
    seen, section = settings.dashboard, settings.pages
    if seen.url:
        dashboard = Dashboard(http, seen.url, text=seen.text, seconds=seen.seconds)
        parts.add(dashboard)
        parts.checks["dashboard.answers"] = dashboard.sample
    else:
        parts.lack("the dashboard", variable("dashboard", "url"), Dashboard)
    if section.project:
        api = CloudflareApi(http, section.token, url=section.url)
        parts.add(Pages(Project(api, section.account, section.project), targets=targets))
    else:
        parts.lack("Cloudflare Pages", variable("pages", "project"), Pages)
