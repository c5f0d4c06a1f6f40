"""Every service outside of the platform, each a stand-in of the real one on loopback."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.gameday import probe_collector
from deploy.gameday.standins import pages
from deploy.gameday.standins.__main__ import ROUTING_KEY, TOKEN
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.server import StandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.status_pages import StatusPagesStandIn


class Outside:
    """The stand-ins of a game day, and how the responder and the API reach them."""

    def __init__(self, folder: Path) -> None:
        self.slack = SlackStandIn(TOKEN, data=folder / "slack.json")
        self.pagerduty = PagerDutyStandIn([ROUTING_KEY], data=folder / "pagerduty.json")
        self.status_pages = StatusPagesStandIn()
        self.pages = pages.PagesStandIn()
        self._all: tuple[StandIn, ...] = (
            self.slack,
            self.pagerduty,
            self.status_pages,
            self.pages,
        )
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
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
            "PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY__BASE_URL": self.pagerduty.url,
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
            probe_collector.URL: self.pages.site_url,
            probe_collector.TEXT: pages.WELCOME,
        }

    async def unwell(self) -> list[str]:
        """Give what is not as it was found, in words."""
        return [
            *(f"{provider}'s status page reports" for provider in self.status_pages.reported),
            *self.pages.unwell(),
        ]
