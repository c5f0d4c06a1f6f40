"""Where one writes what a person types in Slack: the command, a note, what a window asks for."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.slack_door import Answered
from deploy.gameday.standins.slack_page import head, mrkdwn
from deploy.gameday.standins.slack_state import State

PATH = "/write"


class Workspace(Protocol):
    """What a person types into."""

    state: State
    person: str

    async def command(self, text: str, *, user: str) -> Answered:
        """Write the slash command."""

    async def say(self, text: str, *, thread_ts: str | None, user: str) -> Answered:
        """Write a message."""

    async def submit(self, reason: str | None) -> Answered:
        """Fill in the newest window."""


class Writing:
    """The page with the fields; apart from the messages, which are loaded anew all the time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def routes(self) -> list[Route]:
        """List the page, and where its fields go."""
        return [
            Route(PATH, self._page),
            Route(f"{PATH}/command", self._taking(self._command), methods=["POST"]),
            Route(f"{PATH}/message", self._taking(self._message), methods=["POST"]),
            Route(f"{PATH}/window", self._taking(self._window), methods=["POST"]),
        ]

    async def _page(self, _: Request) -> Response:
        state, person = self._workspace.state, self._workspace.person
        windows = [each for each in state.windows if each.open and each.user == person]
        asked = "".join(
            f"<h2>{html.escape(each.view['title']['text'])}</h2>"
            + _form("window", "reason", "Why is it over?", each.view["submit"]["text"])
            for each in windows[-1:]
        )
        roots = [each for each in state.messages if each.thread_ts is None and not each.deleted]
        thread = roots[-1].ts if roots else ""
        told = "".join(f"<p>{mrkdwn(text)}</p>" for text in reversed(state.told(person)[-8:]))
        return HTMLResponse(
            f"{head('Write')}<section>{asked}"
            f"<h2>Command</h2>{_form('command', 'text', 'list', '/incident')}"
            f"<h2>In the newest thread</h2>"
            f"{_form('message', 'text', 'note: …', 'Reply', thread=thread)}"
            f"<h2>Only you see this</h2>{told or '<p class=none>Nothing yet.</p>'}"
            "<p><a href=/>Back to the messages</a></p></section>"
        )

    async def _command(self, sent: dict[str, str]) -> Answered:
        return await self._workspace.command(sent.get("text", ""), user=self._workspace.person)

    async def _message(self, sent: dict[str, str]) -> Answered:
        thread, text = sent.get("thread") or None, sent.get("text", "")
        return await self._workspace.say(text, thread_ts=thread, user=self._workspace.person)

    async def _window(self, sent: dict[str, str]) -> Answered:
        return await self._workspace.submit(sent.get("reason", ""))

    def _taking(
        self, do: Callable[[dict[str, str]], Awaitable[Answered]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            try:
                answered = await do(dict(parse_qsl((await request.body()).decode())))
            except LookupError as nobody:
                return PlainTextResponse(str(nobody), status_code=404)
            if not answered.taken:
                said = f"the responder answered {answered.status or 'nothing'}"
                return PlainTextResponse(said, status_code=502)
            return RedirectResponse(PATH, status_code=303)

        return take


def _form(action: str, name: str, hint: str, button: str, *, thread: str = "") -> str:
    hidden = f"<input type=hidden name=thread value='{thread}'>" if thread else ""
    return (
        f"<form class=write method=post action='{PATH}/{action}'>{hidden}"
        f"<input name={name} placeholder='{html.escape(hint)}' aria-label='{html.escape(button)}'>"
        f"<button class=primary>{html.escape(button)}</button></form>"
    )
