from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.messages import Fact, Link
from activities.pagerduty import Follow, Page, PagerDuty
from activities.words import Severity, Urgency
from deploy.gameday.standins.faults import Fault, dropped, hanging, outage, rate_limited
from deploy.gameday.standins.pagerduty import PagerDutyStandIn

DEFAULT, LEAD = "d" * 32, "e" * 32
KEYS = {"default": SecretStr(DEFAULT), "engineering-lead": SecretStr(LEAD)}
PAGE = Page(
    dedup_key="HighErrorRate-api-1/run/page",
    level="on-call",
    urgency=Urgency.HIGH,
    severity=Severity.CRITICAL,
    summary="API experiencing high error rates",
    source="api",
)


@pytest.fixture
async def account() -> AsyncIterator[PagerDutyStandIn]:
    async with PagerDutyStandIn([DEFAULT, LEAD]) as standing:
        yield standing


@pytest.fixture
async def duty(account: PagerDutyStandIn) -> AsyncIterator[PagerDuty]:
    async with httpx.AsyncClient() as client:
        yield PagerDuty(client, KEYS, url=account.url, timeout=httpx.Timeout(0.5))


async def run(activity: Any, order: Any, attempt: int = 1) -> Any:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(activity, order)


async def test_a_page_is_opened_acknowledged_and_resolved(
    account: PagerDutyStandIn, duty: PagerDuty
) -> None:
    paged = await run(duty.page, PAGE)
    follow = Follow(dedup_key=paged.dedup_key, route=paged.route)
    seen = []
    for activity in (duty.acknowledge, duty.resolve):
        await run(activity, follow)
        alert = account.alert(PAGE.dedup_key)
        assert alert is not None
        seen.append(alert.status)
    assert seen == ["acknowledged", "resolved"]
    assert not any(event.dropped for event in account.events)


@pytest.mark.parametrize(
    ("fault", "failed", "wait"),
    [
        pytest.param(dropped(done=True), "Unavailable", None, id="dropped after it was done"),
        pytest.param(dropped(done=False), "Unavailable", None, id="dropped before it was done"),
        pytest.param(hanging(2, done=True), "Unavailable", None, id="done, then silence"),
        pytest.param(outage(502), "Unavailable", None, id="a 502 with a page of HTML"),
        pytest.param(rate_limited(9), "Throttled", 9, id="rate limited, told how long"),
        pytest.param(Fault(kind="answer", status=429, body=""), "Throttled", 30, id="rate limited"),
    ],
)
async def test_a_repeated_page_opens_one_alert(
    account: PagerDutyStandIn, duty: PagerDuty, fault: Fault, failed: str, wait: int | None
) -> None:
    account.fail(fault)
    with pytest.raises(ApplicationError) as error:
        await run(duty.page, PAGE)
    assert error.value.type == failed
    assert error.value.next_retry_delay == (wait and timedelta(seconds=wait))

    await run(duty.page, PAGE, attempt=2)
    assert [alert.status for alert in account.alerts] == ["triggered"]


@pytest.mark.parametrize(
    ("level", "key", "said"),
    [
        pytest.param("engineering-lead", LEAD, "Paged engineering-lead", id="has its own key"),
        pytest.param("cto", DEFAULT, "no routing key of its own", id="goes the default way"),
    ],
)
async def test_a_level_is_paged_by_its_route_and_closed_by_the_same(
    account: PagerDutyStandIn, duty: PagerDuty, level: str, key: str, said: str
) -> None:
    paged = await run(duty.page, PAGE.model_copy(update={"level": level}))
    await run(duty.resolve, Follow(dedup_key=paged.dedup_key, route=paged.route))
    assert said in paged.said
    assert [alert.status for alert in account.alerts] == ["resolved"]
    assert {event.routing_key for event in account.events} == {key}


@pytest.mark.parametrize(
    ("urgency", "severity", "sent"),
    [
        (Urgency.HIGH, Severity.CRITICAL, "critical"),
        (Urgency.HIGH, Severity.WARNING, "critical"),
        (Urgency.LOW, Severity.CRITICAL, "warning"),
        (Urgency.LOW, Severity.WARNING, "warning"),
        (Urgency.LOW, Severity.INFO, "info"),
    ],
)
async def test_urgency_decides_whether_it_wakes(
    account: PagerDutyStandIn, duty: PagerDuty, urgency: Urgency, severity: Severity, sent: str
) -> None:
    page = PAGE.model_copy(update={"urgency": urgency, "severity": severity})
    await run(duty.page, page)
    assert account.alerts[0].severity == sent


async def test_a_page_of_any_length_is_taken(account: PagerDutyStandIn, duty: PagerDuty) -> None:
    long = "🚨 <long> " * 20_000
    page = Page(
        dedup_key=long,
        level="on-call",
        urgency=Urgency.HIGH,
        severity=Severity.CRITICAL,
        summary=long,
        source=long,
        component=long,
        details=tuple(Fact(label=f"{n} {long}", value=long) for n in range(200)),
        links=tuple(Link(text=long, url=f"https://example.com/{n}") for n in range(200)),
        at=datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
    )
    paged = await run(duty.page, page)
    await run(duty.resolve, Follow(dedup_key=long, route=paged.route))
    [alert] = account.alerts
    assert alert.status == "resolved"
    assert len(account.events[0].payload["custom_details"]) == 40


async def test_an_empty_page_is_taken_too(account: PagerDutyStandIn, duty: PagerDuty) -> None:
    await run(duty.page, PAGE.model_copy(update={"summary": " ", "source": ""}))
    assert account.alerts[0].summary == "Incident"


async def test_a_wrong_routing_key_is_refused_and_not_shown(account: PagerDutyStandIn) -> None:
    wrong = "f" * 32
    async with httpx.AsyncClient() as client:
        duty = PagerDuty(client, {"default": SecretStr(wrong)}, url=account.url)
        with pytest.raises(ApplicationError, match="routing_key") as failed:
            await run(duty.page, PAGE)
    assert failed.value.type == "Refused"
    assert wrong not in repr(failed.value)


async def test_a_level_without_a_key_wakes_somebody_by_any_key_that_there_is(
    account: PagerDutyStandIn,
) -> None:
    async with httpx.AsyncClient() as client:
        duty = PagerDuty(client, {"engineering-lead": SecretStr(LEAD)}, url=account.url)
        paged = await run(duty.page, PAGE)
        await run(duty.resolve, Follow(dedup_key=paged.dedup_key, route=paged.route))
    assert "so this went the way of engineering-lead" in paged.said
    assert [alert.status for alert in account.alerts] == ["resolved"]


@pytest.mark.parametrize("keys", [{}, {"default": SecretStr("")}])
async def test_without_a_routing_key_nothing_is_tried(keys: dict[str, SecretStr]) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ApplicationError, match="PAGERDUTY__ROUTING_KEY") as failed:
            await run(PagerDuty(client, keys, url="http://127.0.0.1:1").page, PAGE)
    assert failed.value.type == "NotConfigured"


async def test_the_stand_in_drops_a_stray_resolution_silently(
    account: PagerDutyStandIn, duty: PagerDuty
) -> None:
    await run(duty.page, PAGE)
    await run(duty.resolve, Follow(dedup_key=PAGE.dedup_key, route="engineering-lead"))
    assert [alert.status for alert in account.alerts] == ["triggered"]
    assert account.events[-1].dropped


async def test_the_stand_in_remembers_over_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with (
            PagerDutyStandIn([DEFAULT], data=tmp_path / "pagerduty.json") as account,
            httpx.AsyncClient() as client,
        ):
            await run(PagerDuty(client, KEYS, url=account.url).page, PAGE)
            [alert] = account.alerts
            assert alert.triggers == expected
