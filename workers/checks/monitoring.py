"""Looks at who measures and who sends alerts."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from activities.alertmanager import OpenAlerts
from activities.errors import Unavailable
from activities.web import Answered, Web
from workers import clients
from workers.checks.check import Check, Seen
from workers.sections import PrometheusSettings
from workers.settings import variable
from workflows.rules import PAGE_NOT_PROVEN, WATCHDOG, recordings, rules

_RULES = "deploy/prometheus/rules.yml"
_MOST_NAMED = 5


class PrometheusCheck(Check):
    """Whether Prometheus can be asked, has our rules, and hands its alerts on."""

    name = "Prometheus"
    setting = variable("prometheus", "url")

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self.settings.prometheus.url)

    async def look(self) -> Seen:
        """Ask as a verification does, and then for the rules and for whom alerts are sent to."""
        section = self.settings.prometheus
        if (api := clients.prometheus_api(section)) is None:
            raise Unavailable("Prometheus has no address")
        try:
            await api.instant("vector(1)")
        finally:
            api.close()
        trust = ssl.create_default_context(cafile=section.authority)
        async with httpx.AsyncClient(trust_env=False, verify=trust) as http:
            asking = _Asking(http, section)
            loaded = _rules(await asking.get("rules"))
            sent = (await asking.get("alertmanagers")).get("activeAlertmanagers")
        todo = _lacking(loaded)
        if not sent:
            todo.append(
                "Prometheus sends its alerts to no Alertmanager: name it under `alerting:` in "
                "prometheus.yml"
            )
        return Seen(f"answers; {len(loaded)} rules are loaded", tuple(todo))


class AlertmanagerCheck(Check):
    """Whether Alertmanager can be asked what is open, and hears from Prometheus."""

    name = "Alertmanager"
    setting = variable("alertmanager", "url")

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self.settings.alertmanager.url)

    async def look(self) -> Seen:
        """Ask for the alert that always fires."""
        alerting = clients.alertmanager(self.settings.alertmanager, self.http)
        if alerting is None:
            raise Unavailable("Alertmanager has no address")
        held = await alerting.open_alerts(OpenAlerts(names=(WATCHDOG,)))
        if held.alerts:
            return Seen(f"answers, and {WATCHDOG} fires there, as it always should")
        silent = (
            f"{WATCHDOG}, which always fires, is not there: Prometheus does not reach this "
            f"Alertmanager, or lacks {_RULES}"
        )
        return Seen("answers", (silent,))


class DoorCheck(Check):
    """Whether Alertmanager has something to show at our door."""

    name = "the door"
    setting = variable("alertmanager", "token")
    without = "no alert is let in"

    @property
    def configured(self) -> bool:
        """Whether there is a token; without one nobody is let in."""
        section = self.settings.alertmanager
        return self.settings.door.insecure or bool(section.token.get_secret_value())

    async def look(self) -> Seen:
        """Say what is demanded; whether Alertmanager shows it, only its next alert can tell."""
        if self.settings.door.insecure:
            return Seen(
                "open",
                (f"anybody may bring alerts: unset {variable('door', 'insecure')}",),
            )
        return Seen("alerts are let in by their token; that Alertmanager shows it is not tried")


class _Asking:
    """Asks what the client library has no question for."""

    def __init__(self, http: httpx.AsyncClient, section: PrometheusSettings) -> None:
        token, password = section.token.get_secret_value(), section.password.get_secret_value()
        self._web = Web(http, "Prometheus", secrets=(token, password))
        self._url = f"{section.url.rstrip('/')}/api/v1"
        self._headers = {}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif section.user:
            both = base64.b64encode(f"{section.user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {both}"

    async def get(self, what: str) -> Mapping[str, Any]:
        answer: Answered = await self._web.ask("GET", f"{self._url}/{what}", headers=self._headers)
        if answer.status != 200:
            raise self._web.refused(answer)
        data = answer.json("Prometheus").get("data")
        return data if isinstance(data, dict) else {}


def _rules(data: Mapping[str, Any]) -> dict[str, str]:
    """Read the names of the rules, each with what is wrong with it."""
    groups = data.get("groups")
    return {
        str(rule.get("name", "")): str(rule.get("lastError") or "")
        for group in (groups if isinstance(groups, list) else [])
        for rule in group.get("rules", [])
    }


def _lacking(loaded: Mapping[str, str]) -> list[str]:
    ours = (WATCHDOG, PAGE_NOT_PROVEN)
    wanted = [*(each.record for each in recordings()), *(each.alert for each in rules()), *ours]
    lacks = [name for name in wanted if name not in loaded]
    named = ", ".join(lacks[:_MOST_NAMED])
    more = f" and {len(lacks) - _MOST_NAMED} more" if len(lacks) > _MOST_NAMED else ""
    todo = []
    if lacks:
        todo.append(
            f"{len(lacks)} of the {len(wanted)} rules are not loaded ({named}{more}): put {_RULES} "
            "under `rule_files:` in prometheus.yml"
        )
    broken = {name: loaded[name] for name in wanted if loaded.get(name)}
    todo += [f"the rule {name} fails: {why[:200]}" for name, why in broken.items()]
    return todo
