"""Whether the database is reached, from the worker and from the API host, and how surely not."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from activities.errors import NotConfigured, Refused, Unavailable
from activities.postgres_connection import Database
from activities.postgres_findings import Finding
from activities.postgres_reach import HostDatabase, Looks, PostgresReach
from activities.words import Nothing
from deploy.local.processes import free_port
from tests.activities.databases import Server, run
from tests.activities.scripted_host import ScriptedHost, scripted_host

QUICK = Looks(times=3, apart_seconds=0.05)


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """A port that takes connections and says nothing, as behind a firewall."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def reach(port: int, **more: float) -> PostgresReach:
    dsn = SecretStr(f"postgresql://responder:secret@127.0.0.1:{port}/postgres")
    return PostgresReach(Database(dsn, connect_seconds=2), **more)


async def test_a_database_that_answers_says_how_long_it_took(postgres: Server):
    async with postgres.database() as database:
        selected = await run(PostgresReach(database).select, Nothing())
        sample = await PostgresReach(database).select_sample()

    assert selected.answered
    assert (selected.finding, selected.means_down) == (Finding.NONE, False)
    assert 0 < selected.took_seconds < 5
    assert sample.good


async def test_a_database_that_says_nothing_is_given_up_after_its_seconds(silent: int):
    begun = time.monotonic()
    selected = await run(reach(silent, seconds=0.5).select, Nothing())

    assert time.monotonic() - begun < 3
    assert (selected.answered, selected.finding) == (False, Finding.TIMEOUT)
    assert selected.means_down
    assert "secret" not in selected.said


async def test_it_is_down_after_as_many_failures_as_were_asked_for():
    begun = time.monotonic()
    selected = await run(reach(free_port()).select_again, Looks(times=3, apart_seconds=0.3))

    assert (selected.finding, selected.failures) == (Finding.REFUSED, 3)
    assert selected.means_down
    assert time.monotonic() - begun >= 0.6, "apart from each other"


async def test_one_failure_is_a_blip(postgres: Server, monkeypatch: pytest.MonkeyPatch):
    down = reach(free_port())
    async with postgres.database() as database:
        well = PostgresReach(database)
        answers = iter([down.select, well.select])

        async def select(ask: Nothing):
            return await next(answers)(ask)

        monkeypatch.setattr(down, "select", select)
        selected = await run(down.select_again, QUICK)

    assert (selected.answered, selected.failures) == (True, 0)


async def test_wrong_credentials_are_no_outage_however_often_one_looks(postgres: Server):
    dsn = postgres.conninfo("responder", "wrong-password")
    async with Database(dsn) as database:
        selected = await run(PostgresReach(database).select_again, QUICK)
        sample = await PostgresReach(database).select_sample()

    assert (selected.finding, selected.failures) == (Finding.WRONG_CREDENTIALS, 0)
    assert not selected.means_down
    assert sample.good is None, "nothing was learnt of its health"


async def test_no_slot_left_is_a_finding_of_its_own(postgres: Server):
    crowd = await postgres.crowd()
    try:
        async with postgres.database() as database:
            selected = await run(PostgresReach(database).select_again, QUICK)
    finally:
        for session in crowd:
            await session.close()

    assert (selected.finding, selected.means_down) == (Finding.TOO_MANY, False)


# From the API host


@pytest.mark.parametrize(
    ("answer", "resolves", "finding", "down"),
    [
        pytest.param((0, "db:5432 - accepting connections\n", ""), 0, "", False, id="it answers"),
        pytest.param(
            (1, "db:5432 - rejecting connections\n", ""), 0, Finding.STARTING, True,
            id="it is starting or stopping",
        ),
        pytest.param(
            (2, "db:5432 - no response\n", ""), 0, Finding.TIMEOUT, True, id="nobody answers",
        ),
        pytest.param(
            (2, "db:5432 - no response\n", ""), 2, Finding.DNS, False,
            id="a name that nobody knows is no outage",
        ),
        pytest.param(
            (3, "db:5432 - no attempt\n", ""), 0, Finding.OTHER, False,
            id="a question that was not asked says nothing of it",
        ),
    ],
)  # fmt: skip
async def test_what_the_api_host_says(machine, answer, resolves, finding, down):
    machine.answers = {"pg_isready": answer, "getent hosts": (resolves, "", "")}

    pinged = await run(HostDatabase(machine.ssh, "db", 5432).database_ping, Nothing())

    assert (pinged.finding, pinged.means_down) == (finding, down)
    assert machine.ran[0] == "pg_isready -h db -p 5432 -t 3"


async def test_the_api_host_looks_again_before_it_holds_it_for_down(machine):
    machine.answers = {"pg_isready": (2, "no response\n", ""), "getent": (0, "::1 db\n", "")}

    pinged = await run(HostDatabase(machine.ssh, "db", 5432).database_ping_again, QUICK)

    assert (pinged.failures, machine.count("pg_isready")) == (3, 3)


async def test_a_host_without_the_program_says_nothing_of_the_database(machine):
    host = HostDatabase(machine.ssh, "db", 5432)
    machine.answers = {"pg_isready": (127, "", "sh: 1: pg_isready: not found\n")}

    with pytest.raises(Refused, match="not installed"):
        await run(host.database_ping, Nothing())
    assert (await host.database_sample()).good is None


async def test_a_host_that_falls_silent_itself_is_not_a_database_that_is_down(machine):
    machine.drop_before = {"pg_isready", "date"}

    with pytest.raises(Unavailable):
        await run(HostDatabase(machine.ssh, "db", 5432).database_ping, Nothing())


async def test_without_a_setting_the_second_vantage_point_is_said_to_be_missing(machine):
    with pytest.raises(NotConfigured, match="database_host"):
        await run(HostDatabase(machine.ssh, "", 5432).database_ping, Nothing())


@pytest.mark.skipif(shutil.which("pg_isready") is None, reason="pg_isready is not on PATH")
@pytest.mark.parametrize("where", ["a server", "nobody", "no such name"])
async def test_the_exit_statuses_are_those_of_the_real_program(postgres: Server, where: str):
    host, port, expected = {
        "a server": ("127.0.0.1", postgres.server.port, 0),
        "nobody": ("127.0.0.1", free_port(), 2),
        "no such name": ("nowhere.invalid", 5432, 2),
    }[where]

    asked = await asyncio.create_subprocess_exec(
        "pg_isready", "-h", host, "-p", str(port), "-t", "3", stdout=asyncio.subprocess.DEVNULL
    )
    resolved = await asyncio.create_subprocess_exec(
        "getent", "hosts", host, stdout=asyncio.subprocess.DEVNULL
    )

    assert await asked.wait() == expected
    assert await resolved.wait() == (2 if where == "no such name" else 0)
