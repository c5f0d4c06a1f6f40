import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from activities.errors import NotConfigured, Refused
from activities.host import Host, HostNames, RecentDeployments
from activities.redis_findings import Finding
from activities.redis_pings import Pings
from activities.words import CUT_BYTES, Nothing
from tests.activities.attempts import run
from tests.activities.scripted_host import SECRET, ScriptedHost, scripted_host


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def host(machine: ScriptedHost, **names: object) -> Host:
    return Host(machine.ssh, HostNames(**{"deployments": "/var/log/deployments.jsonl", **names}))


async def test_capacity_reads_processors_memory_and_disk(machine):
    seen = await run(host(machine).capacity, Nothing())

    assert (seen.cores, seen.load_1m, seen.cpu_busy_ratio) == (4, 3.0, 0.75)
    assert (seen.memory_total_bytes, seen.memory_available_bytes) == (8 * 10**9, 65 * 10**8)
    assert (seen.disk_total_bytes, seen.disk_free_ratio) == (10**11, 0.25)
    assert seen.unread == ()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((127, "", "sh: free: not found"), id="a program that is not there"),
        pytest.param((0, "nothing known\n", ""), id="an output of another kind"),
    ],
)
async def test_one_part_that_cannot_be_read_does_not_take_the_others_with_it(machine, said):
    machine.answers["free"] = said

    seen = await run(host(machine).capacity, Nothing())

    assert seen.memory_total_bytes is None
    assert seen.disk_free_ratio == 0.25
    assert "free" in seen.unread[0]


@pytest.mark.parametrize(
    ("said", "finding", "good"),
    [
        pytest.param((0, "PONG\n", ""), Finding.NONE, True, id="a pong is an answer"),
        pytest.param(
            (0, "LOADING Redis is loading the dataset in memory\n", ""),
            Finding.LOADING, False, id="loading is a finding, and no health",
        ),
        pytest.param(
            (0, "NOAUTH Authentication required.\n", ""),
            Finding.NOAUTH, None, id="a missing password says nothing of Redis",
        ),
        pytest.param(
            (0, "ERR max number of clients reached\n", ""),
            Finding.MAX_CLIENTS, False, id="no place left is a finding",
        ),
        pytest.param(
            (1, "", "Could not connect to Redis at 127.0.0.1:6379: Connection refused\n"),
            Finding.REFUSED, False, id="nobody listens",
        ),
        pytest.param(
            (1, "", "Could not connect to Redis at x:6379: Name or service not known\n"),
            Finding.DNS, None, id="a name that cannot be resolved says nothing of Redis",
        ),
        pytest.param(
            (1, "", "Could not connect to Redis at x:6379: Connection timed out\n"),
            Finding.TIMEOUT, False, id="nobody answers",
        ),
    ],
)  # fmt: skip
async def test_what_redis_says_from_the_host_is_told_apart(machine, said, finding, good):
    machine.redis_said = said

    pong = await run(host(machine).redis_ping, Pings())
    sample = await host(machine).redis_look()

    assert (pong.answered, pong.finding) == (finding is Finding.NONE, finding)
    assert sample.good is good
    assert "API host" in sample.note


async def test_a_host_that_cannot_be_entered_is_unknown_not_a_redis_that_is_down(machine):
    machine.server.close()
    await machine.server.wait_closed()

    sample = await host(machine).redis_look()

    assert sample.good is None
    assert "could not be read" in sample.note


async def test_a_redis_that_lets_redis_cli_wait_has_timed_out(machine):
    machine.hang = {"redis-cli"}

    pong = await run(host(machine, redis_seconds=0.2).redis_ping, Pings())

    assert (pong.answered, pong.finding) == (False, Finding.TIMEOUT)


async def test_a_host_that_is_lost_during_the_ping_says_nothing_of_redis(machine):
    machine.drop_before = {"redis-cli"}

    assert (await host(machine).redis_look()).good is None


async def test_a_missing_redis_cli_is_no_finding_about_redis(machine):
    machine.redis_said = (127, "", "sh: 1: redis-cli: not found\n")

    with pytest.raises(Refused, match="redis-cli is not installed"):
        await run(host(machine).redis_ping, Pings())


async def test_the_service_of_redis_is_described(machine):
    unit = await run(host(machine).redis_service, Nothing())
    other = await run(host(machine, redis_unit="keydb").redis_service, Nothing())
    none = await run(host(machine, redis_unit="").redis_service, Nothing())

    assert (unit.loaded, unit.state, unit.pid, unit.self_hosted) == (
        True, "active", machine.redis_pid, True)  # fmt: skip
    assert abs(unit.since.timestamp() - machine.redis_since) < 1
    assert (other.loaded, other.self_hosted, none.self_hosted) == (False, False, False)


async def test_deployments_are_newest_first_and_aged_by_the_host_s_clock(machine):
    machine.clock_ahead = 86_400
    now = machine.now()
    lines = [
        {"at": machine_time(now - 7200), "release": "41", "author": "ana", "commit": "a1"},
        {"at": machine_time(now - 600), "release": "42", "author": "bo", "commit": "b2",
         "migrations": True},
    ]  # fmt: skip
    machine.deployments = "".join(json.dumps(line) + "\n" for line in lines) + "half a li\n"

    seen = await run(host(machine).recent_deployment, RecentDeployments())

    assert [each.release for each in seen.last] == ["42", "41"]
    assert [each.migrations for each in seen.last] == [True, None]
    assert seen.newest_minutes_ago == pytest.approx(10, abs=0.1)
    assert seen.unreadable_lines == 1


async def test_no_deployment_at_all_has_no_age(machine):
    seen = await run(host(machine).recent_deployment, RecentDeployments())
    assert (seen.last, seen.newest_minutes_ago) == ((), None)


async def test_no_log_of_deployments_says_what_to_set(machine):
    with pytest.raises(NotConfigured, match="its path"):
        await run(host(machine, deployments="").recent_deployment, RecentDeployments())


async def test_logs_keep_their_end_and_lose_their_credentials(machine):
    machine.log = "old\n" * 20_000 + f"\x1b[31mSTRIPE_SECRET_KEY={SECRET}\x1b[39m\nboom\n"

    seen = await run(host(machine).logs, Nothing())

    assert seen.text.endswith("STRIPE_SECRET_KEY=[redacted]\nboom")
    assert len(seen.model_dump_json()) < CUT_BYTES
    assert seen.left_out > 0


def machine_time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat()
