from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr
from slack_sdk.signature import SignatureVerifier

from activities.messages import (
    Button,
    Part,
)
from activities.slack import Slack
from activities.slack_api import slack_api
from deploy.gameday.standins.faults import dropped
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.gameday.standins.slack_door import Door
from tests.activities.slack_words import (
    GLANCE,
    TOKEN,
    attempt,
    entry,
    root,
)
from tests.conformance.server import answer, far_side


async def test_the_stand_in_remembers_over_a_restart(tmp_path: Path) -> None:
    posted = []
    for number in (1, 2):
        async with (
            SlackStandIn(TOKEN, data=tmp_path / "slack.json") as workspace,
            slack_api(SecretStr(TOKEN), url=workspace.api_url) as api,
        ):
            posted.append(await attempt(number, Slack(api, CHANNELS).post_root, root()))
    assert posted[0] == posted[1]


async def test_the_stand_ins_serve_in_a_process_of_their_own(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "deploy.gameday.standins", "--data", str(tmp_path)],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said = [(await process.stdout.readline()).decode().split() for _ in range(2)]
    addresses = {words[0]: words[1] for words in said}
    async with httpx.AsyncClient() as client:
        fault = dropped(done=True).model_dump()
        base = addresses["slack"].removesuffix("/api/")
        answer = await client.post(f"{base}/_standin/faults", json=fault)
        assert answer.json() == [fault]
        assert "Pravado" in (await client.get(base)).text
        assert (await client.get(f"{addresses['pagerduty']}/_standin/state")).json()
    process.terminate()
    assert await process.wait() == 0


@pytest.mark.parametrize("token", ["", "xoxb-another"])
async def test_the_stand_in_refuses_a_strange_token(workspace: SlackStandIn, token: str) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{workspace.api_url}auth.test", headers=headers)
    assert answer.json()["error"] == ("invalid_auth" if token else "not_authed")


async def test_the_page_shows_what_people_see(workspace: SlackStandIn, slack: Slack) -> None:
    hostile = GLANCE.model_copy(update={"impact": "<script>alert(1)</script> & <!channel>"})
    posted = await attempt(1, slack.post_root, root(hostile))
    await attempt(1, slack.post_entry, entry(posted, parts=(Part(text="a < b", kind="code"),)))
    async with httpx.AsyncClient() as client:
        page = (await client.get(workspace.url)).text
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;!channel&gt;" in page
    assert "<pre>a &lt; b</pre>" in page


async def test_a_press_reaches_the_door_signed_as_slack_signs_it() -> None:
    secret = "for-tests"
    button = Button(action="approve", text="Approve", value="question-1")
    glance = GLANCE.model_copy(update={"buttons": (button,)})
    async with far_side(answer(200)) as door, SlackStandIn(TOKEN, door=Door(door.url, secret)) as w:
        async with slack_api(SecretStr(TOKEN), url=w.api_url) as api:
            posted = await attempt(1, Slack(api, CHANNELS).post_root, root(glance))
        assert await w.press(posted.ts, "approve", user="U0ALICE") == 200
        async with httpx.AsyncClient() as client:
            pressed = {"pressed": f"{posted.ts} approve"}
            assert f"value='{pressed['pressed']}'" in (await client.get(w.url)).text
            assert (await client.post(f"{w.url}/_standin/press", data=pressed)).status_code == 303
            stray = {"pressed": f"{posted.ts} launch"}
            assert (await client.post(f"{w.url}/_standin/press", data=stray)).status_code == 404
        head, _, body = door.requests[0].partition(b"\r\n\r\n")

    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    assert SignatureVerifier(secret).is_valid_request(body, headers)
    payload = json.loads(dict(parse_qsl(body.decode()))["payload"])
    [action] = payload["actions"]
    assert (payload["type"], payload["user"]["id"]) == ("block_actions", "U0ALICE")
    assert (action["action_id"], action["value"]) == ("approve", "question-1")
    assert payload["message"]["metadata"]["event_payload"]["key"] == GLANCE.key
