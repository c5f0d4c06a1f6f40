"""HighCPUUsage and HighMemoryUsage."""

import pytest

from activities.deployments import ReleaseHistory
from activities.host import Logs
from activities.host_processes import Busiest, Largest, ProcessUse, ThreadUse
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the
from tests.procedures.failing_api import history
from tests.procedures.slow_api import (
    MIB,
    capacity,
    connections,
    instances,
    series,
    value,
)

SCALE, ONE, ALL, SWITCH = (
    "processes.scale",
    "processes.restart_instance",
    "processes.rolling_restart",
    "switches.set",
)


def process(pid: int, percent: float | None = None, **more) -> ProcessUse:
    return ProcessUse(**{"pid": pid, "user": "app", "name": "node", "cpu_percent": percent} | more)


def busiest(*processes: ProcessUse, **more) -> Busiest:
    threads = (ThreadUse(id=100, name="node", cpu_percent=97.0),)
    about = {"processes": processes, "threads": threads, "cores": 4, "runnable": 3}
    return Busiest(**about | more)


EVEN = busiest(process(100, 80.0), process(101, 78.0))
AWAY = busiest(process(100, 99.0), process(101, 12.0))
CPU = {
    "used": value(0.93),
    "busiest": EVEN,
    "largest": None,
    "routes": series("route", **{"/api/orgs": 1.4, "/api/users": 0.2}),
    "instances": instances(),
    "capacity": capacity(),
    "connections": connections(),
    "queries": series("query_type", select=0.02),
    "rate": value(20.0),
    "baseline": value(19.0),
}


def cpu(given=None, **found):
    return plan("HighCPUUsage", CPU | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [SCALE], id="all instances are busy: more of them"),
        pytest.param({"busiest": AWAY}, [ONE, SCALE], id="one runs away: restart that one first"),
        pytest.param({"used": value(0.5)}, [], id="it is over already"),
        pytest.param({"used": None}, [SCALE], id="how much is used could not be read"),
        pytest.param({"capacity": capacity(load_1m=3.9)}, [], id="no processor left to scale into"),
        pytest.param(
            {"capacity": capacity(load_1m=3.9), "busiest": AWAY},
            [ONE],
            id="no processor left, and one runs away",
        ),
        pytest.param(
            {"connections": connections(used=190)}, [], id="the database has no connections left"
        ),
        pytest.param(
            {"busiest": busiest(process(999, 180.0, name="backup"), process(100, 20.0))},
            [],
            id="a process of somebody else: left alone, and nothing is scaled beside it",
        ),
        pytest.param(
            {"busiest": busiest(process(100, 99.0), process(101, 60.0))},
            [SCALE],
            id="two busy instances are no runaway",
        ),
        pytest.param(
            {"instances": instances(1), "busiest": busiest(process(100, 99.0))},
            [SCALE],
            id="the only instance is no runaway: nobody would answer",
        ),
        pytest.param(
            {"busiest": AWAY, "instances": instances(restarts=9, started=30)},
            [SCALE],
            id="a runaway that crashes over and over is not restarted",
        ),
    ],
)
def test_what_is_done_when_the_processors_are_busy(found, expected):
    assert activities(cpu(**found)) == expected


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="all is known: the policy decides"),
        pytest.param({"busiest": None}, Asks.ALWAYS, id="which process it is could not be read"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the instances could not be read"),
        pytest.param({"connections": None}, Asks.ALWAYS, id="the database could not be read"),
        pytest.param({"capacity": None}, Asks.ALWAYS, id="the host could not be read"),
    ],
)
def test_scaling_asks_wherever_it_is_not_known_to_be_safe(found, asks):
    assert the(cpu(**found), SCALE).asks is asks


def test_the_runaway_is_named_by_its_process_and_no_other_is_touched():
    step = the(cpu(busiest=AWAY), ONE)

    assert step.order == {
        "app": "pravado-api",
        "instance": 0,
        "pid": 100,
        "requested_at": NOW.isoformat().replace("+00:00", "Z"),
    }
    assert step.effect == "restart instance 0 of pravado-api (process 100) alone"
    assert (step.risk, step.restarts, step.asks) == (Risk.DISRUPTIVE, True, Asks.POLICY)
    assert "busiest threads: node 97 %" in step.details


def test_what_takes_the_processors_is_said_with_what_to_optimise():
    ladder = cpu(busiest=busiest(process(100, 80.0), shares={"iowait": 0.4, "steal": 0.3}))

    assert "busiest: node (app, 100) 80 %" in ladder.findings
    assert "run queue: 3 for 4 processors" in ladder.findings
    assert "40% of the processors' time is waiting for disks: look there" in ladder.findings
    assert "30% of the processors' time is taken by the provider's other guests" in ladder.findings
    assert "/api/orgs 1.40, /api/users 0.20" in said(ladder)


def test_a_process_of_somebody_else_is_named_and_left_to_its_owner():
    ladder = cpu(busiest=busiest(process(999, 180.0, name="backup", user="root")))

    assert "backup (process 999 of root) takes 180 % of a processor" in ladder.cause
    assert "not ours to end" in said(ladder)


def test_more_requests_are_named_as_the_cause():
    assert "3.0 times the requests of 1h ago" in cpu(rate=value(60), baseline=value(20)).cause


# Memory

HEAP = Logs(text="FATAL ERROR: JavaScript heap out of memory\n", lines=1)
ROOMY = capacity(memory_total_bytes=16 * 1024 * MIB, memory_available_bytes=1024 * MIB)
TIGHT = capacity(memory_available_bytes=800 * MIB)
BIG = instances(memory_bytes=3000 * MIB)
MEMORY = {
    "used": value(0.9),
    "busiest": None,
    "largest": Largest(
        processes=(process(100, memory_bytes=3000 * MIB), process(7, memory_bytes=200 * MIB)),
        counted=120,
    ),
    "instances": BIG,
    "capacity": TIGHT,
    "logs": Logs(text="listening\n", lines=1),
    "memory": value(6000.0 * MIB),
    "slope": value(0.0),
    "slope_hours": value(600 * MIB / 3600 * 3),
    "rate": value(20.0),
    "baseline": value(19.0),
    "releases": ReleaseHistory(releases=()),
}


def memory(given=None, **found):
    return plan("HighMemoryUsage", MEMORY | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [ALL], id="the API holds it: restart one after the other"),
        pytest.param({"used": value(0.6)}, [], id="it is over already"),
        pytest.param({"used": None}, [ALL], id="how much is used could not be read"),
        pytest.param(
            {"instances": instances(memory_bytes=200 * MIB)},
            [],
            id="the API has little of it: a restart would free nothing",
        ),
        pytest.param(
            {"instances": instances(restarts=9, started=30, memory_bytes=3000 * MIB)},
            [],
            id="a crash loop is not restarted once more",
        ),
        pytest.param({"capacity": ROOMY}, [ALL, SWITCH], id="a larger heap fits: it comes second"),
        pytest.param(
            {
                "capacity": capacity(
                    memory_total_bytes=9_637 * MIB, memory_available_bytes=1024 * MIB
                )
            },
            [ALL],
            id="two times 4096 MB are a little more than 85 % of the host",
        ),
        pytest.param(
            {
                "capacity": capacity(
                    memory_total_bytes=9_639 * MIB, memory_available_bytes=1024 * MIB
                )
            },
            [ALL, SWITCH],
            id="two times 4096 MB just fit",
        ),
        pytest.param(
            {
                "capacity": ROOMY,
                "instances": instances(
                    memory_bytes=3000 * MIB, environment={"NODE_HEAP_MB": "4096"}
                ),
            },
            [ALL],
            id="the limit is as large already",
        ),
        pytest.param({"capacity": None}, [ALL], id="the host could not be read"),
        pytest.param({"largest": None, "slope_hours": None, "slope": None}, [ALL], id="nor who"),
    ],
)  # fmt: skip
def test_what_is_done_when_memory_runs_short(found, expected):
    assert activities(memory(**found)) == expected


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="the API holds most: the policy decides"),
        pytest.param({"capacity": None}, Asks.ALWAYS, id="whose memory it is could not be read"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the instances could not be listed"),
        pytest.param({"instances": instances(memory_bytes=None)}, Asks.ALWAYS, id="nor measured"),
    ],
)
def test_a_restart_asks_where_the_api_is_not_known_to_hold_the_memory(found, asks):
    assert the(memory(**found), ALL).asks is asks


@pytest.mark.parametrize(
    ("found", "asks", "why"),
    [
        pytest.param({"logs": HEAP}, Asks.POLICY, "for lack of heap", id="the logs say so"),
        pytest.param({}, Asks.ALWAYS, "nothing in the logs says so", id="the logs do not"),
        pytest.param({"logs": None}, Asks.ALWAYS, "nothing in the logs", id="the logs are unread"),
    ],
)
def test_a_larger_heap_is_a_persons_unless_the_logs_show_that_it_is_short(found, asks, why):
    step = the(memory(capacity=ROOMY, **found), SWITCH)

    assert step.asks is asks
    assert why in step.why
    assert step.order["values"] == {"heap limit of an instance (MB)": "4096"}
    assert (step.undo, step.restarts) == (True, True)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param({}, "grows by 30% an hour and the requests do not: a leak", id="a leak"),
        pytest.param(
            {"slope_hours": value(6000 * MIB / 3600 * 40)}, "by 40 times its size", id="a fast leak"
        ),
        pytest.param({"rate": value(60.0)}, "with 3.2 times the requests: load", id="load"),
        pytest.param({"slope_hours": value(0.0)}, "hardly grows (+0% an hour)", id="neither"),
        pytest.param(
            {"slope_hours": None, "slope": value(1000 * MIB / 3600)},
            "hardly grows (+17% an hour)",
            id="over half an hour, where hours are not known",
        ),
        pytest.param(
            {"slope_hours": None, "slope": None}, "could not be read", id="nothing is known"
        ),
    ],
)
def test_a_leak_is_told_from_load_by_hours_and_requests(found, words):
    assert words in memory(**found).cause


def test_people_are_told_where_to_look_and_that_no_snapshot_is_taken():
    ladder = memory(releases=history())

    assert "largest: node (app, 100) 3000 MiB, node (app, 7) 200 MiB" in ladder.findings
    assert "no heap snapshot above 85%: it needs as much again" in ladder.findings
    assert any(each.startswith("last change: v1.43.0 by marek") for each in ladder.findings)
    assert "find the leak" in said(ladder)
    assert "heapdump" not in said(ladder)


def test_what_could_not_be_read_is_said():
    assert f"what takes the memory: could not be read: {LATE}" in memory(largest=None).findings


def test_both_have_recovered_under_the_bounds_of_the_runbook():
    conditions = [consult(name).facts.condition for name in ("HighCPUUsage", "HighMemoryUsage")]

    assert [condition.threshold for condition in conditions] == [0.8, 0.85]
