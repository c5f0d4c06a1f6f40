"""Knocks at every door in this process, byte by byte, and sees what each answer must be."""

import hmac
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from temporalio.client import Client, Interceptor, OutboundInterceptor

from deploy.gameday.standins.pagerduty_webhooks import User, incident, payload, signed
from starters import pagerduty_door, slack_door
from tests.starters.doors import BEARER, PATH, TOKEN, recorded
from tests.starters.workspace import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET

SLACK_PAYLOADS = Path(__file__).resolve().parents[1] / "fixtures" / "slack"
PAGERDUTY_SECRET = "the-secret-of-this-subscription"
SECRETS = (TOKEN, SIGNING_SECRET, PAGERDUTY_SECRET, BOT_TOKEN, APP_TOKEN)
FORM = "application/x-www-form-urlencoded"
MOST_ANSWER_BYTES = 4_096
MOST_SECONDS = 5.0
"""Of one answer, on a machine that does much else; the doors' own limits are at half of it."""
STRANGER = "U0NOBODY"
"""Somebody whom Slack has signed for, and the settings do not name."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    seconds: float
    told: list[str]
    """What Temporal was asked to start, to signal or to update meanwhile."""

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


class _Writes(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, told: list[str]) -> None:
        super().__init__(following)
        self._told = told

    async def start_workflow(self, asked: Any) -> Any:
        self._told.append(f"start {asked.id}")
        return await super().start_workflow(asked)

    async def signal_workflow(self, asked: Any) -> Any:
        self._told.append(f"signal {asked.id} {asked.signal}")
        return await super().signal_workflow(asked)

    async def start_workflow_update(self, asked: Any) -> Any:
        self._told.append(f"update {asked.id} {asked.update}")
        return await super().start_workflow_update(asked)


class Watched(Interceptor):
    """Sees what is asked of Temporal that changes anything."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def intercept_client(self, following: OutboundInterceptor) -> OutboundInterceptor:
        return _Writes(following, self.told)

    def beside(self, client: Client) -> Client:
        config = client.config()
        return Client(**{**config, "interceptors": [*config["interceptors"], self]})


@dataclass(frozen=True, repr=False)
class Way:
    """A door, how it is convinced that a body is genuine, and bodies that it takes."""

    path: str
    proof: Callable[[bytes], dict[str, str]]
    bodies: Mapping[str, tuple[Any, Callable[[Any], bytes]]]
    """What can be bent, and how it is written."""
    schema: Mapping[str, Any] | None
    """What must hold of a body for anything to come of it; None where nothing ever may."""


class Knocking:
    """All doors of one process, and everything that is seen of what they do."""

    def __init__(self, doors: Starlette, watched: Watched) -> None:
        self._doors = doors
        self._watched = watched
        self.asked = 0

    async def ask(
        self,
        path: str | bytes,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | Iterable[tuple[bytes, bytes]] = (),
        method: str = "POST",
    ) -> Answer:
        """Ask as a server would hand it on, and hold the answer to what every answer must be."""
        self.asked += 1
        raw = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
        if isinstance(headers, Mapping):
            headers = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": raw.decode("utf-8", "replace"), "raw_path": raw,
            "query_string": b"", "root_path": "", "headers": list(headers),
            "client": ("127.0.0.1", 1), "server": ("door", 80), "state": {},
        }  # fmt: skip
        pieces = [body] if isinstance(body, bytes) else list(body)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        self._watched.told.clear()
        began = time.monotonic()
        await self._doors(scope, receive, send)
        took = time.monotonic() - began
        assert sent[0]["type"] == "http.response.start"
        answer = Answer(
            sent[0]["status"],
            dict(sent[0]["headers"]),
            b"".join(each.get("body", b"") for each in sent[1:]),
            took,
            list(self._watched.told),
        )
        decent(answer)
        return answer


def decent(answer: Answer) -> None:
    """Assert what holds for every answer, whatever was asked."""
    if answer.status == 503:  # what Slack itself did not answer: it is to bring it again
        assert answer.error["code"] == "not_recorded", answer
    else:
        assert answer.status < 500, answer
    assert len(answer.body) <= MOST_ANSWER_BYTES, answer.body[:300]
    assert answer.seconds < MOST_SECONDS
    secretive(answer.body.decode())
    if answer.status >= 400 and answer.body:  # none to HEAD
        assert answer.told == []
        assert answer.headers[b"content-type"] == b"application/json"
        assert set(answer.error) <= {"code", "message", "field"}
        assert answer.error["code"]
        assert answer.error["message"]


def secretive(text: str) -> None:
    """Assert that *text* says nothing of our inside."""
    assert "Traceback" not in text
    assert 'File "/' not in text
    for secret in SECRETS:
        assert secret not in text


def quiet(records: Iterable[logging.LogRecord]) -> None:
    """Assert that the log has one line of bearable length for each thing said, and no traces."""
    for record in records:
        said = record.getMessage()
        assert record.exc_info is None, said
        assert len(said) < 1_000
        assert "\n" not in said
        assert "\r" not in said
        assert "\x1b" not in said
        secretive(said)


TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
MOMENT = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt _].*([Zz]|[+-][0-9:]+)$"}
PAGE = "^$|^.+/.+/.+"
ALERTS = {
    "type": "object",
    "required": ["version", "alerts"],
    "properties": {
        "version": {"const": "4"},
        "truncatedAlerts": {"type": "integer", "minimum": 0},
        "alerts": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["status", "labels", "startsAt", "fingerprint"],
                "properties": {
                    "status": {"enum": ["firing", "resolved"]},
                    "labels": {
                        **TEXTS,
                        "required": ["alertname"],
                        "properties": {"alertname": {"type": "string", "pattern": r"\S"}},
                    },
                    "annotations": TEXTS,
                    "startsAt": MOMENT,
                    "generatorURL": TEXT,
                    "fingerprint": {"type": "string", "minLength": 1, "maxLength": 64},
                },
            },
        },
    },
}
"""A delivery of Alertmanager, by its documentation."""
PAGE = {
    # Not required: once it was told it is remembered, and a note has none.
    "properties": {"incident_key": {"type": ["string", "null"], "pattern": "^$|^.+/.+/.+"}}
}
OF_PEOPLE = {
    "properties": {
        "data": {
            "required": ["id"],
            "properties": {"id": {"type": "string", "pattern": "^[A-Za-z0-9]{1,40}$"}},
        }
    },
    "anyOf": [
        {"not": {"properties": {"event_type": {"const": "incident.triggered"}}}},
        {
            "required": ["agent"],
            "properties": {
                "agent": {
                    "type": "object",
                    "required": ["id", "type"],
                    "properties": {
                        "id": {"type": "string", "pattern": "(?i)^pdana01$"},
                        "type": {"type": "string", "pattern": "^user"},
                    },
                }
            },
        },
    ],
}
"""What anybody does is heard, where it is open; only somebody of ours opens anything."""
HAPPENED = {
    "type": "object",
    "required": ["event"],
    "properties": {
        "event": {
            "type": "object",
            "required": ["id", "event_type", "occurred_at"],
            "properties": {
                "id": {"type": "string", "minLength": 1},
                "event_type": {"type": "string", "pattern": r"^incident\.[a-z_]+$"},
                "occurred_at": MOMENT,
                "agent": {"type": ["object", "null"]},
                "data": {"type": "object"},
            },
            "anyOf": [{"properties": {"data": PAGE}}, {"required": ["data"], **OF_PEOPLE}],
        }
    },
}
"""An event of PagerDuty that is of a page, or of what a person may have opened by hand."""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _payload(value: Any) -> bytes:
    return urlencode({"payload": json.dumps(value)}).encode()


def _fields(value: Any) -> bytes:
    # As a form has it: whatever the value, it arrives as text.
    told = {
        str(k): v if isinstance(v, str) else json.dumps(v) for k, v in value.items()
    }  # fmt: skip
    return urlencode(told, errors="surrogatepass").encode()


def alertmanager() -> Way:
    """Alertmanager's: whoever shows the token is believed."""
    return Way(
        PATH,
        lambda _: {**BEARER, "Content-Type": "application/json"},
        {"a delivery": (recorded("firing_single"), _json)},
        ALERTS,
    )


def slack(stamp: int | None = None) -> Way:
    """Slack's: signed; by somebody who may do nothing, so that nothing of it is ever an act."""

    def proof(body: bytes) -> dict[str, str]:
        at = str(int(time.time()) if stamp is None else stamp)
        digest = hmac.new(SIGNING_SECRET.encode(), b"v0:" + at.encode() + b":" + body, "sha256")
        return {
            "content-type": "application/json" if body[:1] in b"{[" else FORM,
            "x-slack-request-timestamp": at,
            "x-slack-signature": f"v0={digest.hexdigest()}",
        }

    return Way(
        slack_door.PATH,
        proof,
        {
            "a press": (PRESS, _payload),
            "a window": (WINDOW, _payload),
            "an event": (EVENT, _json),
            "a command": (COMMAND, _fields),
        },
        None,
    )


def _by_a_stranger(name: str) -> dict[str, Any]:
    sent = json.loads((SLACK_PAYLOADS / f"{name}.json").read_text())
    for known in ("user", "event"):
        if "id" in sent.get(known, {}):
            sent[known]["id"] = STRANGER
        if "user" in sent.get(known, {}):
            sent[known]["user"] = STRANGER
    # Nobody reads those, and each has as many fields as all the rest.
    for large in ("message", "authorizations", "title", "submit"):
        for holder in (sent, sent.get("view", {})):
            holder.pop(large, None)
    # No way back: what is said to a stranger is another test's business.
    sent.pop("response_url", None)
    return sent


PRESS = _by_a_stranger("block_actions")
WINDOW = _by_a_stranger("view_submission")
EVENT = _by_a_stranger("event_message")
COMMAND = {
    "token": "deprecated", "team_id": "T0PRAVADO", "team_domain": "pravado", "user_id": STRANGER,
    "channel_id": "C0INCIDENTS", "channel_name": "incidents", "user_name": "mallory",
    "command": "/incident", "text": "resolve APIDown-api-0a1b2c3d it is over",
    "api_app_id": "A0RESPONDER", "trigger_id": "13345224609.738474920.8088930838d88f008e0",
}  # fmt: skip


def pagerduty(name: str, run: str) -> Way:
    """PagerDuty's: signed, and of a page of an incident that is open."""
    page = incident(7, f"{name}/{run}/page-1", "triggered", "API")
    person = User("PDANA01", "Dana Doe").reference
    return Way(
        pagerduty_door.PATH,
        lambda body: signed(body, [PAGERDUTY_SECRET]),
        {
            "an acknowledgement": (
                payload("acknowledged", page, agent=person),
                _json,
            ),
            "an opening": (
                payload("triggered", incident(8, "", "triggered", "API"), agent=person),
                _json,
            ),
        },
        HAPPENED,
    )
