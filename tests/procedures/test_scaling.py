import pytest

from activities.prometheus import SeriesAnswer
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import activities, the
from tests.procedures.slow_api import (
    MIB,
    SCALE,
    SPIKE,
    capacity,
    connections,
    instances,
    latency,
    series,
    value,
)


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="everything was read: the policy decides"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the instances were not: ask"),
        pytest.param({"connections": None}, Asks.ALWAYS, id="the connections were not: ask"),
        pytest.param({"queries": None}, Asks.ALWAYS, id="the database's p95 was not: ask"),
        pytest.param({"capacity": None}, Asks.ALWAYS, id="the host was not: ask"),
        pytest.param(
            {"queries": series("query_type", select=None)}, Asks.ALWAYS, id="p95 has no data: ask"
        ),
        pytest.param({"queries": SeriesAnswer(series=())}, Asks.ALWAYS, id="p95 is empty: ask"),
        pytest.param({"capacity": capacity(load_1m=None)}, Asks.ALWAYS, id="no load: ask"),
        pytest.param(
            {"capacity": capacity(memory_available_bytes=None)}, Asks.ALWAYS, id="no memory: ask"
        ),
        pytest.param(
            {"connections": connections(blind=True, why_blind="blind")},
            Asks.ALWAYS,
            id="blind: ask",
        ),
        pytest.param(
            {"connections": connections(pooler=True)}, Asks.ALWAYS, id="a pooler in between: ask"
        ),
        pytest.param(
            {"instances": instances(memory_bytes=None)}, Asks.ALWAYS, id="no size of one: ask"
        ),
        pytest.param(
            {"instances": instances(environment={"DB_POOL_MAX": "many"})},
            Asks.ALWAYS,
            id="no pool size: ask",
        ),
    ],
)
def test_scaling_asks_where_what_makes_it_safe_could_not_be_read(found, asks):
    planned = latency(SPIKE, **found)

    assert the(planned, SCALE).asks is asks
    assert any("scaling asks first" in line for line in planned.findings) is (asks is Asks.ALWAYS)


@pytest.mark.parametrize(
    ("given", "found", "reason"),
    [
        pytest.param(
            {},
            {"connections": connections(used=50, most=100)},
            "5 instances may open 100 connections, and the database has 87 for them",
            id="the pools would not fit into max_connections less the reserve",
        ),
        pytest.param(
            {},
            {"instances": instances(environment={"DB_POOL_MAX": "50"})},
            "may open 250 connections",
            id="the pool size that is set counts, not the declared one",
        ),
        pytest.param(
            {},
            {"connections": connections(used=160)},
            "160 of 200 database connections are used",
            id="80 % of the connections are used",
        ),
        pytest.param(
            {},
            {"queries": series("query_type", select=0.9)},
            "the database is slow",
            id="the database is slow",
        ),
        pytest.param(
            {}, {"capacity": capacity(load_1m=3.7)}, "the host's load is 0.93", id="no CPU left"
        ),
        pytest.param(
            {},
            {"capacity": capacity(memory_available_bytes=1200 * MIB)},
            "3 more instances need 600 MiB",
            id="the new instances would not fit into the host's memory",
        ),
        pytest.param(
            {}, {"instances": instances(8)}, "8 instances run already", id="never scaled down"
        ),
        pytest.param(
            {"replicas_most": 2}, {}, "2 instances run already", id="never above the most allowed"
        ),
        pytest.param(
            {},
            {"connections": connections(used=160), "capacity": None},
            "160 of 200",
            id="what was read and forbids wins over what could not be read",
        ),
    ],
)
def test_scaling_is_not_planned_where_something_stands_against_it(given, found, reason):
    planned = latency(SPIKE, given, **found)

    assert SCALE not in activities(planned)
    assert any(line.startswith("not scaled") and reason in line for line in planned.findings)


def test_a_scale_says_from_what_to_what_and_is_undone():
    scale = the(latency(SPIKE), SCALE)

    assert scale.effect == "scale pravado-api from 2 to 5 instances"
    assert (scale.risk, scale.undo) == (Risk.REVERSIBLE, True)
    assert scale.order == {"app": "pravado-api", "replicas": 5, "most": 12}


@pytest.mark.parametrize(
    ("rate", "baseline"),
    [
        pytest.param(None, value(20.0), id="the rate could not be read"),
        pytest.param(value(60.0), None, id="the hour before could not be read"),
        pytest.param(value(60.0), value(None), id="the hour before has no data"),
        pytest.param(value(None), value(20.0), id="now has no data"),
        pytest.param(value(60.0), value(0.0), id="there was no traffic to compare with"),
        pytest.param(value(29.0), value(20.0), id="it grew less than a spike"),
    ],
)
def test_no_traffic_spike_is_made_up(rate, baseline):
    assert SCALE not in activities(latency(rate=rate, baseline=baseline))


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"capacity": None}, id="there is no host to look at"),
        pytest.param({"capacity": capacity(load_1m=500.0)}, id="another host is busy"),
        pytest.param({"capacity": capacity(memory_available_bytes=MIB)}, id="another has no room"),
    ],
)
def test_a_cluster_finds_room_itself(found):
    pods = instances(mode="kubernetes", memory_bytes=None)
    planned = latency(SPIKE, instances=pods, **found)

    assert the(planned, SCALE).asks is Asks.POLICY


def test_under_kubernetes_the_database_counts_as_ever():
    pods = instances(mode="kubernetes")

    assert SCALE not in activities(latency(SPIKE, instances=pods, connections=connections(199)))
    assert the(latency(SPIKE, instances=pods, connections=None), SCALE).asks is Asks.ALWAYS


def test_who_else_sets_the_number_is_shown_to_whoever_approves():
    notes = ("an autoscaler sets the number of pods, from 2 to 10",)
    pods = instances(mode="kubernetes").model_copy(update={"notes": notes})

    assert the(latency(SPIKE, instances=pods), SCALE).details == list(notes)
