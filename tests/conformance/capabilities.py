"""The register of what speaks HTTP: an adapter joins the kit by one entry in `CAPABILITIES`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
from lightkube import KubeConfig
from lightkube.config.models import Cluster, User
from pydantic import SecretStr

from activities.alertmanager import Alertmanager, OpenAlerts
from activities.cache_warming import CacheWarming, WarmUp, WarmUpBefore
from activities.changes import Targets
from activities.cloudflare import CloudflareApi
from activities.cloudflare_kv import Cell, Place
from activities.expo_api import ExpoApi
from activities.github import GitHub
from activities.kubernetes import Kubernetes
from activities.kubernetes_client import client_of
from activities.llm_clients import Anthropic, OpenAI
from activities.maintenance import Maintenance
from activities.messages import Entry, Glance
from activities.on_call import AskOnCall, AwaitAcknowledgement, OnCall
from activities.pagerduty import Follow, Page, PagerDuty
from activities.pagerduty_there import PeoplesIncidents
from activities.pages import BuildLog, Pages, PagesBefore, RollBackPages
from activities.pages_project import Project
from activities.phones import AskReceipts, PagePhones, Phones, PhoneTicket
from activities.prometheus import Prometheus, Query
from activities.prometheus_api import PrometheusApi
from activities.public_page import PublicPage, Publish, Published
from activities.sentry import NewestIssues, Sentry, SlowTransactions
from activities.slack import Announce, PostEntry, PostRoot, Slack, UpdateEntry, UpdateRoot
from activities.slack_api import slack_api
from activities.slack_channels import OpenChannel, SlackChannels
from activities.status_pages import StatusOf, StatusPages
from activities.web import Web
from activities.words import Nothing, Severity, Urgency
from tests.conformance import llm

SECRET = "xoxb-0123456789-thisMustNeverBeSeen"
SECONDS = 0.3
"""The time-out that every adapter is given: long enough for loopback, short enough to wait for."""

Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Capability:
    """One way to call one far side.

    `open(url)` makes the adapter, pointed at *url*, knowing no secret but `SECRET`, waiting no
    longer than `SECONDS`; it yields a call, which the kit runs within an `ActivityEnvironment`.
    """

    name: str
    nature: Literal["reads", "repeatable", "posts"]
    """posts: done twice it shows, so a lost answer must be `Ambiguous`, not `Unavailable`."""
    open: Callable[[str], AbstractAsyncContextManager[Call]]
    waits: timedelta | None = None
    """What a 429 without Retry-After means."""
    lists: bool = False
    """Whether an empty list is an answer."""


NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GLANCE = Glance(
    key="i/1/root",
    channel="incidents",
    severity=Severity.CRITICAL,
    title="API answers slowly",
    service="api",
    environment="production",
    impact="All users",
    status="Investigating",
)


@contextlib.asynccontextmanager
async def _slack(url: str, make: Callable[[Slack], Call]) -> AsyncIterator[Call]:
    async with slack_api(SecretStr(SECRET), url=f"{url}/api/", timeout_seconds=SECONDS) as api:
        yield make(Slack(api, {"incidents": "C0INCIDENTS"}))


@contextlib.asynccontextmanager
async def _slack_channels(url: str) -> AsyncIterator[Call]:
    async with slack_api(SecretStr(SECRET), url=f"{url}/api/", timeout_seconds=SECONDS) as api:
        order = OpenChannel(incident="APIDown-api-1", run="r1")
        yield lambda: SlackChannels(api).open_channel(order)


@contextlib.asynccontextmanager
async def _pagerduty(url: str, make: Callable[[PagerDuty], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        keys = {"default": SecretStr(SECRET)}
        yield make(PagerDuty(client, keys, url=url, timeout=httpx.Timeout(SECONDS)))


@contextlib.asynccontextmanager
async def _peoples(url: str, make: Callable[[PeoplesIncidents], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        token = SecretStr(SECRET)
        yield make(PeoplesIncidents(client, token, sender="a@b.c", url=url, seconds=SECONDS))


@contextlib.asynccontextmanager
async def _on_call(url: str, make: Callable[[OnCall], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        policies = {"on-call": "PPOLICY"}
        yield make(OnCall(client, SecretStr(SECRET), policies, url=url, seconds=SECONDS))


@contextlib.asynccontextmanager
async def _prometheus(url: str) -> AsyncIterator[Call]:
    api = PrometheusApi(url, token=SecretStr(SECRET), seconds=SECONDS)
    with contextlib.closing(api):
        yield lambda: Prometheus(api).value(Query(expression="up"))


@contextlib.asynccontextmanager
async def _alertmanager(url: str) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        alerting = Alertmanager(client, url, token=SecretStr(SECRET), seconds=SECONDS)
        yield lambda: alerting.open_alerts(OpenAlerts())


@contextlib.asynccontextmanager
async def _status_page(url: str) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        pages = StatusPages(client, {"openai": url}, seconds=SECONDS)
        yield lambda: pages.status(StatusOf(provider="openai"))


_PUBLISH = Publish(key="i/1", name="The API is down", body="We are working on it.")


@contextlib.asynccontextmanager
async def _public_page(url: str, make: Callable[[PublicPage], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        yield make(PublicPage(client, "page1", SecretStr(SECRET), url=url, seconds=SECONDS))


@contextlib.asynccontextmanager
async def _pages(url: str, make: Callable[[Pages], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        api = CloudflareApi(client, SecretStr(SECRET), url=url, seconds=SECONDS)
        yield make(Pages(Project(api, "account", "dashboard"), targets=Targets()))


@contextlib.asynccontextmanager
async def _warm_up(url: str) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        web = Web(client, "the cache's warm-up", secrets=(SECRET,), seconds=SECONDS)
        warming = CacheWarming(web, f"{url}/internal/cache/warmup", SecretStr(SECRET))
        yield lambda: warming.warm_up(WarmUp(requested_at=NOON), WarmUpBefore())


@contextlib.asynccontextmanager
async def _kubernetes(url: str, make: Callable[[Kubernetes], Call]) -> AsyncIterator[Call]:
    config = KubeConfig.from_one(
        cluster=Cluster(server=url), user=User(token=SECRET), context_name="here"
    ).get()
    client = client_of(config, seconds=SECONDS)
    try:
        yield make(Kubernetes(client, "api", namespace="default", seconds=SECONDS))
    finally:
        await client.aclose()


_BACK = RollBackPages(to="earlier")


@contextlib.asynccontextmanager
async def _phones(url: str, make: Callable[[Phones], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        limit = httpx.Timeout(SECONDS)
        api = ExpoApi(client, SecretStr(SECRET), url=url, timeout=limit)
        yield make(Phones(api, {"priya": SecretStr(f"ExponentPushToken[{SECRET}]")}))


_RING = PagePhones(
    key="i/1/phone",
    level="on-call",
    phones=("priya",),
    incident="i",
    title="API answers slowly",
    body="p95 is 3 s",
)
_TICKETS = AskReceipts(tickets=(PhoneTicket(phone="priya", id="4b5c"),))


@contextlib.asynccontextmanager
async def _github(url: str) -> AsyncIterator[Call]:
    async with httpx.AsyncClient(trust_env=False) as client:
        github = GitHub(client, "pravado/api", SecretStr(SECRET), url=url, seconds=SECONDS)
        yield lambda: github.releases(5)


@contextlib.asynccontextmanager
async def _sentry(url: str, make: Callable[[Sentry], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield make(Sentry(client, "pravado", SecretStr(SECRET), url=url, seconds=SECONDS))


def _sentry_issues(url: str) -> AbstractAsyncContextManager[Call]:
    return _sentry(url, lambda sentry: lambda: sentry.issues(NewestIssues()))


def _sentry_transactions(url: str) -> AbstractAsyncContextManager[Call]:
    return _sentry(url, lambda sentry: lambda: sentry.slow_transactions(SlowTransactions()))


@contextlib.asynccontextmanager
async def _cell(url: str, make: Callable[[Cell], Call]) -> AsyncIterator[Call]:
    async with httpx.AsyncClient() as client:
        place = Place("account", "namespace", "maintenance", url)
        yield make(Cell(client, place, SecretStr(SECRET), seconds=SECONDS))


_ENTRY = PostEntry(
    channel_id="C0INCIDENTS",
    thread_ts="1.000001",
    entry=Entry(key="i/1/seen", title="Seen"),
    oldest=NOON,
)
_PAGE = Page(
    dedup_key="i/1/page",
    level="on-call",
    urgency=Urgency.HIGH,
    severity=Severity.CRITICAL,
    summary="API answers slowly",
    source="api",
)
_REVISION = UpdateEntry(channel_id="C0INCIDENTS", ts="1.000002", entry=_ENTRY.entry)
_ANNOUNCEMENT = Announce(channel="incidents", entry=_ENTRY.entry, oldest=NOON)
_FOLLOW = Follow(dedup_key="i/1/page", route="default")
_UPDATE = UpdateRoot(channel_id="C0INCIDENTS", ts="1.000001", glance=GLANCE)
_HALF_A_MINUTE = timedelta(seconds=30)

CAPABILITIES: tuple[Capability, ...] = (
    Capability(
        "slack.post_root",
        "posts",
        lambda url: _slack(
            url, lambda slack: lambda: slack.post_root(PostRoot(glance=GLANCE, oldest=NOON))
        ),
    ),
    Capability(
        "slack.update_root",
        "repeatable",
        lambda url: _slack(url, lambda slack: lambda: slack.update_root(_UPDATE)),
    ),
    Capability(
        "slack.update_entry",
        "repeatable",
        lambda url: _slack(url, lambda slack: lambda: slack.update_entry(_REVISION)),
    ),
    Capability(
        "slack.announce",
        "posts",
        lambda url: _slack(url, lambda slack: lambda: slack.announce(_ANNOUNCEMENT)),
    ),
    Capability("slack.open_channel", "repeatable", _slack_channels),
    Capability(
        "slack.post_entry",
        "posts",
        lambda url: _slack(url, lambda slack: lambda: slack.post_entry(_ENTRY)),
    ),
    Capability(
        "pagerduty.page",
        "repeatable",
        lambda url: _pagerduty(url, lambda duty: lambda: duty.page(_PAGE)),
        _HALF_A_MINUTE,
    ),
    Capability(
        "pagerduty.acknowledge",
        "repeatable",
        lambda url: _pagerduty(url, lambda duty: lambda: duty.acknowledge(_FOLLOW)),
        _HALF_A_MINUTE,
    ),
    Capability(
        "pagerduty.resolve",
        "repeatable",
        lambda url: _pagerduty(url, lambda duty: lambda: duty.resolve(_FOLLOW)),
        _HALF_A_MINUTE,
    ),
    Capability(
        "pagerduty.resolve what people opened",
        "repeatable",
        lambda url: _peoples(url, lambda there: lambda: there.say("Q1", "resolved")),
    ),
    Capability(
        "pagerduty.on_call",
        "reads",
        lambda url: _on_call(
            url, lambda duty: lambda: duty.on_call(AskOnCall(levels=("on-call",)))
        ),
    ),
    Capability(
        "pagerduty.acknowledged",
        "reads",
        lambda url: _on_call(
            url, lambda duty: lambda: duty.acknowledged(AwaitAcknowledgement(dedup_key="page-1"))
        ),
    ),
    Capability(
        "maintenance.state",
        "reads",
        lambda url: _cell(url, lambda cell: lambda: Maintenance(cell, Targets()).state(Nothing())),
    ),
    Capability(
        "maintenance.write",
        "repeatable",
        lambda url: _cell(url, lambda cell: lambda: cell.put(b"{}")),
    ),
    Capability(
        "kubernetes.replicas",
        "reads",
        lambda url: _kubernetes(url, lambda cluster: cluster.replicas),
    ),
    Capability(
        "kubernetes.set_replicas",
        "repeatable",
        lambda url: _kubernetes(url, lambda cluster: lambda: cluster.set_replicas(3, "7")),
    ),
    Capability("prometheus.value", "reads", _prometheus),
    Capability("alertmanager.open_alerts", "reads", _alertmanager, lists=True),
    Capability("status_pages.status", "reads", _status_page),
    Capability(
        "public_page.publish.read",
        "reads",
        lambda url: _public_page(url, lambda page: lambda: page.publish_read(_PUBLISH)),
        lists=True,
    ),
    Capability(
        "public_page.publish",
        "posts",
        lambda url: _public_page(url, lambda page: lambda: page.publish(_PUBLISH, Published())),
    ),
    Capability("github.deployments", "reads", _github, timedelta(minutes=1), lists=True),
    Capability("sentry.issues", "reads", _sentry_issues, lists=True),
    Capability("sentry.slow_transactions", "reads", _sentry_transactions),
    Capability("openai.models", "reads", lambda url: llm.listing(OpenAI, url, SECRET, SECONDS)),
    Capability(
        "anthropic.models", "reads", lambda url: llm.listing(Anthropic, url, SECRET, SECONDS)
    ),
    Capability(
        "openai.complete", "repeatable", lambda url: llm.writing(OpenAI, url, SECRET, SECONDS)
    ),
    Capability(
        "anthropic.complete", "repeatable", lambda url: llm.writing(Anthropic, url, SECRET, SECONDS)
    ),
    Capability("llm.throttle.read", "reads", lambda url: llm.throttling(url, SECRET, SECONDS)),
    Capability("cache.warm_up", "repeatable", _warm_up),
    Capability(
        "pages.deployments",
        "reads",
        lambda url: _pages(url, lambda pages: lambda: pages.deployments(Nothing())),
    ),
    Capability(
        "pages.build_log",
        "reads",
        lambda url: _pages(url, lambda pages: lambda: pages.build_log(BuildLog(deployment="it"))),
    ),
    Capability(
        "pages.rollback",
        "repeatable",
        lambda url: _pages(
            url, lambda pages: lambda: pages.rollback(_BACK, PagesBefore(canonical="now"))
        ),
    ),
    Capability(
        "expo.page",
        "posts",
        lambda url: _phones(url, lambda phones: lambda: phones.page(_RING)),
    ),
    Capability(
        "expo.receipts",
        "reads",
        lambda url: _phones(url, lambda phones: lambda: phones.receipts(_TICKETS)),
    ),
)
