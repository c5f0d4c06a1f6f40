"""Every service outside of the platform, each a stand-in of the real one on loopback."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from activities.edge import BYPASS_HEADER, Edge, Flag
from deploy.gameday import llm, probe_collector, push
from deploy.gameday.standins import cloudflare_kv, edge, pages
from deploy.gameday.standins.__main__ import ROUTING_KEY, TOKEN
from deploy.gameday.standins.anthropic import AnthropicStandIn
from deploy.gameday.standins.expo import ExpoStandIn
from deploy.gameday.standins.openai import OpenAIStandIn
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.sentry import SentryStandIn
from deploy.gameday.standins.server import StandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.smtp import SmtpStandIn
from deploy.gameday.standins.status_pages import StatusPagesStandIn

EXPO_TOKEN = "expo-access-token-of-the-game-day"  # noqa: S105 (of a stand-in)
SENTRY_ORGANIZATION = "pravado"
SENTRY_TOKEN = "sentry-token-of-the-game-day"  # noqa: S105 (of a stand-in)
ON_CALL_PHONE = "priya"
ENGINEER = "you"
"""Whoever looks on."""
SLACK_APP_TOKEN = "xapp-stand-in"  # noqa: S105 (of a stand-in)
SLACK_USER = "U0YOU"
FLAG = "maintenance"
"""The key of the flag that closes the edge."""


class Outside:
    """The stand-ins of a game day, and how the responder and the API reach them."""

    def __init__(self, folder: Path) -> None:
        self.slack = SlackStandIn(
            TOKEN, app_token=SLACK_APP_TOKEN, person=SLACK_USER, data=folder / "slack.json"
        )
        self.pagerduty = PagerDutyStandIn([ROUTING_KEY], data=folder / "pagerduty.json")
        self.status_pages = StatusPagesStandIn()
        self.pages = pages.PagesStandIn()
        self.expo = ExpoStandIn(EXPO_TOKEN)
        self.openai = OpenAIStandIn()
        self.anthropic = AnthropicStandIn()
        self.sentry = SentryStandIn(SENTRY_ORGANIZATION, SENTRY_TOKEN)
        self.kv = cloudflare_kv.KvStandIn()
        self.edge = edge.EdgeStandIn(lambda: self.kv.values.get(FLAG))
        self._all: tuple[StandIn, ...] = (
            self.kv,
            self.edge,
            self.slack,
            self.pagerduty,
            self.expo,
            self.openai,
            self.anthropic,
            self.sentry,
            self.status_pages,
            self.pages,
        )
        self.mail = SmtpStandIn()
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
            await starting.enter_async_context(self.mail)
            for each in self._all:
                await starting.enter_async_context(each)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._running.aclose()

    def settings(self) -> dict[str, object]:
        """Give the responder's settings, by name without the prefix; only once it runs."""
        return {
            "SLACK__TOKEN": TOKEN,
            "SLACK__BASE_URL": self.slack.api_url,
            "SLACK__CHANNELS": {"incidents": "C0INCIDENTS"},
            # Nobody needs to know where the door is: the buttons on the page work all the same.
            "SLACK__APP_TOKEN": SLACK_APP_TOKEN,
            "SLACK__PEOPLE": {SLACK_USER: ENGINEER},
            "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY__BASE_URL": self.pagerduty.url,
            "EXPO__BASE_URL": self.expo.url,
            "EXPO__ACCESS_TOKEN": EXPO_TOKEN,
            "EXPO__TEST_PHONE": "ExponentPushToken[test-phone]",
            "EXPO__PHONES": {ON_CALL_PHONE: "ExponentPushToken[on-call]"},
            "POLICY__PHONES": {"on-call": [ON_CALL_PHONE]},
            "EMAIL__HOST": "127.0.0.1",
            "EMAIL__PORT": self.mail.port,
            "EMAIL__SECURITY": "none",
            "EMAIL__SENDER": "Pravado incidents <incidents@pravado.example>",
            "LLM__OPENAI__URL": self.openai.api_url,
            "LLM__OPENAI__KEY": self.openai.key,
            "LLM__OPENAI__MODEL": "gpt-4",
            "LLM__ANTHROPIC__URL": self.anthropic.api_url,
            "LLM__ANTHROPIC__KEY": self.anthropic.key,
            "LLM__ANTHROPIC__MODEL": llm.MAPPED["gpt-4"],
            "LLM__DAILY_LIMIT_USD": 5,
            "MAINTENANCE__ACCOUNT": cloudflare_kv.ACCOUNT,
            "MAINTENANCE__NAMESPACE": cloudflare_kv.NAMESPACE,
            "MAINTENANCE__KEY": FLAG,
            "MAINTENANCE__TOKEN": cloudflare_kv.TOKEN,
            "MAINTENANCE__BASE_URL": self.kv.api_url,
            "MAINTENANCE__PUBLIC_URL": f"{self.edge.url}/healthz",
            "MAINTENANCE__SPREAD_SECONDS": 5,
            "FLOWS__URL": self.edge.url,
            "FLOWS__BYPASS_HEADER": BYPASS_HEADER,
            "FLOWS__BYPASS_VALUE": edge.SECRET,
            "FLOWS__FLOWS": [
                {"name": "login", "path": "/api/users/7"},
                {"name": "dashboard", "path": "/api/dashboard"},
                {"name": "subscriptions", "path": "/api/orgs"},
            ],
            "SENTRY__BASE_URL": self.sentry.url,
            "SENTRY__ORGANIZATION": SENTRY_ORGANIZATION,
            "SENTRY__TOKEN": SENTRY_TOKEN,
            "STATUS_PAGES__URLS": self.status_pages.urls(),
            "DASHBOARD__URL": self.pages.site_url,
            "DASHBOARD__TEXT": pages.WELCOME,
            "PAGES__URL": self.pages.api_url,
            "PAGES__ACCOUNT": pages.ACCOUNT,
            "PAGES__PROJECT": pages.PROJECT,
            "PAGES__TOKEN": pages.TOKEN,
        }

    def environment(self) -> dict[str, str]:
        """Give what the instances of the API are told by their environment."""
        return {
            llm.URLS["openai"]: self.openai.api_url,
            llm.KEYS["openai"]: self.openai.key,
            llm.URLS["anthropic"]: self.anthropic.api_url,
            llm.KEYS["anthropic"]: self.anthropic.key,
            push.URL: self.expo.url,
            push.TOKEN: EXPO_TOKEN,
            probe_collector.URL: self.pages.site_url,
            probe_collector.TEXT: pages.WELCOME,
        }

    @property
    def closed(self) -> bool:
        """Whether the maintenance page is on."""
        stored = self.kv.values.get(FLAG)
        return Edge.of(Flag.model_validate_json(stored) if stored else None).on

    async def unwell(self) -> list[str]:
        """Give what is not as it was found, in words."""
        away = self.expo.down or self.expo.wrong_credentials
        return [
            *(["Expo is not as it was found"] if away else []),
            *(["the maintenance page is on"] if self.closed else []),
            *(f"{each.title} is not well" for each in (self.openai, self.anthropic) if each.unwell),
            *(f"{provider}'s status page reports" for provider in self.status_pages.reported),
            *self.pages.unwell(),
        ]
