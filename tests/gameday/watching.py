"""Looking at a platform from outside until it is as expected."""

import asyncio
import contextlib
import json
import time

import httpx
from aiohttp import web

from deploy.local import processes

TOKEN = "door-token"
POLL_SECONDS = 0.2
# Told from a hang, and no more: a busy machine may be slow.
WITHIN_SECONDS = 90.0


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


async def until(ask, *given, within=WITHIN_SECONDS):
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
