import asyncio
import os
import signal
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.errors import Refused, Unavailable
from activities.postgres import Postgres
from activities.postgres_connection import Database
from activities.postgres_findings import Finding
from activities.words import Nothing
from deploy.local.processes import free_port
from tests.activities.databases import PASSWORD, Server, run, served


async def test_a_server_that_answers_tells_its_time_and_version(postgres: Server):
    async with postgres.database() as database:
        answered = await run(Postgres(database).answers, Nothing())

    assert answered.reachable
    assert answered.finding is Finding.NONE
    assert answered.server_time is not None
    assert answered.version.startswith("18.")
    assert not answered.read_only
    assert 0 < answered.milliseconds < 5000


@pytest.mark.parametrize(
    ("conninfo", "finding", "down"),
    [
        pytest.param(
            "postgresql://app:wrong-{password}@127.0.0.1:{port}/postgres",
            Finding.WRONG_CREDENTIALS,
            False,
            id="a wrong password is wrong credentials, not an outage",
        ),
        pytest.param(
            "postgresql://app@127.0.0.1:{port}/postgres",
            Finding.WRONG_CREDENTIALS,
            False,
            id="no password is wrong credentials too",
        ),
        pytest.param(
            "postgresql://app:{password}@127.0.0.1:{port}/elsewhere",
            Finding.NO_DATABASE,
            False,
            id="a database that is not there is a finding of its own",
        ),
        pytest.param(
            "postgresql://app:{password}@127.0.0.1:{free}/postgres",
            Finding.REFUSED,
            True,
            id="nobody at the port speaks for an outage",
        ),
        pytest.param(
            "postgresql://app:x@{password}@nowhere.invalid:5432/postgres",
            Finding.DNS,
            False,
            id="a name that does not resolve is our own trouble, and its text is kept in",
        ),
        pytest.param(
            "postgresql://app:{password}@127.0.0.1:{port}/postgres?sslmode=require",
            Finding.TLS,
            False,
            id="a server without TLS is a finding of its own",
        ),
    ],
)
async def test_a_database_out_of_reach_is_an_answer(
    postgres: Server, conninfo: str, finding: Finding, *, down: bool
):
    where = conninfo.format(password=PASSWORD, port=postgres.server.port, free=free_port())
    async with Database(SecretStr(where)) as database:
        answered = await run(Postgres(database).answers, Nothing())
        sample = await Postgres(database).answers_sample()
        with pytest.raises((Refused, Unavailable)) as failed:
            await run(Postgres(database).connections, Nothing())

    assert not answered.reachable
    assert answered.finding is finding
    assert answered.finding.means_down is down
    nothing_learnt = {Finding.WRONG_CREDENTIALS, Finding.DNS, Finding.TLS}
    assert sample.good is (None if finding in nothing_learnt else False)
    for text in (answered.said, str(failed.value)):
        assert PASSWORD not in text
    assert failed.value.__cause__ is None


async def test_wrong_credentials_are_not_tried_again(postgres: Server):
    async with Database(postgres.conninfo("app", "wrong")) as database:
        with pytest.raises(Refused, match="wrong credentials"):
            await run(Postgres(database).connections, Nothing())


def test_a_connection_string_that_cannot_be_read_does_not_show_its_password():
    with pytest.raises(ValueError, match="cannot be read") as failed:
        Database(SecretStr(f"postgresql://app:{PASSWORD}@host:5432x/%zz"))

    assert PASSWORD not in repr(failed.value)
    assert failed.value.__cause__ is None


async def test_a_full_server_says_so_and_the_kept_connection_still_counts(tmp_path: Path):
    async with served(tmp_path, max_connections="10") as server, server.database() as database:
        ask = Postgres(database)
        before = await run(ask.connections, Nothing())
        crowd = await server.crowd()

        answered = await run(ask.answers, Nothing())
        full = await run(ask.connections, Nothing())
        again = await run(ask.connections, Nothing())
        for session in crowd:
            await session.close()

    assert before.used_ratio < 0.5
    assert answered.finding is Finding.TOO_MANY
    assert not answered.finding.means_down
    assert full.used + full.reserved >= full.max == 10
    assert full == again
    assert max(full.by, key=lambda held: held.count).application == "leaky"


async def test_a_full_server_without_a_kept_connection_is_unavailable(tmp_path: Path):
    async with served(tmp_path, max_connections="8") as server, server.database() as database:
        crowd = await server.crowd()
        with pytest.raises(Unavailable, match="too many connections"):
            await run(Postgres(database).connections, Nothing())
        for session in crowd:
            await session.close()


async def test_a_stopped_server_refuses_and_a_started_one_answers_again(tmp_path: Path):
    async with served(tmp_path) as server, server.database() as database:
        ask = Postgres(database)
        assert (await ask.answers_sample()).good is True
        await run(ask.connections, Nothing())
        await server.server.kill()

        gone = await ask.answers_sample()
        with pytest.raises(Unavailable, match="refused"):
            await run(ask.connections, Nothing())
        await server.server.start()
        back = await ask.answers_sample()
        counted = await run(ask.connections, Nothing())

    assert gone.good is False
    assert "refused" in gone.note
    assert back.good is True
    assert counted.used >= 1


async def test_a_frozen_server_is_a_timeout_within_the_time_given(tmp_path: Path):
    async with served(tmp_path) as server, server.database(connect_seconds=1.0) as database:
        os.kill(postmaster(server), signal.SIGSTOP)
        try:
            async with asyncio.timeout(6):
                answered = await run(Postgres(database).answers, Nothing())
        finally:
            os.kill(postmaster(server), signal.SIGCONT)

    assert not answered.reachable
    assert answered.finding is Finding.TIMEOUT


def postmaster(server: Server) -> int:
    """Read the pid of the server, which the child that we started may only have begotten."""
    [data] = {Path(str(part)) for part in server.server.command if "data" in Path(str(part)).name}
    return int((data / "postmaster.pid").read_text().split()[0])


@pytest.mark.parametrize(
    ("user", "blind"),
    [
        pytest.param("responder", False, id="a role that may read all statistics sees"),
        pytest.param("blind", True, id="a plain role is blind, and says so"),
        pytest.param("heir", True, id="a member that does not inherit is blind all the same"),
    ],
)
async def test_blindness_is_said(postgres: Server, sessions, user: str, *, blind: bool):
    await sessions(application_name="api")

    async with postgres.database(user) as database:
        counted = await run(Postgres(database).connections, Nothing())

    assert counted.blind is blind
    assert bool(counted.why_blind) is blind
    assert bool(counted.by) is not blind
    assert counted.used >= 2, "even the blind can count"
    assert counted.max == 40


async def test_connections_are_counted_by_state_application_and_user(postgres: Server, sessions):
    for _ in range(3):
        idle = await sessions(application_name="grouped")
        await idle.execute("SELECT 1")

    async with postgres.database() as database:
        counted = await run(Postgres(database).connections, Nothing())

    [group] = [held for held in counted.by if held.application == "grouped"]
    assert (group.state, group.user, group.count) == ("idle in transaction", "app", 3)
    assert counted.reserved == 3
    assert not counted.pooler


@pytest.mark.parametrize("name", ["Supavisor", "pgbouncer - 10.0.0.1:6432"])
async def test_a_pooler_in_between_is_noticed(postgres: Server, sessions, name: str):
    await sessions(application_name=name)

    async with postgres.database() as database:
        assert (await run(Postgres(database).connections, Nothing())).pooler


async def test_a_database_that_refuses_writes_says_so(tmp_path: Path):
    async with (
        served(tmp_path, default_transaction_read_only="off") as server,
        server.database() as database,
    ):
        await server.admin("ALTER DATABASE postgres SET default_transaction_read_only TO on")

        assert (await run(Postgres(database).answers, Nothing())).read_only
