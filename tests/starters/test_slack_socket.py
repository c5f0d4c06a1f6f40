"""Socket Mode: the same over a connection of ours, which is made anew whenever it ends."""

import asyncio

import httpx
import pytest

import starters.slack_socket as socket_module
from activities.buttons import Pressed, Target
from deploy.gameday.standins.faults import outage
from deploy.gameday.standins.slack import SlackStandIn
from tests.starters.workspace import (
    APP_TOKEN,
    BOT_TOKEN,
    chosen,
    hears,
    listening,
    post,
    serving,
    workspace,
)

NOWHERE = Target("APIDown-nowhere-0a1b2c3d", "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Seconds become hundredths: what is waited for is the same."""
    monkeypatch.setattr(socket_module.random, "uniform", lambda *_: 0.02)


@pytest.fixture
async def slack(live):
    async with workspace(live.client, socket_mode=True) as reached:
        yield reached


async def connected(slack, times):
    while slack.sockets.opened < times or not slack.sockets.open:
        await asyncio.sleep(0.01)


async def test_a_command_is_answered_in_the_acknowledgement(slack):
    answered = await slack.command("help", user="U0DANA")

    assert answered.status == 200
    assert answered.body["response_type"] == "ephemeral"
    assert "/incident take-over" in answered.body["text"]
    assert (await slack.command("list", user="U0STRANGER")).body["text"].startswith("Not done: you")


async def test_a_press_is_acknowledged_and_its_person_hears_what_became_of_it(slack):
    message = post(slack, (Pressed.ACKNOWLEDGE,), NOWHERE)

    assert await slack.press(message.ts, "acknowledge", user="U0DANA") == 200

    assert "There is no open incident APIDown-nowhere" in await hears(slack, "U0DANA")


async def test_a_blank_reason_keeps_the_window_open(slack):
    message = post(slack, (Pressed.RESOLVE,), NOWHERE)
    await slack.press(message.ts, "resolve", user="U0DANA")

    assert (await slack.submit("")).body["response_action"] == "errors"
    assert slack.state.windows[-1].open
    assert (await slack.submit("over")).body == {}
    assert not slack.state.windows[-1].open


async def test_an_event_is_acknowledged_only_once_it_was_taken(slack):
    message = post(slack, (), NOWHERE)
    slack.fail(outage(method="conversations.replies", times=1))

    begun = asyncio.create_task(slack.say("note: it", thread_ts=message.ts, user="U0DANA"))

    assert (await begun).taken
    assert slack.sockets.left_out == 1
    assert "no open incident" in await hears(slack, "U0DANA")


async def test_a_connection_that_is_cut_is_made_anew_with_an_address_of_its_own(slack):
    for times in (2, 3):
        await slack.sockets.cut()
        await connected(slack, times)
        assert (await slack.command("help", user="U0DANA")).status == 200


async def test_a_connection_that_slack_is_about_to_end_has_its_successor_first(slack):
    await slack.sockets.end("refresh_requested")
    await connected(slack, 2)

    assert len(slack.sockets.open) == 2, "what comes by the old one is still taken"
    assert (await slack.command("help", user="U0DANA")).status == 200
    slack.sockets.open.reverse()
    assert (await slack.command("help", user="U0DANA")).status == 200


async def test_slack_away_for_a_while_is_tried_until_it_is_back(slack):
    slack.fail(outage(method="apps.connections.open", times=3))
    await slack.sockets.cut()
    await connected(slack, 2)

    assert (await slack.command("help", user="U0DANA")).status == 200
    assert slack.faults.coming == []


async def test_what_cannot_be_read_ends_nothing(slack):
    [socket] = slack.sockets.open
    for text in (
        "{",
        "[]",
        '{"type":7}',
        '{"type":"events_api","envelope_id":"e","payload":{}}',
        '{"type":"interactive","envelope_id":"e","payload":{"type":"block_actions"}}',
    ):
        await socket.send_text(text)

    assert (await slack.command("help", user="U0DANA")).status == 200
    assert slack.sockets.opened == 1


async def test_the_token_and_the_ticket_are_in_no_log(slack, caplog):
    slack.fail(outage(method="apps.connections.open", times=1))
    await slack.sockets.cut()
    await connected(slack, 2)

    ours = "\n".join(each.getMessage() for each in caplog.records if "starters" in each.name)
    assert "Socket Mode is not reached" in ours
    assert "ticket" not in ours
    assert "xapp-" not in ours


async def test_many_at_once_are_all_answered(slack):
    answers = await asyncio.gather(*(slack.command("help", user="U0DANA") for _ in range(60)))

    assert {answer.status for answer in answers} == {200}


async def test_with_the_door_the_connection_ends_too(live):
    async with SlackStandIn(BOT_TOKEN, app_token=APP_TOKEN) as slack:
        async with serving(live.client, chosen(slack.api_url, socket_mode=True), listening()):
            await connected(slack, 1)
        while slack.sockets.open:
            await asyncio.sleep(0.01)
    assert slack.sockets.opened == 1


async def test_a_token_that_slack_refuses_is_said_and_leaves_the_other_doors_open(live, caplog):
    async with (
        SlackStandIn(BOT_TOKEN, app_token="xapp-another") as slack,
        serving(live.client, chosen(slack.api_url, socket_mode=True), listening()),
    ):
        while "Slack refuses Socket Mode" not in caplog.text:
            await asyncio.sleep(0.01)
    assert "not_allowed_token_type" in caplog.text


async def test_a_person_at_the_stand_ins_page_presses_types_and_reads(slack):
    message = post(slack, (Pressed.RESOLVE,), NOWHERE)
    slack.person = "U0DANA"
    async with httpx.AsyncClient(base_url=slack.url, follow_redirects=True) as page:
        pressed = {"pressed": f"{message.ts} resolve"}
        assert "A window is open" in (await page.post("/_standin/press", data=pressed)).text
        assert "Why is it over?" in (await page.get("/write")).text
        await page.post("/write/window", data={"reason": "it was rain"})
        assert "There is no open incident" in await hears(slack, "U0DANA")
        help_ = (await page.post("/write/command", data={"text": "help"})).text
        assert "<code>/incident list</code>" in help_
        noted = await page.post("/write/message", data={"text": "<b>hello", "thread": message.ts})
        assert noted.status_code == 200
        shown = (await page.get("/")).text
    assert "&lt;b&gt;hello" in shown
    assert "Only U0DANA sees this" in shown
