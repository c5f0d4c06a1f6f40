import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from redis.asyncio import Redis

from deploy.local import programs
from deploy.local.metrics import Alertmanager, Prometheus
from deploy.local.postgres import Postgres
from deploy.local.processes import PORTS, Child, NotReady, free_ports, listens
from deploy.local.valkey import Valkey

SCRAPES_ITSELF = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""
ALWAYS = "groups: [{name: always, rules: [{alert: Always, expr: vector(1)}]}]"
ROUTES_NOWHERE = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(*pids: int, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return not any(alive(pid) for pid in pids)


def python(code: str, tmp_path: Path, **options) -> Child:
    return Child("child", [sys.executable, "-c", code], log=tmp_path / "child.log", **options)


async def fetch(server: Postgres, query: str):
    async with await psycopg.AsyncConnection.connect(server.dsn()) as connection:
        return await (await connection.execute(query)).fetchone()


@pytest.mark.parametrize("program", programs.EVERY)
def test_every_program_is_found(program):
    assert programs.EVERY[program]().exists()


def test_a_missing_program_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RESPONDER_PROGRAMS", str(tmp_path / "programs"))

    with pytest.raises(programs.ProgramMissing) as missing:
        programs.alertmanager()

    assert "brew install alertmanager" in str(missing.value)
    assert "sudo apt-get install prometheus-alertmanager" in str(missing.value)


async def test_postgres_answers_with_its_statements_and_stops(tmp_path):
    async with Postgres(tmp_path, options={"max_connections": "20"}) as server:
        pid, data = server.pid, server.cwd

        assert await fetch(server, "SHOW max_connections") == ("20",)
        async with await psycopg.AsyncConnection.connect(server.dsn()) as connection:
            await connection.execute("CREATE EXTENSION pg_stat_statements")
            rows = await connection.execute("SELECT query FROM pg_stat_statements")
            assert await rows.fetchall()

    assert not alive(pid)
    assert not data.exists()


@pytest.mark.crash
async def test_postgres_comes_back_after_kill_with_what_was_committed(tmp_path):
    async with Postgres(tmp_path) as server:
        async with await psycopg.AsyncConnection.connect(server.dsn()) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        await server.kill()
        assert server.exit_code == -signal.SIGKILL

        await server.start()

        assert await fetch(server, "SELECT value FROM kept") == (7,)


async def test_postgres_says_what_it_did_not_like(tmp_path):
    with pytest.raises(NotReady, match="no_such_setting"):
        await Postgres(tmp_path, options={"no_such_setting": "1"}).start()


async def test_valkey_keeps_to_its_memory_and_stops(tmp_path):
    async with Valkey(tmp_path, options={"maxmemory": "32mb"}) as server:
        pid = server.pid
        async with Redis.from_url(server.url) as client:
            await client.set("a", "b")
            assert await client.get("a") == b"b"
            assert (await client.info("memory"))["maxmemory"] == 32 * 1024 * 1024

    assert not alive(pid)


async def test_prometheus_evaluates_its_rules_and_takes_new_ones(tmp_path):
    [port] = free_ports(1)
    server = Prometheus(tmp_path, SCRAPES_ITSELF % port, port=port, files={"rules.yml": ALWAYS})
    async with server, httpx.AsyncClient(base_url=server.url) as client:
        pid = server.pid
        deadline = time.monotonic() + 20
        while not (alerts := (await client.get("/api/v1/alerts")).json()["data"]["alerts"]):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert alerts[0]["labels"] == {"alertname": "Always"}

        await server.reload(server.config, {"rules.yml": "groups: []"})
        assert (await client.get("/api/v1/rules")).json()["data"]["groups"] == []
        with pytest.raises(ValueError, match="did not take"):
            await server.reload("nonsense: true")

    assert not alive(pid)


async def test_alertmanager_takes_an_alert_and_stops(tmp_path):
    server = Alertmanager(tmp_path, ROUTES_NOWHERE)
    async with server, httpx.AsyncClient(base_url=f"{server.url}/api/v2") as client:
        pid = server.pid
        posted = await client.post("/alerts", json=[{"labels": {"alertname": "Always"}}])
        posted.raise_for_status()
        [alert] = (await client.get("/alerts")).json()

    assert alert["labels"] == {"alertname": "Always"}
    assert not alive(pid)


def test_free_ports_differ_and_are_not_those_of_outgoing_connections():
    ports = free_ports(50)

    assert len(set(ports)) == 50
    assert set(ports) <= set(PORTS)


async def test_a_child_that_ends_early_shows_its_last_words(tmp_path):
    child = python("import sys; sys.exit('no disk')", tmp_path, ready=listens(1))

    with pytest.raises(NotReady, match=r"ended with exit code 1 .*\n*no disk"):
        await child.start()
    assert not child.running


async def test_a_child_that_is_never_ready_is_ended(tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    child = python(code, tmp_path, ready=listens(1), ready_within=0.5)

    with pytest.raises(NotReady, match=r"not ready within 0.5 s \(ConnectionRefusedError"):
        await child.start()
    assert await gone(int(child.tail()))


async def test_a_program_that_is_not_there_is_named(tmp_path):
    child = Child("it", ["/no/such/program"], log=tmp_path / "log", ready=listens(1))

    with pytest.raises(NotReady, match="/no/such/program could not be started: No such file"):
        await child.start()


async def test_a_child_that_ignores_the_request_is_killed(tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('.', flush=True)"
    child = python(f"{code}; time.sleep(60)", tmp_path, grace=0.2)
    child.ready = lambda: asyncio.sleep(0, bool(child.tail()))

    async with child:
        pass

    assert child.exit_code == -signal.SIGKILL


@pytest.mark.crash
async def test_a_restarted_child_is_another_process(tmp_path):
    child = python("import time; time.sleep(60)", tmp_path)
    async with child:
        first = child.pid
        await child.kill()
        assert not alive(first)
        await child.start()
        assert alive(child.pid)
        assert child.pid != first


PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.local.postgres import Postgres
from deploy.local.processes import Child
from deploy.local.valkey import Valkey

FAMILY = "import subprocess, sys, time; "
FAMILY += "print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"

async def main():
    folder = Path(sys.argv[1])
    family = Child("family", [sys.executable, "-c", FAMILY], log=folder / "family.log")
    family.ready = lambda: asyncio.sleep(0, bool(family.tail()))
    data = Path(sys.argv[2]) / "data"
    server, cache = Postgres(folder, data=data), Valkey(folder)
    await asyncio.gather(family.start(), server.start(), cache.start())
    print(family.pid, family.tail(), server.pid, cache.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.crash
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_parent_leaves_no_child(how, tmp_path):
    data = Path(tempfile.mkdtemp())  # under root pytest's own folders are closed to nobody
    data.chmod(0o755)
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path), str(data)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[1],
    )
    try:
        pids = [int(word) for word in (await parent.stdout.readline()).split()]
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
    finally:
        parent.send_signal(how)
        await parent.wait()

    assert await gone(*pids)
    shutil.rmtree(data)
