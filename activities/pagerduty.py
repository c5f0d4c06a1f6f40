"""Pages people through PagerDuty's Events API v2.

An event is recognised by its dedup key and routing key, so repeating one is safe. PagerDuty answers
202 even to what it drops: an acknowledgement or a resolution sent with another routing key than the
page's. So a page says by which route it went, and what follows goes the same way. What people have
opened there by hand no event reaches: that is told by the REST API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import httpx
from pydantic import AwareDatetime, SecretStr
from temporalio import activity

from activities.errors import NotConfigured, Throttled, Unavailable, from_status, retry_after
from activities.messages import Fact, Link, fitted
from activities.pagerduty_there import PeoplesIncidents, State, there
from activities.redaction import redact
from activities.words import Answer, Order, Severity, Urgency

PAGERDUTY_URL = "https://events.pagerduty.com"
DEFAULT_ROUTE = "default"
THROTTLED_WAIT = timedelta(seconds=30)
"""PagerDuty names no waiting time; its window is a minute."""
_MOST_SUMMARY = 1_024
_MOST_KEY = 255
_MOST_DETAILS = 40
_MOST_DETAIL = 2_000
_MOST_LINKS = 10
_MOST_ANSWER_BYTES = 64 * 1024
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_STATES: dict[str, State] = {"acknowledge": "acknowledged", "resolve": "resolved"}


class Page(Order):
    """Wake somebody, or leave them a note for the morning."""

    dedup_key: str
    level: str
    """The escalation level that is paged; one without its own routing key goes the default way,
    and where there is none by any other's."""
    urgency: Urgency
    severity: Severity
    summary: str
    source: str
    component: str = ""
    details: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    at: AwareDatetime | None = None
    """When it began."""


class Follow(Order):
    """Acknowledge or resolve what an earlier page opened."""

    dedup_key: str
    route: str
    """As the answer to the page said."""
    by: str = ""
    """Who has done it; said only of what people have opened there."""


class Paged(Answer):
    """What was sent, and by which route."""

    dedup_key: str
    route: str
    said: str


class PagerDuty:
    """Sends events; *routing_keys* has one for each escalation level, and a default."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        routing_keys: Mapping[str, SecretStr],
        *,
        url: str = PAGERDUTY_URL,
        timeout: httpx.Timeout = _TIMEOUT,
        peoples: PeoplesIncidents | None = None,
    ) -> None:
        self._client = client
        self._peoples = peoples or PeoplesIncidents(client, SecretStr(""))
        self._keys = {level: key for level, key in routing_keys.items() if key.get_secret_value()}
        self._url = f"{url.rstrip('/')}/v2/enqueue"
        self._timeout = timeout

    @activity.defn(name="pagerduty.page")
    async def page(self, order: Page) -> Paged:
        """Open an alert; while it is open, the same key only adds to its log."""
        route = self._route(order.level)
        await self._enqueue("trigger", order.dedup_key, route, _event(order))
        said = f"Paged {order.level} ({order.urgency} urgency)."
        if route != order.level:
            said = f"{said} It has no routing key of its own, so this went the way of {route}."
        return Paged(dedup_key=fitted(order.dedup_key, _MOST_KEY), route=route, said=said)

    @activity.defn(name="pagerduty.acknowledge")
    async def acknowledge(self, order: Follow) -> Paged:
        """Stop PagerDuty's own escalation: somebody is on it."""
        return await self._follow("acknowledge", order)

    @activity.defn(name="pagerduty.resolve")
    async def resolve(self, order: Follow) -> Paged:
        """Close the alert; a page sent after it would open a new one."""
        return await self._follow("resolve", order)

    async def _follow(self, action: Literal["acknowledge", "resolve"], order: Follow) -> Paged:
        if incident := there(order.dedup_key):
            said = await self._peoples.say(incident, _STATES[action], order.by)
            return Paged(dedup_key=order.dedup_key, route=order.route, said=said)
        route = self._route(order.route)
        await self._enqueue(action, order.dedup_key, route, {})
        key = fitted(order.dedup_key, _MOST_KEY)
        return Paged(dedup_key=key, route=route, said=f"Told PagerDuty to {action}.")

    def _route(self, level: str) -> str:
        if level in self._keys:
            return level
        if DEFAULT_ROUTE in self._keys:
            return DEFAULT_ROUTE
        if self._keys:
            # Somebody who is woken in another's place is better than nobody.
            return min(self._keys)
        raise NotConfigured("PagerDuty", "RESPONDER_PAGERDUTY__ROUTING_KEY")

    async def _enqueue(
        self, action: str, dedup_key: str, route: str, particulars: dict[str, Any]
    ) -> None:
        secret = self._keys[route].get_secret_value()
        event = {
            "routing_key": secret,
            "event_action": action,
            "dedup_key": fitted(dedup_key, _MOST_KEY),
            **particulars,
        }
        try:
            async with self._client.stream(
                "POST", self._url, json=event, timeout=self._timeout, follow_redirects=False
            ) as answer:
                status, headers, body = answer.status_code, answer.headers, await _some(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Repeating is safe, so whether it arrived makes no difference. Not chained: the error
            # holds the request, and that the routing key.
            raise Unavailable(f"PagerDuty: no answer ({type(error).__name__})") from None
        if status == 202:
            return
        if status == 429:
            wait = retry_after(headers) or THROTTLED_WAIT
            raise Throttled("PagerDuty answered 429: too many events", wait=wait)
        if status < 300:
            raise Unavailable(f"PagerDuty answered {status} instead of 202: is it PagerDuty?")
        said = redact(_said(body), secret)
        raise from_status("PagerDuty", status, said, headers, writes=False)


def _event(order: Page) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "summary": _bounded(order.summary, _MOST_SUMMARY) or "Incident",
        "source": _bounded(order.source, 255) or "incident-responder",
        "severity": _severity(order),
    }
    if order.component:
        payload["component"] = _bounded(order.component, 255)
    if order.at is not None:
        payload["timestamp"] = order.at.isoformat()
    if order.details:
        payload["custom_details"] = {
            _bounded(fact.label, 100): _bounded(fact.value, _MOST_DETAIL)
            for fact in order.details[:_MOST_DETAILS]
        }
    links = [
        {"href": link.url, "text": _bounded(link.text, 100)}
        for link in order.links
        if link.url.startswith(("https://", "http://")) and len(link.url) <= 2_000
    ][:_MOST_LINKS]
    return {"client": "incident-responder", "payload": payload, "links": links}


def _severity(order: Page) -> Literal["critical", "warning", "info"]:
    """Say by severity what PagerDuty makes urgency of: only critical wakes."""
    if order.urgency is Urgency.HIGH:
        return "critical"
    return "info" if order.severity is Severity.INFO else "warning"


def _bounded(text: str, limit: int) -> str:
    clean = text.strip()
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


async def _some(answer: httpx.Response) -> bytes:
    kept = bytearray()
    async for piece in answer.aiter_bytes():
        kept += piece
        if len(kept) >= _MOST_ANSWER_BYTES:
            break
    return bytes(kept[:_MOST_ANSWER_BYTES])


def _said(body: bytes) -> str:
    """Pick the reason out of PagerDuty's answer; a page of HTML has none worth repeating."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    reasons = errors if isinstance(errors, list) else []
    return "; ".join(str(reason) for reason in [answer.get("message"), *reasons] if reason)
