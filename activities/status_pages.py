"""What the providers' status pages say: a hint that lags behind, never the reason to act alone.

Statuspage's public API v2 and the pages that imitate it (incident.io) are read alike. The named
components decide, not the page's own indicator: a page that covers hundreds of services is never
all green. What cannot be read is unknown, and unknown is never "operational".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import httpx
from pydantic import ValidationError
from temporalio import activity

from activities.errors import NotConfigured, Unavailable
from activities.redaction import beginning
from activities.web import Web
from activities.words import Answer, Order

Provider = Literal["supabase", "openai", "anthropic", "expo", "cloudflare", "upstash"]
State = Literal["operational", "degraded", "outage", "maintenance", "unknown"]

PROVIDERS: tuple[Provider, ...] = get_args(Provider)
PAGES: dict[str, str] = {
    "supabase": "https://status.supabase.com",
    "openai": "https://status.openai.com",
    "anthropic": "https://status.claude.com",
    "expo": "https://status.expo.dev",
    "cloudflare": "https://www.cloudflarestatus.com",
    "upstash": "https://status.upstash.com",
}
COMPONENTS: dict[str, tuple[str, ...]] = {
    "supabase": ("Database",),
    "openai": ("Chat Completions",),
    "anthropic": ("Claude API",),
    "expo": ("Push",),
    "cloudflare": ("Pages",),
    "upstash": ("Redis",),
}
"""The words by which the components that matter here are known on their page."""

_SECONDS = 5.0
_STATES: dict[str, State] = {
    "operational": "operational",
    "degraded_performance": "degraded",
    "partial_outage": "degraded",
    "major_outage": "outage",
    "full_outage": "outage",  # incident.io
    "under_maintenance": "maintenance",
}
_WORST: tuple[State, ...] = ("outage", "degraded", "maintenance", "unknown", "operational")
_MOST_NAMED = 5
_MOST_SAID = 120


class StatusOf(Order):
    """A question for what a provider says of itself."""

    provider: Provider


class ProviderStatus(Answer):
    """What a provider's status page says of the components that matter here."""

    provider: Provider
    state: State
    said: str
    """In words: the components with their states, and what is reported at the moment."""
    url: str
    """Where people read it."""


class _Component(Answer):
    name: str
    status: str = ""
    group: bool = False


class _Incident(Answer):
    name: str
    status: str = ""
    impact: str = ""


class _Summary(Answer):
    page: dict[str, Any]
    components: tuple[_Component, ...]
    incidents: tuple[_Incident, ...] = ()
    scheduled_maintenances: tuple[_Incident, ...] = ()


class StatusPages:
    """Reads the page of each provider; one without an address is not configured."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        urls: Mapping[str, str] = PAGES,
        components: Mapping[str, tuple[str, ...]] = COMPONENTS,
        *,
        seconds: float = _SECONDS,
    ) -> None:
        self._http = http
        self._urls = urls
        self._components = components
        self._seconds = seconds

    @activity.defn(name="status_pages.status")
    async def status(self, ask: StatusOf) -> ProviderStatus:
        """Read what the provider says of itself."""
        url = self._urls.get(ask.provider, "").rstrip("/")
        if not url:
            setting = f"RESPONDER_STATUS_PAGES__URLS__{ask.provider.upper()}"
            raise NotConfigured(f"the status page of {ask.provider}", setting)
        web = Web(self._http, f"the status page of {ask.provider}", seconds=self._seconds)
        answer = await web.ask("GET", f"{url}/api/v2/summary.json")
        if answer.status in range(300, 400):
            raise Unavailable(f"{web.system} has moved: its setting needs the new address")
        if answer.status != 200:
            raise web.refused(answer)
        try:
            summary = _Summary.model_validate(answer.json(web.system))
        except ValidationError:
            raise Unavailable(f"{web.system} does not answer as a status page does") from None
        state, said = judged(summary, self._components.get(ask.provider, ()))
        return ProviderStatus(provider=ask.provider, state=state, said=said, url=url)


def judged(summary: _Summary, named: tuple[str, ...]) -> tuple[State, str]:
    """Judge by the worst of the *named* components; without any of them it is unknown."""
    ours = [each for each in summary.components if not each.group and _named(each.name, named)]
    states = {_STATES.get(each.status, "unknown") for each in ours}
    state: State = next((each for each in _WORST if each in states), "unknown")
    said = [
        *(_words(f"{each.name}: {each.status or 'no state'}" for each in ours)),
        *_words(
            f"reported: {each.name} ({each.status})"
            for each in summary.incidents
            if each.status not in {"resolved", "postmortem"}
        ),
        *_words(
            f"maintenance: {each.name}"
            for each in summary.scheduled_maintenances
            if each.status in {"in_progress", "verifying"}
        ),
    ]
    if not ours:
        said.insert(0, f"the page names no component {' or '.join(named) or 'of ours'}")
    return state, "; ".join(said)


def _named(name: str, wanted: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?i)\b{re.escape(word)}\b", name) for word in wanted)


def _words(texts: Iterable[str]) -> list[str]:
    """Bound what a stranger's page says to a few short lines."""
    lines = [beginning(text, _MOST_SAID) for text in texts]
    more = len(lines) - _MOST_NAMED
    return lines[:_MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])
