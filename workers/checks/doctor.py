"""Looks at all integrations, side by side."""

from __future__ import annotations

import asyncio

import httpx

from workers.checks.channels import (
    EmailCheck,
    ExpoCheck,
    OnCallCheck,
    PagerDutyCheck,
    SlackActsCheck,
    SlackCheck,
)
from workers.checks.check import Check, Diagnosis, examined
from workers.checks.machines import HostCheck, KubernetesCheck, Pm2Check
from workers.checks.monitoring import AlertmanagerCheck, DoorCheck, PrometheusCheck
from workers.checks.people import PagerDutyWebhookCheck, PeoplesIncidentsCheck
from workers.checks.platform import (
    ApiCheck,
    ApprovalsCheck,
    DashboardCheck,
    FlowsCheck,
    ReportsCheck,
    ThrottleCheck,
    WarmUpCheck,
)
from workers.checks.providers import (
    AnthropicCheck,
    GitHubCheck,
    MaintenanceCheck,
    OpenAiCheck,
    OwnPageCheck,
    PagesCheck,
    SentryCheck,
    StatusPagesCheck,
)
from workers.checks.stores import PostgresCheck, RedisCheck
from workers.checks.temporal import TemporalCheck
from workers.settings import Settings

CHECKS: tuple[type[Check], ...] = (
    TemporalCheck,
    DoorCheck,
    PrometheusCheck,
    AlertmanagerCheck,
    SlackCheck,
    SlackActsCheck,
    PagerDutyCheck,
    PagerDutyWebhookCheck,
    PeoplesIncidentsCheck,
    OnCallCheck,
    ExpoCheck,
    EmailCheck,
    ApprovalsCheck,
    PostgresCheck,
    RedisCheck,
    HostCheck,
    Pm2Check,
    KubernetesCheck,
    ApiCheck,
    WarmUpCheck,
    DashboardCheck,
    PagesCheck,
    FlowsCheck,
    MaintenanceCheck,
    OpenAiCheck,
    AnthropicCheck,
    ThrottleCheck,
    SentryCheck,
    GitHubCheck,
    StatusPagesCheck,
    OwnPageCheck,
    ReportsCheck,
)
"""In the order in which they are shown: what everything hangs on first."""


async def diagnosed(settings: Settings, *, changes: bool = True) -> list[Diagnosis]:
    """Look at everything at once; without *changes* no right to change anything is demanded."""
    async with httpx.AsyncClient(trust_env=False) as http:
        checks = (kind(settings, http) for kind in CHECKS)
        return list(await asyncio.gather(*(examined(each, changes=changes) for each in checks)))
