"""What is said to one person in Slack alone, and the few things that are asked of Slack for it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from activities.buttons import Target
from activities.errors import Failed, Gone
from activities.mrkdwn import clip
from activities.slack_api import SlackApi, slack_api
from activities.slack_errors import SlackRefused
from activities.slack_history import EVENT_TYPE
from starters.slack_payloads import Whence
from workers.slack_settings import SlackSettings

_SECONDS = 4.0
_MOST_TEXT = 3_000
_LATER = 2
"""Tries of one way, where Slack says that another may help."""
_PAUSE_SECONDS = 1.0
_KEY_PARTS = 3
"""Of a root's key: incident, first run, occasion."""
_GONE = {
    "is_archived": "That channel is archived, so this comes here.",
    "thread_not_found": "That message is gone, so this comes here.",
    "message_not_found": "That message is gone, so this comes here.",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """An answer: words, and perhaps a whole view in blocks."""

    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()

    @property
    def content(self) -> dict[str, Any]:
        """It as Slack takes it; the words may hold what strangers wrote."""
        said: dict[str, Any] = {"text": clip(self.text, _MOST_TEXT)}
        return {**said, "blocks": list(self.blocks)} if self.blocks else said


class Answers:
    """Tells people in private, by whichever way is still open."""

    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings

    async def tell(self, whence: Whence, said: Said) -> bool:
        """Say it where they are looking, else in the thread or channel, else to them directly."""
        if await self._respond(whence, said):
            return True
        try:
            async with self._api() as api:
                return await self._whisper(api, whence, said)
        except Failed as failed:
            _log.error("%s was not told what became of their act: %s", whence.user, failed)
            return False

    async def open_window(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Open a window in front of the person; within three seconds of their press."""
        async with self._api() as api:
            await api.call("views.open", {"trigger_id": trigger, "view": view})

    async def incident_at(self, channel: str, thread: str) -> Target | None:
        """Find whose root message stands there: our own key on it names the incident and its run.

        Asked of Slack, for it knows at any time, whatever process has posted it. `Gone` where the
        root message was deleted, and nobody can tell any more whose thread it was.
        """
        ask = {"channel": channel, "ts": thread, "limit": "1", "include_all_metadata": "true"}
        async with self._api() as api:
            answer = await api.call("conversations.replies", ask, form=True, changes=True)
        for message in answer.get("messages") or []:
            metadata = message.get("metadata") or {}
            if message.get("subtype") == "tombstone":
                raise Gone("the message of this thread was deleted")
            if message.get("ts") == thread and metadata.get("event_type") == EVENT_TYPE:
                key = str((metadata.get("event_payload") or {}).get("key", ""))
                parts = key.split("/")
                return Target(parts[0], parts[1]) if len(parts) == _KEY_PARTS else None
        return None

    async def _respond(self, whence: Whence, said: Said) -> bool:
        if not self._is_slacks(whence.response_url):
            return False
        body = {"response_type": "ephemeral", "replace_original": False, **said.content}
        if whence.thread:
            body["thread_ts"] = whence.thread
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
                answer = await http.post(whence.response_url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _log.warning("an answer did not reach Slack's address: %s", type(error).__name__)
            return False
        return answer.status_code == 200

    def _is_slacks(self, url: str) -> bool:
        """Whether it is an address of Slack's: what is said there is for one person."""
        try:
            asked, ours = urlsplit(url), urlsplit(self._settings.base_url)
        except ValueError:
            return False
        if asked.scheme == "https" and (asked.hostname or "").endswith(".slack.com"):
            return True
        return bool(url) and (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)

    async def _whisper(self, api: SlackApi, whence: Whence, said: Said) -> bool:
        why = ""
        if whence.channel:
            body = {"channel": whence.channel, "user": whence.user, **said.content}
            if whence.thread:
                body["thread_ts"] = whence.thread
            try:
                await _patiently(api, "chat.postEphemeral", body)
            except SlackRefused as refused:
                why = _GONE.get(refused.code, "")
            else:
                return True
        direct = Said(f"{said.text}\n{why}".strip(), said.blocks)
        await _patiently(api, "chat.postMessage", {"channel": whence.user, **direct.content})
        return True

    def _api(self) -> Any:
        settings = self._settings
        return slack_api(settings.token, url=settings.base_url, timeout_seconds=_SECONDS)


async def _patiently(api: SlackApi, method: str, body: dict[str, Any]) -> None:
    """Call, and once more after what may pass; said twice to one person does no harm."""
    for left in reversed(range(_LATER)):
        try:
            await api.call(method, body)
        except SlackRefused:
            raise
        except Failed as failed:
            if not left or failed.non_retryable:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


def window(target: str, incident: str, whence: Whence) -> dict[str, Any]:
    """Make the window that asks for the reason of a resolve."""
    return {
        "type": "modal",
        "callback_id": "resolve",
        "private_metadata": json.dumps(
            {"target": target, "channel": whence.channel, "thread": whence.thread}
        ),
        "title": {"type": "plain_text", "text": "Resolve the incident"},
        "submit": {"type": "plain_text", "text": "Resolve"},
        "close": {"type": "plain_text", "text": "Back"},
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{clip(incident, 200)}*"}},
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Why is it over?"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": "reason",
                    "multiline": True,
                    "max_length": 3000,
                },
            },
        ],
    }
