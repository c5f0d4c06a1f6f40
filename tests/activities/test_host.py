import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncssh
import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, NotConfigured, Refused, Unavailable
from activities.host import Host, HostNames, RecentDeployments
from activities.pace import Pace
from activities.redis_findings import Finding
from activities.services import RestartService, Services
from activities.ssh import Command, Ssh
from activities.words import CUT_BYTES, Nothing
from tests.activities.attempts import run
from tests.activities.scripted_host import SECRET, ScriptedHost, scripted_host

QUICK = Pace(poll_seconds=0.02, ready_seconds=0.3, settle_seconds=0.05, ramp_seconds=0.02)
ORDER = RestartService(unit="redis", requested_at=datetime.now(UTC))
RESTART = "sudo -n systemctl restart redis"


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def host(machine: ScriptedHost, **names: object) -> Host:
    return Host(machine.ssh, HostNames(**{"deployments": "/var/log/deployments.jsonl", **names}))


def services(machine: ScriptedHost) -> Services:
    return Services(machine.ssh, units=["redis"], targets=Targets(), pace=QUICK)


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

    pong = await run(host(machine).redis_ping, Nothing())
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

    pong = await run(host(machine, redis_seconds=0.2).redis_ping, Nothing())

    assert (pong.answered, pong.finding) == (False, Finding.TIMEOUT)


async def test_a_host_that_is_lost_during_the_ping_says_nothing_of_redis(machine):
    machine.drop_before = {"redis-cli"}

    assert (await host(machine).redis_look()).good is None


async def test_a_missing_redis_cli_is_no_finding_about_redis(machine):
    machine.redis_said = (127, "", "sh: 1: redis-cli: not found\n")

    with pytest.raises(Refused, match="redis-cli is not installed"):
        await run(host(machine).redis_ping, Nothing())


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


async def test_a_restart_is_done_when_another_process_runs(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    done = await run(services(machine).restart_service, ORDER, before)

    assert machine.count(RESTART) == 1
    assert done.changed
    assert f"{before.pid} → {machine.redis_pid}" in done.said
    assert abs(done.at.timestamp() - machine.redis_since) < 1


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0], ids="clock {}s off".format)
async def test_a_restart_whose_answer_was_lost_is_not_done_twice(machine, ahead):
    machine.clock_ahead = ahead
    machine.redis_since = machine.now() - 3600
    machine.drop_after = {RESTART}
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Ambiguous):
        await run(services(machine).restart_service, ORDER, before)
    done = await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 1
    assert done.changed


async def test_a_restart_that_was_lost_before_it_began_is_done_by_the_next_attempt(machine):
    machine.drop_before = {RESTART}
    before = await run(services(machine).restart_service_read, ORDER)
    old = machine.redis_pid

    with pytest.raises(Ambiguous):
        await run(services(machine).restart_service, ORDER, before)
    done = await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 2
    assert done.changed
    assert machine.redis_pid != old


async def test_a_service_that_was_replaced_meanwhile_is_left_alone(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.act(RESTART.split())

    done = await run(services(machine).restart_service, ORDER, before)

    assert machine.count(RESTART) == 0
    assert not done.changed


async def test_a_service_on_its_way_is_waited_for_not_restarted_again(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.redis_state = "deactivating"

    with pytest.raises(Refused, match="deactivating"):
        await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 0


async def test_a_service_that_does_not_come_back_says_its_result(machine):
    machine.redis_comes_back = "failed"
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Refused, match="restarted, but it is failed: exit-code"):
        await run(services(machine).restart_service, ORDER, before)


async def test_a_restart_that_sudo_forbids_is_refused(machine):
    machine.answers["sudo"] = (1, "", "sudo: a password is required\n")
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Refused, match="a password is required"):
        await run(services(machine).restart_service, ORDER, before)


async def test_only_the_units_of_the_settings_are_restarted(machine):
    order = RestartService(unit="sshd", requested_at=datetime.now(UTC))

    with pytest.raises(Refused, match="sshd is not among"):
        await run(services(machine).restart_service_read, order)
    assert machine.ran == []


async def test_a_host_with_another_key_is_refused_and_told_nothing(machine, tmp_path):
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known = tmp_path / "other_known_hosts"
    known.write_text(f"[127.0.0.1]:{machine.server.get_port()} {stranger}")

    with pytest.raises(Refused, match="host key"):
        await Ssh(machine.login(known_hosts=known)).run(Command(("nproc",)))
    assert machine.ran == []


async def test_an_empty_list_of_known_hosts_trusts_nobody(machine, tmp_path):
    known = tmp_path / "empty"
    known.write_text("")

    with pytest.raises(Refused, match="host key"):
        await Ssh(machine.login(known_hosts=known)).run(Command(("nproc",)))


async def test_a_key_that_the_host_does_not_know_is_refused(machine, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")

    with pytest.raises(Refused, match="refuses the ssh key"):
        await Ssh(machine.login(key=tmp_path / "other")).run(Command(("nproc",)))


@pytest.mark.parametrize("missing", ["key", "known_hosts"])
async def test_a_file_that_cannot_be_read_is_refused_without_its_content(
    machine, tmp_path, missing
):
    (tmp_path / "garbage").write_text(SECRET)
    for path in (tmp_path / "nowhere", tmp_path / "garbage"):
        with pytest.raises(Refused) as refused:
            await Ssh(machine.login(**{missing: path})).run(Command(("nproc",)))
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param(False, Unavailable, id="a question is asked again"),
        pytest.param(True, Ambiguous, id="an order may have been carried out"),
    ],
)
async def test_a_command_that_hangs_is_given_up(machine, changes, error):
    machine.hang = {"nproc"}
    begun = time.monotonic()

    with pytest.raises(error, match="did not end"):
        await machine.ssh.run(Command(("nproc",), changes=changes, seconds=0.2))
    assert time.monotonic() - begun < 2


async def test_an_endless_output_is_read_up_to_its_limit(machine):
    machine.answers["nproc"] = (0, "x" * 3_000_000, "")

    ran = await machine.ssh.run(Command(("nproc",), most_bytes=1000, seconds=5))

    assert (len(ran.out), ran.truncated) == (1000, True)


async def test_words_reach_the_host_as_words_whatever_is_in_them(machine):
    wicked = ("nproc", "; touch /tmp/x", "$(id)", "`id`", "a'b\"c", "new\nline", "--", "*")

    await machine.ssh.run(Command(wicked))

    import shlex

    assert shlex.split(machine.ran[0]) == list(wicked)


async def test_many_at_once_wait_their_turn(machine):
    many = await asyncio.gather(*(machine.ssh.run(Command(("nproc",))) for _ in range(12)))
    assert {each.out for each in many} == {"4\n"}


def machine_time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat()
