"""From a real Prometheus rule to the report: the whole of it, nothing in between is scripted."""

import io

import pytest
from rich.console import Console

from deploy.gameday.performance import Performance
from deploy.gameday.scenarios import SCENARIOS
from deploy.gameday.show import Show
from tests.e2e.conftest import PACE
from tests.e2e.responding import Incident
from tests.gameday.watching import until, well


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        pytest.param(
            "redis",
            ["Redis is down", "restart redis", "redis was restarted", "Recovered", "Over"],
            id="Redis is killed, and restarted",
        ),
        pytest.param(
            "connections",
            ["connections are used", "Approved by you", "cancelled", "Recovered", "Over"],
            id="sessions leak, and are ended once somebody agrees",
        ),
        pytest.param(
            "latency",
            ["I intend to:", "scale", "scaled from 2 to 5", "Recovered", "undone", "Over"],
            id="users flock in, and there are more instances until they leave",
        ),
    ],
)
async def test_a_broken_platform_is_repaired(day, scenario, said):
    async with Incident(day, await day.stack.client(), scenario) as incident:
        incident.may_approve.set()
        await incident.breaks()
        await incident.opens()
        record = await incident.ends()

        await until(well, day.platform)
        assert await incident.wrong() == []
        told_in_order(incident, said)
        asserts_times(record)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("errors-critical", id="a bad release is rolled back"),
        pytest.param("database-down", id="users see a maintenance page until the database is back"),
        pytest.param("dashboard", id="a bad deployment of the dashboard is taken back"),
        pytest.param("disk", id="logs fill the disk, and make room again"),
        pytest.param("redis-people", id="no step brings Redis back, so people do"),
    ],
)
async def test_a_game_day_of_another_section_goes_well(day, name):
    told = io.StringIO()
    performance = Performance(
        SCENARIOS[name], Show(Console(file=told, width=120)), yes=True, pace=PACE
    )

    performed = await performance.perform(day, await day.stack.client())

    assert not performed.wrong, told.getvalue()


def asserts_times(record):
    times = [record.starts_at, record.opened_at, record.paged_at, record.mitigated_at]
    assert times == sorted(times)
    assert record.people.acknowledged_by == "you"
    assert record.resolution.still_temporary == []


def told_in_order(incident, said):
    thread = " ".join(message.text for message in incident.messages()[1:])
    place = 0
    for part in said:
        place = thread.find(part, place)
        assert place >= 0, f"{part} is not where it belongs in: {thread}"
