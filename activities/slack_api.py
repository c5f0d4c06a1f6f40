"""Calls Slack's web API once and sorts its answers into the error taxonomy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from activities.errors import Ambiguous, Unavailable, from_status
from activities.slack_errors import sort

SLACK_URL = "https://slack.com/api/"
MOST_ANSWER_BYTES = 8 * 1024 * 1024
"""A page of 100 messages with their blocks is far smaller."""


class SlackApi:
    """One workspace, spoken to as one bot."""

    def __init__(self, client: AsyncWebClient, session: aiohttp.ClientSession) -> None:
        self._client = client
        self._session = session

    async def call(
        self,
        method: str,
        body: Mapping[str, Any],
        *,
        form: bool = False,
        posts: bool = False,
        changes: bool = False,
    ) -> dict[str, Any]:
        """Call *method* once.

        Args:
            method: As Slack names it.
            body: The arguments.
            form: Send as a form; the reading and file methods take nothing else.
            posts: Doing it twice shows: a lost answer is ambiguous.
            changes: It touches an existing message: the errors that say it is lost are `Gone`.
        """
        answer = await self._ask(method, body, form=form, posts=posts, changes=changes)
        return answer.data if isinstance(answer.data, dict) else {}

    async def identity(self) -> tuple[dict[str, Any], frozenset[str]]:
        """Say who we are, and the token's scopes; none where Slack does not tell them."""
        answer = await self._ask("auth.test", {})
        scopes = str(answer.headers.get("x-oauth-scopes") or "").split(",")
        who = answer.data if isinstance(answer.data, dict) else {}
        return who, frozenset(filter(None, (scope.strip() for scope in scopes)))

    async def _ask(
        self,
        method: str,
        body: Mapping[str, Any],
        *,
        form: bool = False,
        posts: bool = False,
        changes: bool = False,
    ) -> AsyncSlackResponse:
        sent = {"data": _as_form(body)} if form else {"json": dict(body)}
        lost = Ambiguous if posts else Unavailable
        try:
            return await self._client.api_call(method, **sent)
        except SlackApiError as error:
            secret = self._client.token or ""
            raise sort(method, error.response, secret, posts=posts, changes=changes) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"Slack cannot be reached ({type(error).__name__})") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise lost(f"Slack {method}: no answer ({type(error).__name__})") from None
        except (AttributeError, ValueError, LookupError, RecursionError) as error:
            # slack-sdk trips over an answer that is no JSON object, nested too deeply, or in no
            # known encoding.
            raise lost(f"Slack {method}: unreadable answer ({type(error).__name__})") from None

    async def upload(self, url: str, content: bytes) -> None:
        """Give a file's bytes to the address that Slack named; the token stays here."""
        try:
            async with self._session.post(url, data=content) as answer:
                status, headers = answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"Slack upload: no answer ({type(error).__name__})") from None
        if status != 200:
            raise from_status("Slack upload", status, headers=headers, writes=False)


@asynccontextmanager
async def slack_api(
    token: SecretStr, *, url: str = SLACK_URL, timeout_seconds: float = 10.0
) -> AsyncIterator[SlackApi]:
    """Open the way to one workspace."""
    session = aiohttp.ClientSession(
        # A connection kept alive may be dead when it is used again, which would make an
        # unsent message look like a sent one whose answer was lost.
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=timeout_seconds / 2),
        response_class=_BoundedResponse,
    )
    async with session:
        client = AsyncWebClient(
            token=token.get_secret_value(), base_url=url, session=session, retry_handlers=[]
        )
        # slack-sdk takes one from the environment by itself, whatever it is given here.
        client.proxy = None
        yield SlackApi(client, session)


class _BoundedResponse(aiohttp.ClientResponse):
    """Reads no more than it should; the rest of an endless answer is never fetched."""

    async def read(self) -> bytes:
        """Read the body, or its first `MOST_ANSWER_BYTES`."""
        if self._body is not None:
            return self._body
        kept = bytearray()
        while len(kept) <= MOST_ANSWER_BYTES and (piece := await self.content.readany()):
            kept += piece
        if len(kept) > MOST_ANSWER_BYTES:
            self.close()
        self._body = bytes(kept[:MOST_ANSWER_BYTES])
        return self._body


def _as_form(body: Mapping[str, Any]) -> dict[str, str]:
    def field(value: object) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    return {name: field(value) for name, value in body.items()}
