"""A Slack channel of an incident's own, with a name that every attempt makes the same."""

from __future__ import annotations

import re
from typing import Any

from temporalio import activity

from activities.errors import Failed, Refused, Unavailable
from activities.slack_api import SlackApi
from activities.slack_errors import SlackRefused
from activities.words import Answer, Order

_MOST_NAME = 80
_MOST_PAGES = 10
_MOST_INVITED = 30
_FINE = frozenset({"already_in_channel", "cant_invite_self"})
_GROUP = re.compile(r"S[A-Z0-9]{2,30}")


class OpenChannel(Order):
    """Open an incident's channel."""

    incident: str
    run: str
    """First run's id: an incident that closed before has the same id, and had its own channel."""
    invite: tuple[str, ...] = ()
    """Users (U…) and groups (S…) who are called into it."""


class OpenedChannel(Answer):
    """A channel that is there, made now or by an earlier attempt."""

    channel_id: str
    name: str
    said: str = ""
    """Who could not be invited, and why."""


class SlackChannels:
    """Opens channels in one workspace."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    @activity.defn(name="slack.open_channel")
    async def open_channel(self, order: OpenChannel) -> OpenedChannel:
        """Open the channel and invite; done twice it is the same channel."""
        name = channel_name(order.incident, order.run)
        try:
            answer = await self._api.call("conversations.create", {"name": name}, form=True)
            channel = str((answer.get("channel") or {}).get("id") or "")
            if not channel:
                raise Unavailable("Slack conversations.create: ok, but without the channel's id")
        except SlackRefused as refused:
            if refused.code != "name_taken":
                raise
            # An attempt before this one has made it, and its answer was lost.
            channel = await self._adopt(name)
        notes = [
            said for user in order.invite[:_MOST_INVITED] if (said := await self._in(channel, user))
        ]
        return OpenedChannel(channel_id=channel, name=name, said="; ".join(notes))

    async def _adopt(self, name: str) -> str:
        """Find the channel of that name among those that the bot can see."""
        ask = {"types": "public_channel", "limit": "200", "exclude_archived": "true"}
        for page in range(_MOST_PAGES):
            activity.heartbeat(f"looking for #{name}, page {page + 1}")
            answer = await self._api.call("conversations.list", ask, form=True)
            for each in answer.get("channels") or []:
                if each.get("name") == name:
                    await self._api.call("conversations.join", {"channel": each["id"]}, form=True)
                    return str(each["id"])
            ask["cursor"] = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not ask["cursor"]:
                break
        raise Refused(
            f"Slack: the name #{name} is taken, by a channel that is archived or not ours"
        )

    async def _in(self, channel: str, who: str) -> str:
        """Invite somebody, or say why it did not work: the channel is there all the same."""
        try:
            if _GROUP.fullmatch(who):
                members = await self._api.call(
                    "usergroups.users.list", {"usergroup": who}, form=True
                )
                users = [str(user) for user in members.get("users") or []][:_MOST_INVITED]
            else:
                users = [who]
            if users:
                body: dict[str, Any] = {"channel": channel, "users": ",".join(users)}
                await self._api.call("conversations.invite", body, form=True)
        except SlackRefused as refused:
            return "" if refused.code in _FINE else f"{who} could not be invited: {refused.message}"
        except Failed as failed:
            return f"{who} could not be invited: {failed.message}"
        return ""


def channel_name(incident: str, run: str) -> str:
    """Make the name of an incident's channel: of small letters, digits and hyphens alone."""
    ending = re.sub(r"[^a-z0-9]", "", run.lower())[-6:]
    middle = re.sub(r"[^a-z0-9_]+", "-", incident.lower()).strip("-")
    return f"inc-{middle[: _MOST_NAME - len(ending) - 5].strip('-')}-{ending}"
