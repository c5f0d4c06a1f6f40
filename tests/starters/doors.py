"""A door in this process, on a real Temporal server, and what the server then has of it."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.alerts import SCOPE_LABELS as SCOPE
from activities.alerts import Notice
from starters.door import application
from starters.opening import Group, grouped
from starters.payload import Delivery
from workers.settings import Settings
from workflows.opening import Opening

PAYLOADS = Path(__file__).resolve().parents[1] / "fixtures" / "alertmanager"
TOKEN = "s3cret-token-of-the-door"
PATH = "/webhooks/alertmanager"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def settings(**sections: Any) -> Settings:
    return Settings(**{"alertmanager": {"token": TOKEN}, **sections})


def recorded(name: str) -> dict[str, Any]:
    """A delivery that a real Alertmanager made."""
    payload = json.loads((PAYLOADS / f"{name}.json").read_text())
    return payload.get("body", payload)


def groups(payload: dict[str, Any]) -> list[Group]:
    """What a delivery says, incident by incident."""
    delivery = Delivery.model_validate_json(json.dumps(payload))
    return grouped([sent.alert(SCOPE) for sent in delivery.alerts], SCOPE)


def elsewhere(payload: dict[str, Any]) -> dict[str, Any]:
    """The same delivery from a platform of its own, so that its incidents are nobody else's."""
    mine = uuid.uuid4().hex[:12]
    moved = json.loads(json.dumps(payload))
    for alert in moved["alerts"]:
        alert["labels"]["cluster"] = mine
    return moved


@asynccontextmanager
async def door(client: Client, chosen: Settings | None = None) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(client, chosen or settings()))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://door", headers=BEARER
    ) as http:
        yield http


async def told(client: Client, incident: str) -> tuple[Opening, list[Notice]]:
    """What Temporal keeps of an incident: its opening, and each signal in order."""
    history = await client.get_workflow_handle(incident).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    convert = client.data_converter.decode
    [opening] = await convert(list(started.input.payloads), [Opening])
    notices = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            attributes = event.workflow_execution_signaled_event_attributes
            assert attributes.signal_name == "alerts"
            notices += await convert(list(attributes.input.payloads), [Notice])
    return opening, notices
