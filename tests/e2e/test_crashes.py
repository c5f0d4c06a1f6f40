"""kill -9 at every phase: the response ends right, everything is said once and done once.

The usual run kills one victim at every phase of one incident. `make crash` kills it once an
incident as well, at each phase of each scenario.
"""

import asyncio
import logging
import time

import pytest

from activities.record import Phase
from deploy.gameday.standins.faults import dropped, hanging
from tests.e2e.killing import PHASES, Victims, struck
from tests.e2e.responding import CHANGES, LOOK_SECONDS, Incident
from tests.gameday.watching import until, well

pytestmark = pytest.mark.timeout(300)

_log = logging.getLogger(__name__)


@pytest.mark.crash
@pytest.mark.parametrize(
    ("scenario", "victim"),
    [
        pytest.param("redis", "worker", id="Redis, and the worker"),
        pytest.param("redis", "temporal", id="Redis, and the Temporal server"),
        pytest.param("connections", "door", id="connections, and the door"),
        pytest.param("connections", "all three", id="connections, and all three"),
    ],
)
async def test_a_response_survives_a_kill_at_each_of_its_phases(day, scenario, victim):
    await survived(day, scenario, victim, PHASES[scenario])


@pytest.mark.crash_full
@pytest.mark.parametrize("victim", ["worker", "temporal", "door", "all three"])
@pytest.mark.parametrize(
    ("scenario", "phase"),
    [
        pytest.param(scenario, phase, id=f"{scenario}, {phase.value}")
        for scenario, phases in PHASES.items()
        for phase in phases
    ],
)
async def test_a_response_survives_a_kill(day, scenario, phase, victim):
    await survived(day, scenario, victim, [phase])


async def survived(day, scenario, victim, phases):
    async with (
        Incident(day, await day.stack.client(), scenario) as incident,
        Victims(day.stack, victim) as victims,
    ):
        began = time.monotonic()
        await struck(incident, victims, phases)
        _log.info("%s, %s: over after %.1f s", scenario, victim, time.monotonic() - began)
        for stall in await incident.stalls():
            _log.info("%s", stall)

        await until(well, day.platform)
        assert await incident.wrong() == []
        if "worker" in victims and Phase.MITIGATING in phases:
            attempts = await incident.attempts()
            assert attempts[CHANGES[scenario]] == 2, "the kill did not hit the change"


@pytest.mark.crash
@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        pytest.param(hanging(30, done=True, method="chat.postMessage"), 2, id="does not answer"),
        pytest.param(dropped(done=True, method="chat.postMessage"), 2, id="hangs up"),
    ],
)
async def test_what_slack_took_and_nobody_heard_is_not_said_again(day, fault, attempts):
    async with (
        Incident(day, await day.stack.client(), "redis") as incident,
        Victims(day.stack, "worker") as victims,
    ):
        day.slack.fail(fault)
        await incident.breaks()
        await incident.opens()
        async with asyncio.timeout(20):
            while not incident.messages():
                await asyncio.sleep(LOOK_SECONDS)
        await victims.die()
        await victims.rise()
        await incident.ends()

        await until(well, day.platform)
        assert await incident.wrong() == []
        assert (await incident.attempts())["slack.post_root"] == attempts
