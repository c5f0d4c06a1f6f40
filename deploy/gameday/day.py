"""A game day: a platform to break, stand-ins for the channels, and the real responder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from activities.words import Risk
from deploy.gameday.cached_routes import WARM_UP
from deploy.gameday.llm import THROTTLE
from deploy.gameday.llm_throttle import TOKEN
from deploy.gameday.machine import LOGS
from deploy.gameday.outside import ENGINEER, Outside
from deploy.gameday.platform import Platform
from deploy.gameday.releases import ROOT
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.local.data import kept_token
from deploy.local.processes import free_port
from deploy.local.stack import WEBHOOK, Stack
from deploy.prometheus_rules import rules_yaml

PACE = 0.025
"""Ten minutes of settling take 15 seconds."""
POLICY = {"verify_seconds": 600}
"""Rates need their ten seconds to come down, at whatever pace."""
_WINDOW = "8s"
_FAST_WINDOW = "6s"
_HOLD = "2s"
_HOUR = "15s"
"""What spending is summed over, so that a pace follows it within seconds."""
_BASELINE = "12s"
_SETTINGS = "responder.toml"
EXPORTS = "export:"
"""How keys of Redis begin that nobody misses."""


class Day:
    """Everything that a game day needs, started by one call, all of it under one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        pace: float = PACE,
        policy: Mapping[str, object] | None = None,
        reports: Path | None = None,
    ) -> None:
        """Describe the day; nothing starts yet.

        Args:
            folder: Where all of it is kept.
            pace: What every wait of the responder is shortened by.
            policy: What else of its policy is not as usual.
            reports: Where reports are written; into the folder when left out.
        """
        self.folder = folder.absolute()
        self.reports = reports or self.folder / "responder" / "reports"
        token = kept_token(self.folder / "responder")
        self.outside = Outside(self.folder)
        self._policy = {"pace": pace, **POLICY, **(policy or {})}
        self.used_since = math.inf
        """When users had their first answers, by this process's clock."""
        self._token, self._door_port = token, free_port()
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
            await starting.enter_async_context(self.outside)
            self.platform = self._platform()
            self.outside.edge.origin = self.platform.api_url
            (self.folder / _SETTINGS).touch()
            self.stack = Stack(
                self.folder / "responder",
                environment=self._environment(),
                token=self._token,
                door_port=self._door_port,
            )
            starting.push_async_callback(self._end)
            # Side by side: each waits for programs of its own to come up.
            await _both(self._begin(), self.stack.__aenter__())
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._running.aclose()

    @property
    def slack(self) -> SlackStandIn:
        """Where people read."""
        return self.outside.slack

    @property
    def pagerduty(self) -> PagerDutyStandIn:
        """Who is woken."""
        return self.outside.pagerduty

    def _platform(self) -> Platform:
        return Platform(
            self.folder / "platform",
            webhook_url=f"http://127.0.0.1:{self._door_port}{WEBHOOK}",
            webhook_token=self._token.get_secret_value(),
            rules=rules_yaml(window=_WINDOW, hold=_HOLD, hour=_HOUR),
            environment=self.outside.environment(),
            front=self.outside.edge.url,
        )

    async def _begin(self) -> None:
        await self.platform.__aenter__()
        self.used_since = time.monotonic()

    async def _end(self) -> None:
        await _both(
            self.stack.__aexit__(None, None, None), self.platform.__aexit__(None, None, None)
        )

    def _environment(self) -> dict[str, str]:
        platform = self.platform
        settings: dict[str, object] = {
            # Else the one that lies where this is called from would be read.
            "CONFIG": self.folder / _SETTINGS,
            "REPORTS__FOLDER": self.reports,
            "ENVIRONMENT": "gameday",
            "PROMETHEUS__URL": platform.prometheus_url,
            "ALERTMANAGER__URL": platform.alertmanager_url,
            "REDIS__URL": platform.redis_url,
            "POSTGRES__DSN": platform.postgres_dsn,
            "HOST__ADDRESS": platform.ssh.host,
            "HOST__PORT": platform.ssh.port,
            "HOST__USER": platform.ssh.user,
            "HOST__KEY_FILE": platform.ssh.client_key,
            "HOST__KNOWN_HOSTS_FILE": platform.ssh.known_hosts,
            "HOST__REDIS_PORT": platform.redis_port,
            "HOST__UNITS": ["redis"],
            "RELEASES__ROOT": ROOT,
            "HOST__DEPLOY_LOG": platform.deploy_log,
            "PROCESSES__HEALTH_URL": platform.health_url,
            "CACHE__WARM_UP_URL": f"{platform.api_url}{WARM_UP}",
            "CACHE__WARM_UP_TOKEN": platform.warm_up_token,
            "DISK__LOG_FOLDER": f"/{LOGS}",
            "DISK__ARCHIVE_FOLDER": "/mnt/archive",
            "PROCESSES__RAMP_SECONDS": 0.5,
            "PROCESSES__SETTLE_SECONDS": 0.5,
            "LLM__THROTTLE_URL": f"{platform.api_url}{THROTTLE}",
            "LLM__THROTTLE_TOKEN": TOKEN,
            "REACH__DATABASE_HOST": "127.0.0.1",
            "REACH__DATABASE_PORT": platform.database_port,
            "INTEGRITY__ASSERTIONS": [
                {"name": "organizations", "statement": "SELECT count(*) > 0 FROM organizations"},
                {
                    "name": "members",
                    "statement": "SELECT NOT EXISTS (SELECT FROM users u LEFT JOIN organizations o"
                    " ON o.id = u.organization_id WHERE o.id IS NULL)",
                },
            ],
            **self.outside.settings(),
            "POLICY": {
                **self._policy,
                # Everybody may act, as in an installation; one person looks on, and approves.
                "people": {"*": {}, ENGINEER: {"approves": [risk.value for risk in Risk]}},
            },
            "GIVEN": {
                # Declared of this platform: its Redis writes to disk, and its pools are small.
                "redis_persists": True,
                "redis_disposable_prefixes": [EXPORTS],
                # No game day is long enough for a Redis that has run for an hour.
                "redis_young_seconds": 3,
                "pool_size": 4,
                "pool_size_recover": 8,
                "idle_in_transaction_seconds": 1.5,
                # Less than the alert's hold: whatever raised it has lasted longer by then.
                "long_statement_seconds": 1.5,
                "fast_window": _FAST_WINDOW,
                "llm_slow_seconds": 1.5,
                # One machine carries them all, so their disk is one.
                "database_on_api_host": True,
                "pace_window": _HOUR,
                "baseline_offset": _BASELINE,
                # Its users do not wait for seconds either.
                "llm_backoff_milliseconds": 100,
                # The whole platform, the responder and Temporal share these few cores.
                "load_high_ratio": 50,
                "runaway_percent": 60,
            },
        }
        passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return passed | {
            f"RESPONDER_{name}": value if isinstance(value, str) else _text(value)
            for name, value in settings.items()
        }


async def _both(*work: Coroutine[object, object, object]) -> None:
    """Do all of it, each to its end, and raise what went wrong first."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each


def _text(value: object) -> str:
    return str(value) if isinstance(value, Path) else json.dumps(value)
