"""How channels are made and filled in the Slack stand-in."""

from __future__ import annotations

import re
from typing import Any

from deploy.gameday.standins.slack_state import Channel, Objection, State

Body = dict[str, Any]
GROUPS = {"S0ONCALL": ("U0SAM", "U0LEE")}
"""Members of the user groups, by id."""


class Rooms:
    """The methods that make channels, list them and invite into them."""

    def __init__(self, state: State, bot: str) -> None:
        self._state = state
        self._bot = bot

    def create(self, body: Body) -> Body:
        """Make a channel; a name is taken once, also by one that is archived."""
        name = str(body.get("name", ""))
        if not name:
            raise Objection("invalid_name_required")
        if len(name) > 80:
            raise Objection("invalid_name_maxlength")
        if not re.fullmatch(r"[a-z0-9_-]+", name):
            raise Objection("invalid_name_specials")
        if any(each.name == name for each in self._state.channels.values()):
            raise Objection("name_taken")
        channel = Channel(id=f"C{len(self._state.channels):08d}", name=name, people=[self._bot])
        self._state.channels[channel.id] = channel
        return {"channel": {"id": channel.id, "name": name}}

    def every(self, body: Body) -> Body:
        """List the channels, a page at a time."""
        limit, start = int(body.get("limit") or 100), int(body.get("cursor") or 0)
        archived = body.get("exclude_archived") != "true"
        known = [c for c in self._state.channels.values() if archived or not c.archived]
        more = start + limit < len(known)
        return {
            "channels": [
                {"id": each.id, "name": each.name, "is_archived": each.archived}
                for each in known[start : start + limit]
            ],
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def join(self, body: Body) -> Body:
        """Become a member."""
        channel = self._channel(body)
        if channel.archived:
            raise Objection("is_archived")
        channel.member = True
        return {"channel": {"id": channel.id, "name": channel.name}}

    def invite(self, body: Body) -> Body:
        """Invite users; who is there already is an objection, as at Slack."""
        channel, users = self._channel(body), str(body.get("users", "")).split(",")
        if any(not user.startswith("U") for user in users):
            raise Objection("user_not_found")
        if self._bot in users:
            raise Objection("cant_invite_self")
        if set(users) <= set(channel.people):
            raise Objection("already_in_channel")
        channel.people += [user for user in users if user not in channel.people]
        return {"channel": {"id": channel.id, "name": channel.name}}

    def members(self, body: Body) -> Body:
        """List the members of a user group."""
        group = str(body.get("usergroup", ""))
        if group not in GROUPS:
            raise Objection("no_such_subteam")
        return {"users": list(GROUPS[group])}

    def _channel(self, body: Body) -> Channel:
        channel = self._state.channels.get(str(body.get("channel") or ""))
        if channel is None:
            raise Objection("channel_not_found")
        return channel
