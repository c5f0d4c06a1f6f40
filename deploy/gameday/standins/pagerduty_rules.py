"""What PagerDuty's Events API objects to."""

from __future__ import annotations

from typing import Any

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
