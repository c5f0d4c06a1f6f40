"""The API's health over real HTTP: from outside, and by the machine's own curl on its host."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from activities.api_health import ApiHealth, ApiOnHost, Trouble, everywhere
from activities.errors import NotConfigured, Refused
from activities.pm2 import Pm2
from activities.words import Nothing
from deploy.gameday.standins.smtp import certificate
from deploy.local.processes import free_port
from tests.activities.attempts import run
from tests.activities.real_machine import RealMachine
from tests.activities.scripted_host import APP, scripted_host

HANG, CLOSE = -1, -2


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[RealMachine]:
    async with scripted_host(tmp_path, RealMachine) as served:
        del served.instances[2:]
        yield served


@contextlib.asynccontextmanager
async def answering(*statuses: int, tls: ssl.SSLContext | None = None):
    """Answer the statuses in turn, the last one for ever; give the port."""
    turns = itertools.chain(statuses, itertools.repeat(statuses[-1]))

    async def answer(reader, writer):
        status = next(turns)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if status == HANG:
                await asyncio.sleep(10)
            if status != CLOSE:
                writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def outside(port: int, host: str = "127.0.0.1", scheme: str = "http"):
    async with httpx.AsyncClient(trust_env=False) as http:
        yield ApiHealth(http, f"{scheme}://{host}:{port}/healthz", pause_seconds=0.01)


def on_host(machine: RealMachine, *ports: int | None, **more) -> ApiOnHost:
    for instance, port in zip(machine.instances, ports, strict=True):
        instance.environment = {"PORT": str(port)} if port else {}
    pm2 = Pm2(machine.ssh, APP, variables=["PORT"])
    about = {"path": "/healthz", "port_variable": "PORT", "pause_seconds": 0.01}
    return ApiOnHost(machine.ssh, pm2, **about | more)


@pytest.mark.parametrize(
    ("statuses", "failures", "trouble", "answers", "down"),
    [
        pytest.param([200], 0, Trouble.NONE, True, False, id="200 three times is healthy"),
        pytest.param([503], 3, Trouble.SERVER_ERROR, False, True, id="503 three times is down"),
        pytest.param([502, 200], 1, Trouble.SERVER_ERROR, False, False, id="a blip is neither"),
        pytest.param([200, 200, CLOSE], 1, Trouble.CLOSED, False, False, id="the last one counts"),
        pytest.param([404], 3, Trouble.STATUS, False, False, id="a wrong address is a finding"),
        pytest.param([301], 3, Trouble.STATUS, False, False, id="a redirect is not followed"),
    ],
)
async def test_what_the_public_address_says(statuses, failures, trouble, answers, down):
    async with answering(*statuses) as port, outside(port) as health:
        seen = await run(health.reached, Nothing())

    assert (seen.failures, seen.trouble, seen.answers, seen.down) == (
        failures, trouble, answers, down,
    )  # fmt: skip


async def test_nobody_behind_the_address_is_down_and_no_name_is_not(tmp_path):
    async with outside(free_port()) as health:
        refused = await run(health.reached, Nothing())
    async with outside(80, host="nowhere.invalid") as health:
        unknown = await run(health.reached, Nothing())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(tmp_path))
    async with answering(200, tls=tls) as port, outside(port, scheme="https") as health:
        untrusted = await run(health.reached, Nothing())

    assert (refused.trouble, refused.down) == (Trouble.REFUSED, True)
    assert (unknown.trouble, unknown.down) == (Trouble.DNS, False)
    assert (untrusted.trouble, untrusted.down) == (Trouble.TLS, False)


async def test_silence_is_down_after_three_time_outs(monkeypatch):
    monkeypatch.setattr("activities.api_health._SECONDS", 0.05)
    async with answering(HANG) as port, outside(port) as health:
        seen = await run(health.reached, Nothing())

    assert (seen.trouble, seen.down) == (Trouble.TIMEOUT, True)


async def test_without_an_address_it_is_said_which_setting_lacks():
    async with httpx.AsyncClient() as http:
        with pytest.raises(NotConfigured, match=r"api\.health_url"):
            await run(ApiHealth(http, "").reached, Nothing())


# On the host


async def test_each_instance_is_asked_at_its_own_port(machine):
    async with answering(200) as one, answering(500) as other:
        seen = await run(on_host(machine, one, other).on_host, Nothing())

    assert [(each.id, each.trouble) for each in seen.instances] == [
        (0, Trouble.NONE), (1, Trouble.SERVER_ERROR),
    ]  # fmt: skip
    assert (seen.answers, seen.down) == (False, False)
    assert sum("curl" in line for line in machine.ran) == 6


async def test_down_is_only_when_none_has_answered_even_once(machine):
    async with answering(CLOSE) as one:
        seen = await run(on_host(machine, one, free_port()).on_host, Nothing())
        assert [each.trouble for each in seen.instances] == [Trouble.CLOSED, Trouble.REFUSED]
        assert seen.down
    async with answering(500, 200, 500) as one:
        seen = await run(on_host(machine, one, free_port()).on_host, Nothing())
        assert not seen.down
        assert not seen.answers


async def test_an_instance_that_does_not_run_does_not_answer_whoever_has_its_port(machine):
    machine.instances[0].status = "errored"
    async with answering(200) as shared:
        seen = await run(on_host(machine, shared, shared).on_host, Nothing())

    assert seen.instances[0].trouble is Trouble.STOPPED
    assert (seen.answers, seen.down) == (False, False)
    assert sum("curl" in line for line in machine.ran) == 3, "a shared port is asked once a try"


async def test_a_port_that_is_not_known_is_neither_well_nor_down(machine):
    with pytest.raises(NotConfigured, match=r"api\.port"):
        await run(on_host(machine, None, None).on_host, Nothing())
    async with answering(200) as port:
        seen = await run(on_host(machine, None, None, port=port).on_host, Nothing())
        assert seen.answers
        seen = await run(on_host(machine, port, None).on_host, Nothing())
        assert (seen.answers, seen.down) == (False, False)


async def test_a_host_without_curl_says_so(machine):
    machine.answers["curl"] = (127, "", "sh: curl: not found")
    with pytest.raises(Refused, match="curl is not installed"):
        await run(on_host(machine, 1, 2).on_host, Nothing())


@pytest.mark.parametrize("path", ["/health; id", "http://evil", "/a b", "/$(id)"])
async def test_no_other_path_gets_into_a_command(machine, path):
    with pytest.raises(Refused):
        await run(on_host(machine, 1, 2, path=path).on_host, Nothing())
    assert not any("curl" in line for line in machine.ran)


# Both together


@pytest.mark.parametrize(
    ("public", "own", "good", "said"),
    [
        pytest.param(
            [200], [200], True, "instance 0 answers, instance 1 answers", id="well on both sides"
        ),
        pytest.param([200, 503], [200], False, "2 of 3 failed", id="a failure from outside"),
        pytest.param([200], [200, 200, 500], False, "error of the server", id="one on the host"),
        pytest.param([404], [200], None, "another status", id="an address that says nothing"),
        pytest.param([404], [500], False, "error of the server", id="bad outweighs unknown"),
    ],
)
async def test_it_has_recovered_when_both_sides_say_so(machine, public, own, good, said):
    async with (
        answering(*public) as front,
        answering(*own) as port,
        outside(front) as health,
    ):
        host = on_host(machine, port, port)
        sample = await run(lambda: everywhere(health, host))

    assert sample.good is good
    assert said in sample.note


async def test_without_a_host_the_public_address_decides_and_that_is_said():
    async with answering(200) as port, outside(port) as health:
        sample = await run(lambda: everywhere(health, None))

    assert sample.good is True
    assert sample.note == "public address: 200; API host: not set up, so not asked"


async def test_a_host_that_cannot_be_entered_is_unknown(machine):
    machine.answers["pm2 jlist"] = (127, "", "")
    async with answering(200) as port, outside(port) as health:
        sample = await run(lambda: everywhere(health, on_host(machine, port, port)))

    assert sample.good is None
    assert "could not be read" in sample.note
