import asyncio
import time
from collections.abc import AsyncIterator

import asyncssh
import pytest

from activities.errors import Ambiguous, Refused, Unavailable, Unwell
from activities.ssh import Command, Ssh
from tests.activities.scripted_host import SECRET, ScriptedHost, scripted_host


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


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


@pytest.mark.parametrize("loud", ["out", "err"])
async def test_a_change_that_says_too_much_ends_as_it_ends(machine, loud):
    said = "x" * 3_000_000
    machine.answers["pm2"] = (3, said if loud == "out" else "", said if loud == "err" else "")
    command = Command(("pm2", "restart", "1"), changes=True, most_bytes=1000, seconds=5)

    ran = await machine.ssh.run(command)

    assert (ran.status, ran.truncated) == (3, True)
    with pytest.raises(Unwell):
        ran.must()


async def test_words_reach_the_host_as_words_whatever_is_in_them(machine):
    wicked = ("nproc", "; touch /tmp/x", "$(id)", "`id`", "a'b\"c", "new\nline", "--", "*")

    await machine.ssh.run(Command(wicked))

    import shlex

    assert shlex.split(machine.ran[0]) == list(wicked)


async def test_many_at_once_wait_their_turn(machine):
    many = await asyncio.gather(*(machine.ssh.run(Command(("nproc",))) for _ in range(12)))
    assert {each.out for each in many} == {"4\n"}
