"""Every fault truly shows, and what an operator may do about it truly helps."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import asyncssh
import httpx
import psutil
import psycopg
import pytest
from aiohttp import web

from deploy.gameday.nightly_report import NAME
from deploy.gameday.platform import Platform
from deploy.gameday.switches import SWITCHES
from deploy.local import processes

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "door-token"
POLL_SECONDS = 0.2


class Door:
    """Takes Alertmanager's POSTs, and keeps them."""

    def __init__(self):
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}/alerts"
        self.told = []
        self.tokens = set()

    async def take(self, request):
        self.tokens.add(request.headers.get("Authorization"))
        self.told += (await request.json())["alerts"]
        return web.Response()

    def statuses(self, name):
        return [it["status"] for it in self.told if it["labels"]["alertname"] == name]

    @contextlib.asynccontextmanager
    async def open(self):
        app = web.Application()
        app.router.add_post("/alerts", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture(scope="module")
async def door():
    async with Door().open() as door:
        yield door


@pytest.fixture(scope="module")
async def running(door, tmp_path_factory):
    folder = tmp_path_factory.mktemp("platform")
    async with Platform(folder, webhook_url=door.url, webhook_token=TOKEN) as platform:
        await until(well, platform)
        yield platform


@pytest.fixture
async def platform(running):
    """The platform, well before the test and truly well again after it."""
    yield running
    running.calm()
    await until(well, running)


async def until(ask, *given, within=20.0):
    deadline = time.monotonic() + within
    while True:
        wrong = await ask(*given)
        if not wrong:
            return
        assert time.monotonic() < deadline, wrong
        await asyncio.sleep(POLL_SECONDS)


async def well(platform):
    return await platform.healthy()


async def alerts(platform):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{platform.prometheus_url}/api/v1/alerts")
    found = answer.json()["data"]["alerts"]
    return {it["labels"]["alertname"]: it["labels"] for it in found if it["state"] == "firing"}


async def fires(platform, name):
    found = await alerts(platform)
    return [] if name in found else [f"{name} does not fire, only {list(found)}"]


async def rests(platform, name):
    return [f"{name} fires"] if name in await alerts(platform) else []


async def told(door, name, status):
    return [] if status in door.statuses(name) else [f"the door was not told: {door.told}"]


async def ordered(platform, command):
    done = await platform.ssh.run(command)
    assert done.exit_status == 0, done.stderr
    return done.stdout


async def unit(platform):
    shown = await ordered(
        platform, "systemctl show redis --property=ActiveState,SubState,Result,MainPID"
    )
    return dict(line.split("=", 1) for line in shown.splitlines())


async def listens(port):
    try:
        return [] if await processes.answers(f"http://127.0.0.1:{port}/healthz")() else [port]
    except httpx.HTTPError as error:
        return [error]


def failures(platform):
    seen = json.loads((platform.folder / "traffic" / "seen.json").read_text())
    return {how: count for how, count in seen["since_start"].items() if how != "200"}


async def statuses(platform, *routes):
    async with httpx.AsyncClient(base_url=platform.api_url, trust_env=False) as client:
        return [(await client.get(route)).status_code for route in routes]


@pytest.mark.parametrize(
    ("command", "code", "out", "error"),
    [
        pytest.param("date +%s.%N", 0, r"\d{10}\.\d{9}\n", "", id="the clock"),
        pytest.param("nproc", 0, r"\d+\n", "", id="the processors"),
        pytest.param("cat /proc/loadavg", 0, r"(\d+\.\d\d ){3}1/\d+ \d+\n", "", id="the load"),
        pytest.param("free -b", 0, r" +total .*\nMem:( +\d+){6}\nSwap:.*\n", "", id="memory"),
        pytest.param(
            "df -B1 --output=target,size,avail /",
            0,
            r"Mounted on +1B-blocks +Avail\n/ +\d+ +\d+\n",
            "",
            id="the disk",
        ),
        pytest.param(
            "tail -n 1 /var/lib/pravado/deployments.log",
            0,
            r'\{"at": ".*", "release": "v1\.42\.0", .*"migrations": false\}\n',
            "",
            id="the last deployment",
        ),
        pytest.param("tail -n 1 /etc/passwd", 127, "", "may not run", id="no other file"),
        pytest.param(
            "systemctl show postgresql --property=LoadState,MainPID",
            0,
            r"LoadState=not-found\nMainPID=0\n",
            "",
            id="a unit there is none of",
        ),
        pytest.param(
            "redis-cli -h 127.0.0.1 -p 1 ping",
            1,
            "",
            "Could not connect to Redis at 127.0.0.1:1: Connection refused",
            id="a port where no Redis is",
        ),
        pytest.param("pm2 scale pravado-api 2", 1, "", "Nothing to do", id="as many as there are"),
        pytest.param("pm2 scale pravado-api 500", 1, "", "not possible", id="far too many"),
        pytest.param("pm2 restart nosuch", 1, "", "nosuch not found", id="an app there is none of"),
        pytest.param(
            "env LD_PRELOAD=/tmp/x pm2 restart pravado-api --update-env",
            1,
            "",
            "no switch",
            id="a variable that is no switch",
        ),
        pytest.param("nproc; id", 127, "", "may not run", id="no second command"),
        pytest.param("nproc 'x", 2, "", "cannot be read", id="an open quote"),
        pytest.param("", 127, "", "may not run", id="no shell"),
    ],
)
async def test_the_host_answers_its_commands_and_no_others(running, command, code, out, error):
    done = await running.ssh.run(command)
    assert done.exit_status == code
    assert re.fullmatch(out, done.stdout)
    assert error in done.stderr


async def test_the_host_lets_nobody_in_without_the_key(running):
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            running.ssh.host,
            running.ssh.port,
            username="responder",
            client_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            known_hosts=str(running.ssh.known_hosts),
            agent_path=None,
            config=None,
        )


async def test_a_killed_redis_stays_down_until_it_is_restarted(platform, door):
    async with httpx.AsyncClient(base_url=platform.api_url, trust_env=False) as client:
        await client.get("/api/orgs")
    killed = await platform.kill_redis()

    await until(fires, platform, "RedisConnectionFailure")
    assert (await alerts(platform))["RedisConnectionFailure"] == {
        "alertname": "RedisConnectionFailure",
        "severity": "critical",
        "service": "redis",
    }
    assert await unit(platform) == {
        "ActiveState": "failed",
        "SubState": "failed",
        "Result": "signal",
        "MainPID": "0",
    }
    assert await statuses(platform, "/api/orgs", "/healthz") == [503, 200]
    assert any("503" in reason for reason in await platform.healthy())
    await until(told, door, "RedisConnectionFailure", "firing")

    await ordered(platform, "sudo -n systemctl restart redis")
    restarted = await unit(platform)
    assert restarted["ActiveState"] == "active"
    assert restarted["MainPID"] != str(killed)
    await until(rests, platform, "RedisConnectionFailure")
    await until(told, door, "RedisConnectionFailure", "resolved")
    assert door.tokens == {f"Bearer {TOKEN}"}


async def test_a_redis_that_cannot_start_is_lived_without_in_memory(platform):
    await platform.break_redis_for_good()
    failed = await platform.ssh.run("sudo -n systemctl restart redis")
    assert (failed.exit_status, (await unit(platform))["Result"]) == (1, "exit-code")
    assert "Job for redis.service failed" in failed.stderr

    switch = "env USE_IN_MEMORY_CACHE={} pm2 restart pravado-api --update-env"
    await ordered(platform, switch.format("true"))

    async def served():
        return {200} ^ set(await statuses(platform, *["/api/orgs", "/api/users/3"] * 4))

    await until(served)
    assert any("USE_IN_MEMORY_CACHE=true" in reason for reason in await platform.healthy())
    await until(fires, platform, "RedisConnectionFailure")

    platform.mend_redis()
    await ordered(platform, "sudo -n systemctl restart redis")
    await ordered(platform, switch.format("false"))
    await until(rests, platform, "RedisConnectionFailure")


async def test_a_spike_queues_on_two_instances_and_not_on_five(platform):
    platform.spike(4)
    await until(fires, platform, "HighAPILatency")
    await ordered(platform, "pm2 scale pravado-api 5")
    await until(rests, platform, "HighAPILatency", within=30)
    environments = [entry["pm2_env"]["env"] for entry in await platform.ssh.jlist()]
    assert len(environments) == 5
    assert all(environment.items() >= SWITCHES.items() for environment in environments)

    platform.calm()
    await ordered(platform, "pm2 scale pravado-api 2")
    assert len(await platform.ssh.jlist()) == 2


async def test_leaked_sessions_fill_the_database_until_the_responder_ends_them(platform):
    await platform.leak_connections()
    await until(fires, platform, "HighDatabaseConnections")

    connection = await psycopg.AsyncConnection.connect(platform.postgres_dsn, autocommit=True)
    async with connection:
        states = await connection.execute(
            "SELECT state, count(*) FROM pg_stat_activity WHERE application_name = %s"
            " GROUP BY state ORDER BY state",
            (NAME,),
        )
        assert dict(await states.fetchall()) == {"active": 17, "idle in transaction": 17}
        await connection.execute(
            "SELECT CASE state WHEN 'active' THEN pg_cancel_backend(pid)"
            " ELSE pg_terminate_backend(pid) END FROM pg_stat_activity"
            " WHERE application_name = %s",
            (NAME,),
        )
    await until(rests, platform, "HighDatabaseConnections")


async def test_a_killed_instance_is_started_again(platform):
    before = {entry["pm_id"]: entry for entry in await platform.ssh.jlist()}
    killed = await platform.kill_api_instance()

    async def back():
        entry = (await platform.ssh.jlist())[0]
        again = entry["pm2_env"]["restart_time"] == before[0]["pm2_env"]["restart_time"] + 1
        return [] if again and entry["pid"] not in {0, killed} else [entry["pid"]]

    await until(back)


async def test_instances_restarted_one_after_the_other_cost_the_users_nothing(platform):
    before = await platform.ssh.jlist()
    failed = failures(platform)
    for number in (1, 0):
        await ordered(platform, f"pm2 restart {number}")
        [entry] = [it for it in await platform.ssh.jlist() if it["pm_id"] == number]
        await until(listens, entry["pm2_env"]["env"]["PORT"])
    after = await platform.ssh.jlist()
    for old, new in zip(before, after, strict=True):
        assert old["pid"] != new["pid"]
        assert new["pm2_env"]["restart_time"] == old["pm2_env"]["restart_time"] + 1
        assert new["pm2_env"]["pm_uptime"] > old["pm2_env"]["pm_uptime"]
    assert "listening" in await ordered(platform, "pm2 logs pravado-api --lines 50 --nostream")
    assert failures(platform) == failed


@pytest.mark.crash
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, id="asked to end"),
        pytest.param(signal.SIGKILL, id="killed"),
    ],
)
async def test_nothing_is_left_of_a_platform(tmp_path, how):
    standing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deploy.gameday.platform", "--data", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    text = b""
    while not text.endswith(b"}\n"):
        line = await standing.stdout.readline()
        assert line, "it ended"
        text += line
    assert json.loads(text)["prometheus_url"].startswith("http://127.0.0.1:")
    children = psutil.Process(standing.pid).children(recursive=True)
    assert len(children) > 8
    # PostgreSQL's temporary folder goes with a platform that ends, not with one that is killed.
    [scratch] = {
        Path(line[line.index("-D") + 1]).parent
        for line in (child.cmdline() for child in children)
        if "-D" in line and Path(line[0]).name == "postgres"
    }
    os.kill(standing.pid, how)
    await standing.wait()

    async def left():
        return [it for it in children if it.is_running() and it.status() != psutil.STATUS_ZOMBIE]

    await until(left)
    if how is signal.SIGKILL:
        shutil.rmtree(scratch)
    assert not scratch.exists()
