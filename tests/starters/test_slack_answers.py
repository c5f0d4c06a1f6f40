"""What one person is told reaches them by whichever way is open, and nobody else."""

import httpx
import pytest

from activities.errors import Failed, Gone
from activities.messages import Entry
from activities.slack_history import metadata
from deploy.gameday.standins.faults import dropped, outage, rate_limited
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.gameday.standins.slack_state import Message
from starters.slack_answers import Answers, Said, window
from starters.slack_payloads import Whence
from tests.starters.workspace import BOT_TOKEN, chosen

CHANNEL = CHANNELS["incidents"]
WHENCE = Whence(user="U0DANA", team="T0PRAVADO", channel=CHANNEL)
RUN = "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"


@pytest.fixture
async def slack():
    async with SlackStandIn(BOT_TOKEN) as standing:
        yield standing


@pytest.fixture
def answers(slack):
    return Answers(chosen(slack.api_url).slack)


def at(slack, **more):
    slack.state.answers["t1"] = (CHANNEL, "U0DANA")
    return Whence(**{**vars(WHENCE), "response_url": f"{slack.url}/actions/T0/t1", **more})


async def test_it_is_said_where_the_person_looks(slack, answers):
    assert await answers.tell(at(slack), Said("done"))

    assert slack.state.told("U0DANA") == ["done"]
    assert slack.messages() == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(outage(500, method="response_url"), id="it fails"),
        pytest.param(outage(404, method="response_url"), id="it has expired"),
        pytest.param(dropped(done=False, method="response_url"), id="it is cut off"),
    ],
)
async def test_where_the_given_address_fails_it_is_whispered_in_the_channel(slack, answers, fault):
    slack.fail(fault)

    assert await answers.tell(at(slack), Said("done"))

    [whisper] = slack.state.whispers
    assert (whisper.channel, whisper.user, whisper.text) == (CHANNEL, "U0DANA", "done")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example/actions/T0/t1", id="another host"),
        pytest.param("https://hooks.slack.com.evil.example/", id="a host that begins like it"),
        pytest.param("https://evilslack.com/", id="a host that ends like it"),
        pytest.param("http://hooks.slack.com/actions/T0/t1", id="not encrypted"),
        pytest.param("https://[", id="no address"),
        pytest.param("", id="none"),
    ],
)
async def test_an_address_that_is_not_slacks_is_never_told(slack, answers, url, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("it was asked")

    monkeypatch.setattr(httpx.AsyncClient, "post", refuse)

    assert await answers.tell(at(slack, response_url=url), Said("done"))
    assert slack.state.told("U0DANA") == ["done"]


async def test_a_moments_throttling_is_waited_for(slack, answers, monkeypatch):
    monkeypatch.setattr("starters.slack_answers._PAUSE_SECONDS", 0.01)
    slack.fail(rate_limited(1, method="chat.postEphemeral"))

    assert await answers.tell(WHENCE, Said("done"))
    assert slack.state.told("U0DANA") == ["done"]


async def test_slack_away_altogether_is_no_error_of_the_door_but_a_line_in_its_log(
    slack, answers, caplog, monkeypatch
):
    monkeypatch.setattr("starters.slack_answers._PAUSE_SECONDS", 0.01)
    slack.fail(outage(503, times=9))

    assert not await answers.tell(at(slack), Said("done"))
    assert "U0DANA was not told what became of their act" in caplog.text
    assert BOT_TOKEN not in caplog.text


async def test_what_strangers_wrote_calls_nobody_and_is_cut(slack, answers):
    await answers.tell(WHENCE, Said("<!channel> " + "x" * 9_000))

    [told] = slack.state.told("U0DANA")
    assert told.startswith("&lt;!channel&gt; x")
    assert len(told) <= 3_000


def root(slack, key, **more):
    message = Message(
        channel=CHANNEL, ts=slack.state.next_ts(), user="U0RESPONDER", text="It is",
        metadata=metadata(Entry(key=key, title="x").key), **more,
    )  # fmt: skip
    slack.state.messages.append(message)
    return message.ts


async def test_a_thread_is_known_by_the_key_on_its_root(slack, answers):
    ours = root(slack, f"APIDown-api-0a1b2c3d/{RUN}/root-1")
    other = root(slack, "something else")

    found = await answers.incident_at(CHANNEL, ours)

    assert (found.incident, found.run) == ("APIDown-api-0a1b2c3d", RUN)
    assert await answers.incident_at(CHANNEL, other) is None


async def test_a_thread_whose_root_is_gone_is_nobodys_and_slack_away_is_said(slack, answers):
    gone = root(slack, f"APIDown-api-0a1b2c3d/{RUN}/root-1")
    slack.delete(gone)
    with pytest.raises(Gone):
        await answers.incident_at(CHANNEL, gone)

    slack.fail(outage(method="conversations.replies"))
    with pytest.raises(Failed):
        await answers.incident_at(CHANNEL, gone)


async def test_the_window_of_the_longest_incident_is_one_that_slack_opens(slack, answers):
    name = f"{'A' * 80}-{'s' * 80}-0a1b2c3d"
    slack.state.triggers["9999999999999.1.x"] = "U0DANA"
    view = window(f"{name}|{RUN}||", name, Whence("U0DANA", "T0", CHANNEL, "1732330790.000200"))

    await answers.open_window("9999999999999.1.x", view)

    [opened] = slack.state.windows
    assert (opened.user, opened.view["callback_id"]) == ("U0DANA", "resolve")
