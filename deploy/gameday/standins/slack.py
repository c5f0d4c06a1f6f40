"""Stands in for Slack: the methods that post, change, read and share files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import BaseRoute, Route, WebSocketRoute

from deploy.gameday.standins.server import StandIn
from deploy.gameday.standins.slack_door import Answered, Door
from deploy.gameday.standins.slack_methods import Body, Workspace
from deploy.gameday.standins.slack_page import page
from deploy.gameday.standins.slack_people import PeopleOfSlack
from deploy.gameday.standins.slack_socket import Sockets
from deploy.gameday.standins.slack_state import Channel, Message, Objection, State
from deploy.gameday.standins.slack_writing import Writing

CHANNELS = {"incidents": "C0INCIDENTS", "engineering": "C0ENGINEERING"}
SCOPES = ("channels:history", "channels:read", "chat:write", "files:write")
"""What the bot's token may do; beside every answer."""


class SlackStandIn(StandIn):
    """One workspace with one bot; what people would see is at `/`."""

    title = "Slack"
    websockets = "wsproto"

    def __init__(
        self,
        token: str,
        *,
        app_token: str = "",
        person: str = "U0SAM",
        channels: Mapping[str, str] | None = None,
        door: Door | None = None,
        port: int = 0,
        data: Path | None = None,
    ) -> None:
        """Take the bot's token, the channels (name to id) and where presses go; see `StandIn`.

        With the app's token it speaks Socket Mode, and what people do goes by it. *person* is who
        looks at the page.
        """
        super().__init__(port=port, data=data)
        self.sockets = Sockets() if app_token else None
        self.person = person
        self._app_token = app_token
        self._door = door
        self._token = token
        self.scopes = SCOPES
        kept = self.remembered()
        self.state = State() if kept is None else State.model_validate_json(kept)
        for name, channel in (channels or CHANNELS).items():
            self.state.channels.setdefault(channel, Channel(id=channel, name=name))

    @property
    def api_url(self) -> str:
        """The base address for a client."""
        return f"{self.url}/api/"

    def messages(self, channel: str = "incidents") -> list[Message]:
        """List what stands in a channel (by name or id), threads included, oldest first."""
        return self.state.standing(channel)

    def roots(self, channel: str = "incidents") -> list[Message]:
        """List what stands in a channel outside threads."""
        return [each for each in self.messages(channel) if each.thread_ts is None]

    def thread(self, ts: str) -> list[Message]:
        """List the replies to a message."""
        return self.state.thread(ts)

    def duplicates(self) -> dict[str, int]:
        """Count the keys that were posted more than once."""
        keys = Counter(each.key for each in self.state.messages if each.key)
        return {key: count for key, count in keys.items() if count > 1}

    async def press(self, ts: str, action: str, *, user: str = "U0SAM") -> int:
        """Press a button as a person would; give back how the door answered."""
        [pressed] = [each for each in self.state.messages if each.ts == ts]
        return (await self.people.press(pressed, action, user)).status

    async def command(
        self, text: str, *, user: str = "U0SAM", channel: str = "C0INCIDENTS"
    ) -> Answered:
        """Write ``/incident`` and *text* as a person would."""
        return await self.people.command(text, user, channel)

    async def submit(self, reason: str | None) -> Answered:
        """Fill in the newest window as a person would, and send it."""
        return await self.people.submit(self.state.windows[-1], reason)

    async def say(
        self, text: str, *, thread_ts: str | None = None, user: str = "U0SAM", event: str = ""
    ) -> Answered:
        """Write a message in #incidents as a person would; *event* names one sent before."""
        message = Message(
            channel=CHANNELS["incidents"],
            ts=self.state.next_ts(),
            thread_ts=thread_ts,
            user=user,
            text=text,
        )
        self.state.messages.append(message)
        self._save()
        return await self.people.say(message, event=event)

    @property
    def people(self) -> PeopleOfSlack:
        """The people, whose acts go to the responder."""
        way = self.sockets or self._door
        if way is None:
            message = "no door is set, so a press goes nowhere"
            raise LookupError(message)
        return PeopleOfSlack(self.state, way, self.url)

    def delete(self, ts: str) -> None:
        """Delete a message as a person would."""
        for message in self.state.messages:
            if message.ts == ts:
                message.deleted = True
        self._save()

    def archive(self, channel: str) -> None:
        """Archive a channel (by id) as a person would."""
        self.state.channels[channel].archived = True
        self._save()

    def routes(self) -> list[BaseRoute]:
        """List the methods, the uploads, the page, and the look inside."""
        return [
            Route("/", self._page),
            Route("/api/{method}", self._call, methods=["GET", "POST"]),
            Route("/upload/{ticket}", self._upload, methods=["POST"]),
            Route("/files/{file}", self._file),
            Route("/actions/{team}/{ticket}", self._answered, methods=["POST"]),
            *([WebSocketRoute("/link", self.sockets.serve)] if self.sockets else []),
            *Writing(self).routes(),
            Route("/_standin/press", self._press, methods=["POST"]),
            Route("/_standin/state", self._look),
            Route("/_standin/duplicates", self._count),
        ]

    def method(self, path: str) -> str | None:
        """Name a method of the API, or the upload of a file."""
        if path.startswith("/upload/"):
            return "upload"
        if path.startswith("/actions/"):
            return "response_url"
        return path.removeprefix("/api/") if path.startswith("/api/") else None

    async def _call(self, request: Request) -> Response:
        try:
            answer = await self._answer(request)
        except Objection as objection:
            said: Body = {"ok": False, "error": objection.code}
            if objection.messages:
                said["response_metadata"] = {
                    "messages": [f"[ERROR] {message}" for message in objection.messages]
                }
            return JSONResponse(said)
        return JSONResponse(
            {"ok": True, **answer}, headers={"x-oauth-scopes": ",".join(self.scopes)}
        )

    async def _answer(self, request: Request) -> Body:
        name = request.path_params["method"]
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Objection("not_authed")
        if name == "apps.connections.open" and self.sockets is not None:
            if token != self._app_token:
                raise Objection("not_allowed_token_type")
            link = self.url.replace("http", "ws", 1)
            return {"url": f"{link}/link?ticket={self.sockets.ticket()}&app_id=A0RESPONDER"}
        if token != self._token:
            raise Objection("invalid_auth")
        body = await _read(request)
        answer = Workspace(self.state, self.url).answer(name, body)
        self._save()
        return answer

    def _save(self) -> None:
        self.remember(self.state.model_dump_json())

    async def _answered(self, request: Request) -> Response:
        """Show an answer to the person whose act it belongs to; until it is forgotten."""
        where = self.state.answers.get(request.path_params["ticket"])
        if where is None:
            return JSONResponse({"ok": False, "error": "expired_url"}, status_code=404)
        said = await request.json()
        if said.get("response_type", "ephemeral") != "ephemeral":
            return JSONResponse({"ok": False, "error": "not_here"}, status_code=400)
        self.state.whisper(*where, said)
        self._save()
        return PlainTextResponse("ok")

    async def _upload(self, request: Request) -> Response:
        file = self.state.files.get(request.path_params["ticket"])
        if file is None:
            return PlainTextResponse("no such ticket", status_code=404)
        file.content = await request.body()
        self._save()
        return PlainTextResponse(f"OK - {len(file.content)}")

    async def _file(self, request: Request) -> Response:
        file = self.state.files.get(request.path_params["file"])
        if file is None:
            return PlainTextResponse("no such file", status_code=404)
        return Response(file.content, media_type="image/png")

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(page(self.state, self.duplicates()))

    async def _press(self, request: Request) -> Response:
        sent = dict(parse_qsl((await request.body()).decode()))
        ts, _, action = sent.get("pressed", "").partition(" ")
        try:
            status = await self.press(ts, action, user=sent.get("user", self.person))
        except (LookupError, ValueError) as nothing:
            return PlainTextResponse(str(nothing), status_code=404)
        if status != 200:
            return PlainTextResponse(f"the door answered {status}", status_code=502)
        return RedirectResponse("/", status_code=303)

    async def _look(self, _: Request) -> Response:
        return Response(self.state.model_dump_json(), media_type="application/json")

    async def _count(self, _: Request) -> Response:
        return JSONResponse(self.duplicates())


async def _read(request: Request) -> Body:
    """Read the arguments: JSON, or a form whose structured fields are JSON."""
    body: Body
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            read = json.loads(await request.body())
        except ValueError:
            raise Objection("invalid_json") from None
        if not isinstance(read, dict):
            raise Objection("json_not_object")
        return read
    sent = {**request.query_params, **dict(parse_qsl((await request.body()).decode()))}
    body = dict(sent)
    for name in {"blocks", "metadata", "files"} & sent.keys():
        try:
            body[name] = json.loads(sent[name])
        except ValueError:
            raise Objection("invalid_array_arg") from None
    return body
