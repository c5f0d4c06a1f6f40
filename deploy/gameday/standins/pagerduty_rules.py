"""What PagerDuty's Events API objects to, and its REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.gameday.standins.pagerduty_state import Opened
from deploy.gameday.standins.pagerduty_webhooks import User

Objection = tuple[int, int, str]
"""Status of the answer, PagerDuty's code for it, and its words."""
UNKNOWN: Objection = (404, 2100, "Not Found")
_SEVERITIES = {"critical", "error", "warning", "info"}


def objections(event: dict[str, Any], keys: frozenset[str]) -> list[str]:
    """List what the real one would object to."""
    wrong = []
    if event.get("routing_key") not in keys:
        wrong.append("'routing_key' is invalid")
    action = event.get("event_action")
    if action not in {"trigger", "acknowledge", "resolve"}:
        wrong.append("'event_action' is invalid")
    key = event.get("dedup_key")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 255):
        wrong.append("'dedup_key' is invalid")
    if key is None and action != "trigger":
        wrong.append("'dedup_key' is missing or blank")
    return wrong + (_wrong_trigger(event) if action == "trigger" else [])


def _wrong_trigger(event: dict[str, Any]) -> list[str]:
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    wrong = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source")
        if not isinstance(payload.get(name), str) or not payload[name].strip()
    ]
    if len(str(payload.get("summary", ""))) > 1024:
        wrong.append("'payload.summary' is too long")
    if payload.get("severity") not in _SEVERITIES:
        wrong.append("'payload.severity' is invalid")
    if not isinstance(payload.get("custom_details", {}), dict):
        wrong.append("'payload.custom_details' is not an object")
    links = event.get("links", [])
    if not isinstance(links, list) or not all(
        isinstance(link, dict) and link.get("href") for link in links
    ):
        wrong.append("'links' is invalid")
    return wrong


def objection_to_writer(sender: str, users: Sequence[User]) -> Objection | None:
    """Say what the real one would object to in whoever wants to write."""
    if not sender:
        return (400, 2016, 'You must specify a user\'s email address in the "From" header')
    return (400, 1008, "Requester User Not Found") if writer(sender, users) is None else None


def objection_to_update(wanted: Any, alert: Opened) -> Objection | None:
    """Say what the real one would object to in an update of an incident."""
    incident = wanted.get("incident") if isinstance(wanted, Mapping) else None
    status = incident.get("status") if isinstance(incident, Mapping) else None
    if status not in {"acknowledged", "resolved"}:
        return (400, 2001, "Invalid Input Provided")
    if status != alert.status:
        return None
    resolved = status == "resolved"
    return (400, 1001 if resolved else 1002, f"Incident Already {status.capitalize()}")


def writer(sender: str, users: Sequence[User]) -> User | None:
    """Find the user whose address is in the header From."""
    return next((each for each in users if each.email and each.email == sender), None)
