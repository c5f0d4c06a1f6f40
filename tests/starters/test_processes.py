"""Door and worker as the processes that they are, on a Temporal server that can be killed."""

import asyncio
import os
from http import HTTPStatus

import httpx
import pytest

from deploy.local.processes import Child, free_port
from deploy.local.responder import RESPONDER, Door, Worker
from deploy.local.temporal import Temporal
from starters.session import Exit
from tests.starters.doors import BEARER, PATH, TOKEN, elsewhere, recorded, told


def environment(temporal, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    return {
        **kept,
        "TEMPORAL_ADDRESS": temporal.address,
        "RESPONDER_ALERTMANAGER__TOKEN": TOKEN,
        **more,
    }


async def deliver(door, payload):
    async with httpx.AsyncClient(headers=BEARER, trust_env=False, timeout=30) as http:
        return await http.post(f"{door.url}{PATH}", json=payload)


@pytest.mark.crash
async def test_no_alert_is_lost_when_door_or_server_are_killed(tmp_path):
    payload = elsewhere(recorded("firing_single"))
    async with Temporal(tmp_path / "temporal") as temporal:
        env = environment(temporal, RESPONDER_DOOR__DEADLINE_SECONDS="2")
        async with Door(free_port(), log=tmp_path / "door.log", env=env) as door:
            first = await deliver(door, payload)
            await door.kill()
            with pytest.raises(httpx.ConnectError):
                await deliver(door, payload)
            await door.start()
            second = await deliver(door, payload)

            await temporal.kill()
            third = await deliver(door, payload)
            await temporal.start()
            for _ in range(50):
                fourth = await deliver(door, payload)
                if fourth.status_code == HTTPStatus.OK:
                    break
                await asyncio.sleep(0.1)

            begun = asyncio.get_running_loop().time()
            await door.stop()
            assert asyncio.get_running_loop().time() - begun < 5
            assert door.exit_code == 0, door.tail()

        assert [answer.status_code for answer in (first, second, third, fourth)] == [
            HTTPStatus.OK,
            HTTPStatus.OK,
            HTTPStatus.SERVICE_UNAVAILABLE,
            HTTPStatus.OK,
        ]
        [name] = fourth.json()["accepted"]
        _, notices = await told(await temporal.connect(), name)
        # Those that were answered 200 are there; the 503 may be, and does no harm.
        assert len(notices) >= 3
        assert TOKEN not in door.log.read_text()


async def test_a_namespace_that_is_not_there_is_said_in_words(tmp_path, live):
    address = live.client.service_client.config.target_host
    env = {**os.environ, "TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "nowhere"}
    worker = Child("worker", [*RESPONDER, "worker"], log=tmp_path / "worker.log", env=env)
    await worker.start()

    assert await asyncio.wait_for(worker.wait(), 30) == Exit.USAGE
    assert "TEMPORAL_NAMESPACE" in worker.tail()
    assert "Traceback" not in worker.tail()


async def test_a_worker_ends_in_peace_when_it_is_told_to(tmp_path):
    async with Temporal(tmp_path / "temporal") as temporal:
        worker = Worker(temporal, log=tmp_path / "worker.log", env=environment(temporal))
        await worker.start()
        begun = asyncio.get_running_loop().time()
        await worker.stop()

        assert asyncio.get_running_loop().time() - begun < 10
        assert worker.exit_code == 0, worker.tail()
        assert "Traceback" not in worker.log.read_text()


async def test_the_exit_status_survives_what_temporals_client_leaves_behind():
    env = {"PATH": os.environ["PATH"], "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"}
    for _ in range(3):
        listing = await asyncio.create_subprocess_exec(
            *RESPONDER,
            "list",
            env=env,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await listing.communicate()

        assert listing.returncode == Exit.NO_TEMPORAL
        assert b"Is it running?" in said
