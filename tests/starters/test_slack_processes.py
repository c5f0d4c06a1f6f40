"""Slack's door as the process that it is: killed and ended while somebody's act is on its way."""

import asyncio
import json

import pytest

from activities.buttons import Pressed, Target
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.gameday.standins.slack_door import Door as SlackWay
from deploy.local.processes import free_port
from deploy.local.responder import Door, Worker
from deploy.local.temporal import Temporal
from starters.finding import record_of
from starters.slack_door import PATH
from tests.starters.doors import elsewhere, recorded
from tests.starters.test_processes import deliver, environment
from tests.starters.workspace import BOT_TOKEN, SIGNING_SECRET, WHO, hears, post


async def until_taken(slack, message, user):
    """Press, and again where Slack shows that it failed: a busy machine may take over 3 s."""
    for _ in range(5):
        if (await slack.people.press(message, "escalate", user)).taken:
            return True
    return False


@pytest.mark.crash
async def test_an_act_under_way_when_the_door_is_killed_is_seen_to_fail_and_made_once_later(
    tmp_path,
):
    port = free_port()
    way = SlackWay(f"http://127.0.0.1:{port}{PATH}", SIGNING_SECRET)
    async with (
        Temporal(tmp_path / "temporal") as temporal,
        SlackStandIn(BOT_TOKEN, door=way) as slack,
    ):
        env = environment(
            temporal,
            RESPONDER_SLACK__TOKEN=BOT_TOKEN,
            RESPONDER_SLACK__BASE_URL=slack.api_url,
            RESPONDER_SLACK__CHANNELS=json.dumps(CHANNELS),
            RESPONDER_SLACK__SIGNING_SECRET=SIGNING_SECRET,
            RESPONDER_SLACK__PEOPLE=json.dumps(WHO),
        )
        async with Door(port, log=tmp_path / "door.log", env=env) as door:
            [name] = (await deliver(door, elsewhere(recorded("firing_single")))).json()["accepted"]
            client = await temporal.connect()
            run = (await client.get_workflow_handle(name).describe()).run_id
            message = post(slack, (Pressed.ESCALATE,), Target(name, run, shown="0"))

            # No worker runs: the act waits two seconds for one, and the kill comes between.
            pressed = asyncio.create_task(slack.people.press(message, "escalate", "U0DANA"))
            await asyncio.sleep(0.5)
            await door.kill()
            assert not (await pressed).taken, "Slack shows its person that it failed"
            assert slack.state.told("U0DANA") == []

            await door.start()
            assert await until_taken(slack, message, "U0DANA")
            assert "recorded, not yet confirmed" in await hears(slack, "U0DANA")

            # Told to end, it finishes what has begun, and its person hears of it.
            last = asyncio.create_task(slack.people.press(message, "escalate", "U0LEE"))
            await asyncio.sleep(0.5)
            await door.stop()
            await last
            assert "recorded, not yet confirmed" in await hears(slack, "U0LEE")
            assert door.exit_code == 0, door.tail()

        async with Worker(temporal, log=tmp_path / "worker.log", env=env):
            record = await record_of(client, name)
            while len([e for e in record.timeline if e.kind == "escalation"]) == 0:
                await asyncio.sleep(0.1)
                record = await record_of(client, name)

    assert record.people.level == 1, "however often it was pressed, one level was called"
    log = door.log.read_text()
    assert "Traceback" not in log
    assert not [secret for secret in (BOT_TOKEN, SIGNING_SECRET) if secret in log]
