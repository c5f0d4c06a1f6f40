"""The runbook's communication template, filled in from a record."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from activities.blocks import render_glance
from activities.record import Facts, Phase, PlannedStep, Record, StepState
from activities.verification import Below
from activities.words import Risk, Severity
from tests.lifecycle.drills import CriticalDrill, drill
from tests.lifecycle.edge import Closed, page
from tests.lifecycle.test_nights import CALM, next_by, updates
from tests.lifecycle.world import Town, alert, library
from workflows.glance import glance
from workflows.policy import Policy
from workflows.template import actions, done, filled_in, heading

BEGAN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def step(effect: str, state: StepState, risk: Risk = Risk.DISRUPTIVE) -> PlannedStep:
    return PlannedStep(
        key=effect, activity="a.b", order={}, target="api", why="", effect=effect, risk=risk,
        state=state,
    )  # fmt: skip


def record(title: str = "", cause: str = "", severity: str = "critical", **more) -> Record:
    facts = Facts(
        name="Alert", title=title, severity=severity, impact="Most users cannot use the service.",
        section="s", runbook="", condition=Below(expression="x", threshold=1.0), version="1",
    )  # fmt: skip
    return Record(
        id="i", run="r", indicator="Alert", service="api", opened_at=BEGAN, severity=severity,
        facts=facts if title else None, cause=cause, **more,
    )  # fmt: skip


ERRORS = "OUTAGE: more than 20 % of the requests fail."


@pytest.mark.parametrize(
    ("known", "said", "root"),
    [
        pytest.param(
            record(ERRORS, "OUTAGE: 64% of the requests fail; since the deployment of r42"),
            "OUTAGE: 64% of the requests fail (api)",
            "🔴 OUTAGE: 64% of the requests fail (Alert)",
            id="an outage, with the measured value",
        ),
        pytest.param(
            record(ERRORS),
            "OUTAGE: more than 20 % of the requests fail (api)",
            "🔴 OUTAGE: more than 20 % of the requests fail (Alert)",
            id="an outage that was not measured yet",
        ),
        pytest.param(
            record("CRITICAL: the API is extremely slow.", "CRITICAL: API latency is extremely "
                   "high, p95 is 3.4 s; the database is slow"),
            "CRITICAL: API latency is extremely high, p95 is 3.4 s (api)",
            "🚨 CRITICAL: API latency is extremely high, p95 is 3.4 s (Alert)",
            id="the words of the runbook, with the measured value",
        ),
        pytest.param(
            record("Redis uses more than 90 % of its memory.", "too many keys", "warning"),
            "WARNING: Redis uses more than 90 % of its memory (api)",
            "⚠️ WARNING: Redis uses more than 90 % of its memory (Alert)",
            id="any other: what its procedure says, never its guess at the cause",
        ),
        pytest.param(
            record(), "CRITICAL: Alert (api)", "🚨 CRITICAL: Alert", id="without a procedure"
        ),
    ],
)  # fmt: skip
def test_severity_and_what_is_wrong_come_first(known: Record, said: str, root: str) -> None:
    assert heading(known) == said
    [header, *_] = render_glance(glance(known, Policy(), "key")).blocks
    assert header["text"]["text"] == root


def test_every_line_of_the_template_is_filled_in() -> None:
    known = record(ERRORS, "OUTAGE: 64% of the requests fail", phase=Phase.MITIGATING)
    known.ladder = [step("roll back to r41", StepState.RUNNING)]
    known.clocks.update_at = BEGAN + timedelta(minutes=15)

    assert filled_in(known, Policy()).splitlines() == [
        "Impact: Most users cannot use the service.",
        "Status: mitigating · OUTAGE: 64% of the requests fail; since 03:00:00 UTC",
        "Actions: roll back to r41",
        "ETA: 5 minutes if the present step helps",
        "Updates: every 15 minutes, the next by 03:15:00 UTC",
    ]


def test_while_users_are_kept_away_people_hear_every_five_minutes() -> None:
    known = record("The API is slow.", severity="warning")
    known.ladder = [step("the maintenance page", StepState.DONE, Risk.OUTAGE)]
    assert "Updates: every 5 minutes" in filled_in(known, Policy())
    assert heading(known).startswith("OUTAGE: ")


def test_whoever_has_taken_over_is_what_is_being_done() -> None:
    known = record(ERRORS)
    known.ladder = [step("roll back", StepState.DONE)]
    known.people.taken_over_by = "dana"
    assert actions(known) == "in the hands of dana"


def test_at_the_end_every_step_is_named_with_what_came_of_it() -> None:
    known = record(ERRORS)
    known.past_steps = [step("restart", StepState.UNHELPFUL), step("scale", StepState.UNDONE)]
    known.ladder = [
        step("roll back", StepState.HELPED),
        step("fail over", StepState.SKIPPED),
        step("warm up", StepState.UNCERTAIN),
    ]
    assert done(known) == [
        "Done: restart (did not help)",
        "Done: scale (undone since)",
        "Done: roll back",
        "Done: warm up (outcome unknown)",
    ]


@pytest.mark.parametrize("told", ["at once", "only once the page was up"])
async def test_behind_the_page_no_silence_is_longer_than_five_minutes(town: Town, told) -> None:
    world = Closed(town)
    if told != "at once":
        gate = asyncio.Event()
        world.slow["pagerduty.page"] = world.slow["slack.post_root"] = gate
    world.library = library(drill(page(), kind=CriticalDrill))
    story = await town.fire(
        alert("CriticalDrill", severity=Severity.CRITICAL), world=world, policy=CALM
    )
    await story.until(lambda r: r.phase is Phase.WATCHING)
    for waiting in world.slow.values():
        waiting.set()
    await story.until(lambda r: r.told_at is not None)

    await story.pass_time(minutes=31)
    await story.until(lambda r: len(updates(world)) == 6)

    said = [next_by(update) for update in updates(world)]
    gaps = [(b - a).total_seconds() for a, b in pairwise(said)]
    assert all(abs(gap % 86_400 - 300) <= 1 for gap in gaps), gaps
    last = said[-1].strftime("%H:%M:%S")
    await story.until(lambda r: last in str(world.root["next_update_at"]))
