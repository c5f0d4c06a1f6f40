"""Looks at the ways to people: Slack, PagerDuty, phones, e-mail. Nobody is told anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from activities.errors import Refused
from activities.expo_api import ExpoApi
from activities.on_call import AskOnCall, OnCall
from activities.slack_api import SlackApi, slack_api
from activities.slack_errors import SlackRefused
from workers.checks.check import Check, Seen
from workers.email_parts import mail_server
from workers.settings import variable

_EVENTS_KEY = re.compile(r"[A-Za-z0-9]{32}")
_SCOPES = {
    "chat:write": "to post and to update",
    "channels:read": "to see its channels",
    "channels:history": "to find its own message again when an answer was lost",
    "files:write": "to show charts",
}
_OWN_CHANNEL = {
    "channels:manage": "to open a channel for an incident, and to invite people there",
    "channels:join": "to come into that channel again",
    "usergroups:read": "to invite a group",
}
_PRIVATE = {"groups:read": "channels:read", "groups:history": "channels:history"}
"""Of a private channel, in the place of another."""
_NO_TICKET = "00000000-0000-0000-0000-000000000000"


class SlackCheck(Check):
    """Who we are in Slack, what we may do there, and whether we are in our channels."""

    name = "Slack"
    setting = variable("slack", "token")

    @property
    def configured(self) -> bool:
        """Whether there is a token."""
        return bool(self.settings.slack.token.get_secret_value())

    async def look(self) -> Seen:
        """Ask who we are, and look at each channel."""
        section = self.settings.slack
        async with slack_api(section.token, url=section.base_url) as api:
            try:
                who, scopes = await api.identity()
            except SlackRefused as refused:
                needs = f"{self.setting} needs the bot token (xoxb-…) of an app that is installed"
                return Seen("", (f"Slack refuses the token ({refused.code}): {needs}",))
            lacks: list[str] = []
            private = False
            if {"channels:read", "groups:read"} & scopes or not scopes:
                for role, channel in section.channels.items():
                    wrong, is_private = await _channel(api, role, channel)
                    private |= is_private
                    lacks += wrong
        if scopes:
            own = self.settings.policy.own_channel
            lacks = [*_missing(scopes, private=private, own_channel=own), *lacks]
        named = ", ".join(f"#{role}" for role in section.channels)
        return Seen(f"{who.get('user') or 'a bot'} in {who.get('team')}; {named}", tuple(lacks))


class SlackActsCheck(Check):
    """Whether people can act from Slack: a way in, and who is who."""

    name = "acts from Slack"
    setting = variable("slack", "signing_secret")
    without = "Slack only shows"

    @property
    def configured(self) -> bool:
        """Whether presses and commands are taken."""
        return self.settings.slack.takes_acts

    async def look(self) -> Seen:
        """Ask for a connection where we open it, and never use it."""
        section = self.settings.slack
        lacks: list[str] = []
        if section.app_token.get_secret_value():
            async with slack_api(section.app_token, url=section.base_url) as api:
                try:
                    await api.call("apps.connections.open", {})
                except SlackRefused as refused:
                    setting = variable("slack", "app_token")
                    lacks.append(
                        f"Slack opens no connection ({refused.code}): switch Socket Mode on, and "
                        f"give {setting} the scope connections:write"
                    )
        if not section.people:
            lacks.append(
                f"nobody in Slack is known to us, so that nobody may act from there: "
                f"{variable('slack', 'people')}"
            )
        way = "over a connection of ours" if section.app_token.get_secret_value() else "at the door"
        return Seen(f"{way}; {len(section.people)} people are known", tuple(lacks))


class OnCallCheck(Check):
    """Whether PagerDuty says who is on call, and whether somebody is."""

    name = "who is on call"
    setting = variable("pagerduty", "api_token")

    @property
    def configured(self) -> bool:
        """Whether there is a key of the REST API."""
        return bool(self.settings.pagerduty.api_token.get_secret_value())

    async def look(self) -> Seen:
        """Ask for each level that has a policy there."""
        section = self.settings.pagerduty
        levels = tuple(section.policies)
        if not levels:
            return Seen("", (f"no level is known there: {_POLICIES} names their policies",))
        asked = OnCall(
            self.http,
            section.api_token,
            section.policies,
            names=section.names,
            url=section.api_url,
        )
        try:
            names = (await asked.on_call(AskOnCall(levels=levels))).names
        except Refused as refused:
            needs = f"{self.setting} needs a read-only key of the REST API"
            return Seen("", (f"{refused.message}; {needs}",))
        lacks = [
            f"nobody is on call for {level}: look at its policy there, and at {_POLICIES}"
            for level in levels
            if not names.get(level)
        ]
        told = "; ".join(f"{level}: {', '.join(names.get(level, ()))}" for level in levels)
        return Seen(told, tuple(lacks))


_POLICIES = variable("pagerduty", "escalation_policies")


class PagerDutyCheck(Check):
    """Whether the integration keys of PagerDuty can be such; only a page proves that they are."""

    name = "PagerDuty"
    setting = variable("pagerduty", "routing_key")

    @property
    def configured(self) -> bool:
        """Whether there is any key."""
        return any(key.get_secret_value() for key in self.settings.pagerduty.routes.values())

    async def look(self) -> Seen:
        """Look at the keys themselves: the Events API answers to nothing but events."""
        routes = {
            name: key.get_secret_value()
            for name, key in self.settings.pagerduty.routes.items()
            if key.get_secret_value()
        }
        wrong = [name for name, key in routes.items() if not _EVENTS_KEY.fullmatch(key)]
        todo = tuple(
            f"the key of {name} cannot be one: it has 32 letters and digits (PagerDuty: the "
            "service, Integrations, Events API v2, Integration Key)"
            for name in wrong
        )
        named = ", ".join(routes)
        return Seen(f"keys of the right shape for {named}; only a page proves them", todo)


class ExpoCheck(Check):
    """Whether Expo lets us ask; nothing is sent."""

    name = "Expo"
    setting = variable("expo", "phones")

    @property
    def configured(self) -> bool:
        """Whether there is anything to send with or to."""
        section = self.settings.expo
        secrets = (section.access_token, section.test_phone)
        return bool(section.phones) or any(each.get_secret_value() for each in secrets)

    async def look(self) -> Seen:
        """Ask for the receipt of a message that was never sent."""
        section = self.settings.expo
        await ExpoApi(self.http, section.access_token, url=section.base_url).receipts([_NO_TICKET])
        phones = ", ".join(section.phones) or "no phones"
        return Seen(f"answers; {phones}; that they ring is not tried")


class EmailCheck(Check):
    """Whether the mail server lets us in; no letter is handed in."""

    name = "e-mail"
    setting = variable("email", "host")

    @property
    def configured(self) -> bool:
        """Whether there is a mail server."""
        return bool(self.settings.email.host)

    async def look(self) -> Seen:
        """Greet the server, encrypted and with our password where there is one."""
        section = self.settings.email
        if (smtp := mail_server(section)) is not None:
            async with smtp.session():
                pass
        how = f"as {section.user}" if section.user else "without a password"
        return Seen(f"{section.host}:{section.port} lets us in {how} ({section.security})")


def _missing(scopes: Iterable[str], *, private: bool, own_channel: bool) -> list[str]:
    """Name the scopes that a token needs, and this one has not."""
    there = set(scopes)
    wanted = _SCOPES | (_OWN_CHANNEL if own_channel else {})
    if private:
        wanted |= {name: _SCOPES[like] for name, like in _PRIVATE.items()}
    return [
        f"the scope {name} is missing, {why}: add it under OAuth & Permissions, and install the "
        "app anew"
        for name, why in wanted.items()
        if name not in there
    ]


async def _channel(api: SlackApi, role: str, channel: str) -> tuple[list[str], bool]:
    """Say what is wrong with a channel, and whether it is private."""
    setting = variable("slack", "channels")
    try:
        told = (await api.call("conversations.info", {"channel": channel}, form=True))["channel"]
    except SlackRefused as refused:
        if refused.code == "missing_scope":
            return [], channel.startswith("G")
        if refused.code not in {"channel_not_found", "not_in_channel"}:
            raise
        unseen = (
            f"the channel {channel} ({role}) is not there, or it is private and we are not in it: "
            f"`/invite` the app there, or correct {setting}"
        )
        return [unseen], False
    info: Mapping[str, object] = told if isinstance(told, Mapping) else {}
    name, private = f"#{info.get('name')} ({channel})", bool(info.get("is_private"))
    if info.get("is_archived"):
        return [f"{name} is archived: unarchive it, or name another in {setting}"], private
    if not info.get("is_member"):
        return [f"we are not in {name}: `/invite` the app there"], private
    return [], private
