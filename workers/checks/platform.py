"""Looks at the platform's own addresses, at where reports go, and at who may approve."""

from __future__ import annotations

import os
from abc import abstractmethod

from activities.dashboard import Dashboard
from activities.health import Health
from activities.synthetic import Flows
from activities.verification import Sample
from workers.checks.check import Check, Seen
from workers.settings import variable


class ApiCheck(Check):
    """Whether the API's health address answers."""

    name = "the API's health"
    setting = variable("api", "health_url")

    @property
    def _url(self) -> str:
        return self.settings.api.public(self.settings.processes.health_url)

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self._url)

    async def look(self) -> Seen:
        """Ask once."""
        wrong = await Health(self.http, self._url).complaint()
        return Seen(self._url, (f"{self._url}: {wrong}",) if wrong else ())


class DashboardCheck(Check):
    """Whether the dashboard answers as it should."""

    name = "the dashboard"
    setting = variable("dashboard", "url")

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self.settings.dashboard.url)

    async def look(self) -> Seen:
        """Look at its first page."""
        seen = self.settings.dashboard
        sample = await Dashboard(self.http, seen.url, text=seen.text, seconds=seen.seconds).sample()
        return _of(sample, seen.url)


class FlowsCheck(Check):
    """Whether the ways of users that only read work."""

    name = "ways of users"
    setting = variable("flows", "flows")

    @property
    def configured(self) -> bool:
        """Whether any is named."""
        return bool(self.settings.flows.flows)

    async def look(self) -> Seen:
        """Walk those that send nothing."""
        ways = self.settings.flows
        reading = [each.flow for each in ways.flows if each.method != "POST"]
        others = [each.name for each in ways.flows if each.method == "POST"]
        left = f"; not walked, for they send something: {', '.join(others)}" if others else ""
        if not reading:
            return Seen(f"none that only reads{left}")
        flows = Flows(self.http, ways.url, reading, bypass=ways.bypass, seconds=ways.seconds)
        named = ", ".join(each.name for each in reading)
        return _of(await flows.sample(), f"{named}{left}")


class _Untried(Check):
    """An endpoint of the platform to ask which would be to act."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address."""

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self.url)

    async def look(self) -> Seen:
        """Say that it is not asked."""
        return Seen(f"{self.url}: not tried, for to ask it is to act")


class WarmUpCheck(_Untried):
    """The endpoint that fills the cache."""

    name = "the cache's warm-up"
    setting = variable("cache", "warm_up_url")

    @property
    def url(self) -> str:
        """Its address."""
        return self.settings.cache.warm_up_url


class ThrottleCheck(_Untried):
    """The endpoint that slows an organization down."""

    name = "the models' throttle"
    setting = variable("llm", "throttle_url")

    @property
    def url(self) -> str:
        """Its address."""
        return self.settings.llm.throttle_url


class ReportsCheck(Check):
    """Whether reports can be written."""

    name = "reports"
    setting = variable("reports", "folder")

    @property
    def configured(self) -> bool:
        """There is always a folder."""
        return True

    async def look(self) -> Seen:
        """Look at the folder, or at the one that it will be made in."""
        folder = self.settings.reports.folder.absolute()
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            shown = self.settings.reports.base_url
            where = f"seen at {shown}" if shown else f"{variable('reports', 'base_url')} shows them"
            return Seen(f"{folder}, {where}")
        return Seen("", (f"{there} cannot be written to by this account: {self.setting}",))


class ApprovalsCheck(Check):
    """Whether anybody may approve anything."""

    name = "approvals"
    setting = variable("policy", "people")
    without = "nobody may approve, so that what is asked expires"

    @property
    def _approving(self) -> dict[str, str]:
        return {
            "everybody" if name == "*" else name: ", ".join(rights.approves)
            for name, rights in self.settings.policy.people.items()
            if rights.approves
        }

    @property
    def configured(self) -> bool:
        """Whether anybody may."""
        return bool(self._approving)

    async def look(self) -> Seen:
        """Name them."""
        named = (f"{name} ({risks})" for name, risks in self._approving.items())
        return Seen("; ".join(named))


def _of(sample: Sample, well: str) -> Seen:
    if sample.good:
        return Seen(well)
    return Seen(well, (sample.note or "it does not answer as it should",))
