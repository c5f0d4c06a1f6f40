"""One indicator, two severities: what was tried under one is known under the other."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.errors import Refused
from activities.record import Phase, StepState
from tests.lifecycle.world import QUICK, Town, World, alert, resolved, told

ROLLBACK, RESTART, MAINTENANCE = (
    "deployments.rollback", "processes.rolling_restart", "maintenance.on",
)  # fmt: skip
HIGH, CRITICAL = "HighAPIErrorRate", "CriticalAPIErrorRate"


@pytest.fixture
def failing(world: World) -> World:
    """A release of twelve minutes ago answers 500 to many; database and Redis are well."""
    began = datetime.now().astimezone()

    def release(name: str, minutes: float, **more: Any) -> dict[str, Any]:
        at = (began - timedelta(minutes=minutes)).isoformat()
        told = {"migrations": False, "schema_changed": False, "environment_changed": False}
        return {"name": name, "at": at, "author": "marek", "ready": True, **told, **more}

    def value(ask: dict[str, Any]) -> dict[str, Any]:
        throughout = "min_over_time" in ask["expression"]
        return {"value": 0.02 if throughout else world.share, "at": began.isoformat()}

    world.share = 0.12
    world.cures = {}
    world.answers |= {
        "prometheus.value": value,
        "prometheus.series": lambda ask: {"series": [{"labels": {"status": "500"}, "value": 3.0}]},
        "deployments.recent": lambda ask: {
            "releases": [release("v3", 12), release("v2", 900, healthy_minutes=800.0)],
            "running": "v3",
        },
        "host.logs": lambda ask: {"text": "TypeError: plan is undefined", "lines": 1},
        "postgres.select_again": lambda ask: {"answered": True},
        "host.database_ping": lambda ask: {"answered": True},
        "redis.ping": lambda ask: {"answered": True, "milliseconds": 1.0},
        "host.redis_ping": lambda ask: {"answered": True},
        f"{ROLLBACK}.read": lambda order: {"running": "v3", "instances": []},
        ROLLBACK: lambda order, before: {"said": f"went back to {order['to']}"},
    }
    return world


async def test_critical_takes_over_the_question_and_high_does_not_repeat_what_was_tried(
    town: Town, failing: World
) -> None:
    high = alert(HIGH, severity="warning", fingerprint="h")
    story = await town.fire(high, policy=QUICK, world=failing)

    asked = await story.until(lambda r: r.phase is Phase.ASKING)
    assert asked.question is not None
    assert "roll pravado-api back from v3 to v2" in asked.asks
    assert failing.count(ROLLBACK) == 0, "a warning asks"

    failing.share = 0.64
    critical = alert(CRITICAL, severity="critical", service=high.service, fingerprint="c")
    await story.notice(critical)
    record = await story.until(lambda r: failing.count(ROLLBACK) == 1)
    assert record.facts is not None
    assert record.facts.name == CRITICAL
    assert record.question is None, "an outage is rolled back without asking"
    assert record.cause.startswith("OUTAGE: 64% of the requests fail")
    assert record.recurrence == 0, "one incident"
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    failing.share = 0.1
    await story.notice(resolved(critical))
    await story.until(lambda r: r.severity.value == "warning")
    record = await story.pass_time(minutes=3)

    assert record.facts is not None
    assert record.facts.name == HIGH, told(record)
    assert record.resolution is None, "between 5 and 20 % it is no recovery"
    [back] = [step for step in record.past_steps if step.activity == ROLLBACK and step.before]
    assert back.state is StepState.UNHELPFUL
    [again] = [step for step in record.ladder if step.activity == ROLLBACK]
    assert (again.state, again.said) == (
        StepState.SKIPPED, "skipped: it was done on this target a moment ago",
    )  # fmt: skip
    assert failing.count(ROLLBACK) == 1
    assert record.phase is Phase.WATCHING
    assert "a hotfix by a person is needed" in record.handed_over_why


async def test_an_incident_has_one_rollback_however_long_it_lasts(
    town: Town, failing: World
) -> None:
    critical = alert(CRITICAL)
    story = await town.fire(critical, policy=QUICK, world=failing)
    await story.until(lambda r: failing.count(ROLLBACK) == 1)
    await story.pass_time(hours=2)
    await story.act("take-over")
    await story.act("hand-back")

    record = await story.until(
        lambda r: any(s.activity == ROLLBACK and s.state is StepState.SKIPPED for s in r.ladder)
    )

    [again] = [step for step in record.ladder if step.activity == ROLLBACK]
    assert again.said == "skipped: this incident has had it once already"
    assert failing.count(ROLLBACK) == 1


async def test_a_rollback_that_was_refused_may_be_tried_again(town: Town, failing: World) -> None:
    failing.fails[f"{ROLLBACK}.read"] = [Refused("a rollout is under way")]
    critical = alert(CRITICAL)
    story = await town.fire(critical, policy=QUICK, world=failing)
    await story.pass_time(minutes=5)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("take-over")
    await story.act("hand-back")

    record = await story.until(lambda r: failing.count(ROLLBACK) == 1)

    assert [s.state for s in record.past_steps if s.activity == ROLLBACK] == [StepState.FAILED]


async def test_an_outage_that_nothing_ends_asks_for_the_maintenance_page_last(
    town: Town, failing: World
) -> None:
    failing.share = 0.64
    failing.answers[f"{MAINTENANCE}.read"] = lambda order: {"on": False}
    story = await town.fire(alert(CRITICAL), policy=QUICK, world=failing)

    await story.until(lambda r: failing.count(ROLLBACK) == 1)
    await story.pass_time(minutes=2)
    await story.until(lambda r: failing.count(RESTART) == 1)
    await story.pass_time(minutes=2)
    record = await story.until(lambda r: r.phase is Phase.ASKING)

    assert "show every user the maintenance page" in record.asks
    assert [name for name in failing.changes if name != ROLLBACK] == [RESTART]


@pytest.mark.parametrize(
    ("looks", "alone"),
    [
        pytest.param([True], True, id="most requests fail for minutes: nobody is asked"),
        pytest.param([False], False, id="fewer do: people decide"),
        pytest.param([None], False, id="not measured: people decide"),
    ],
)
async def test_users_are_shielded_alone_only_if_it_is_as_bad_when_the_turn_comes(
    town: Town, failing: World, looks: list[bool | None], *, alone: bool
) -> None:
    failing.answers |= {
        f"{RESTART}.read": lambda order: None,
        f"{MAINTENANCE}.read": lambda order: {"on": False},
        MAINTENANCE: lambda order, before: {"said": "users see the page"},
    }
    usual = failing.look

    async def look(condition: Any) -> Any:
        if condition.kind == "below" and "min_over_time" in condition.expression:
            failing.looks = list(looks)
        return await usual(condition)

    failing.look = look
    failing.fails |= {
        f"{ROLLBACK}.read": lambda: Refused("not built"),
        f"{RESTART}.read": lambda: Refused("no way in"),
    }
    story = await town.fire(alert(CRITICAL), policy=QUICK, world=failing)

    record = await story.until(
        lambda r: bool(failing.count(MAINTENANCE)) or r.phase is Phase.ASKING
    )

    assert bool(failing.count(MAINTENANCE)) is alone, told(record)
    [page] = [step for step in record.ladder if step.activity == MAINTENANCE]
    assert page.alone is alone
    assert "Is it so bad that nobody need be asked?" in told(record)


async def test_after_a_rollback_that_helped_nobody_is_called_for_the_milder_alert_that_fires_on(
    town: Town, failing: World
) -> None:
    failing.share = 0.64
    failing.cures = {ROLLBACK: True}
    high = alert(HIGH, severity="warning", fingerprint="h")
    critical = alert(CRITICAL, severity="critical", service=high.service, fingerprint="c")
    failing.slow[ROLLBACK] = asyncio.Event()
    story = await town.fire(critical, high, policy=QUICK, world=failing)
    await story.until(lambda r: failing.count(ROLLBACK) == 1)
    failing.share = 0.0
    failing.slow[ROLLBACK].set()
    await story.until(lambda r: r.phase in (Phase.VERIFYING, Phase.SETTLING))
    await story.notice(resolved(critical))
    await story.until(lambda r: r.severity.value == "warning")

    record = await story.pass_time(seconds=50)

    assert record.facts is not None
    assert record.facts.name == HIGH
    assert "0 steps planned" in told(record)
    assert record.phase is Phase.SETTLING, told(record)
    assert record.handed_over_why == ""
    assert failing.pages == [("on-call", "high")], "once, for the outage"
