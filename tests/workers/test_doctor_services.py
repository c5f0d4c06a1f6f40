"""What the doctor says of the services of others: well, and with each thing that can be missing."""

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from deploy.gameday.standins import cloudflare_kv as kv
from deploy.gameday.standins import pages as cloudflare_pages
from deploy.gameday.standins.anthropic import AnthropicStandIn
from deploy.gameday.standins.expo import ExpoStandIn
from deploy.gameday.standins.github import GitHubStandIn
from deploy.gameday.standins.openai import OpenAIStandIn
from deploy.gameday.standins.pagerduty import REST_TOKEN, PagerDutyStandIn, User
from deploy.gameday.standins.sentry import SentryStandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.smtp import SmtpStandIn
from deploy.gameday.standins.status_pages import StatusPagesStandIn
from deploy.gameday.standins.statuspage import StatuspageStandIn
from workers.checks import channels, platform, providers
from workers.checks.check import State, examined
from workers.settings import Settings

TOKEN = "xoxb-correct-horse-battery"
PASSWORD = "correct-horse-battery"
PHONE = "ExponentPushToken[aaaaaaaaaaaaaaaaaaaaaa]"


async def look(kind, *, changes=True, **sections):
    async with httpx.AsyncClient(trust_env=False) as http:
        return await examined(kind(Settings(**sections), http), changes=changes, seconds=5)


def said(found):
    return " | ".join((found.said, *found.todo))


@pytest.fixture
async def slack():
    async with SlackStandIn(TOKEN) as workspace:
        yield workspace


def of_slack(workspace, **changes):
    channels = {each.name: each.id for each in workspace.state.channels.values()}
    section = {"token": TOKEN, "channels": channels, "base_url": workspace.api_url}
    return {"slack": section | changes}


async def test_slack_is_well_and_says_as_whom_and_where(slack):
    found = await look(channels.SlackCheck, **of_slack(slack))

    assert (found.state, found.todo) == (State.OK, ())
    assert found.said == "responder in Pravado; #incidents, #engineering"
    assert slack.messages() == []


def _without(scope):
    def change(workspace):
        workspace.scopes = tuple(each for each in workspace.scopes if each != scope)

    return change


def _channel(**state):
    def change(workspace):
        name = next(iter(workspace.state.channels))
        for key, value in state.items():
            setattr(workspace.state.channels[name], key, value)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            _without("files:write"),
            "the scope files:write is missing, to show charts: add it under OAuth & Permissions",
            id="a missing scope is named, and what it is for",
        ),
        pytest.param(
            _without("channels:read"),
            "the scope channels:read is missing",
            id="without the right to see channels that right is missing, and no channel",
        ),
        pytest.param(
            _channel(member=False),
            "we are not in #incidents (C0INCIDENTS): `/invite` the app there",
            id="not being in a channel is said with how to come in",
        ),
        pytest.param(
            _channel(archived=True),
            "#incidents (C0INCIDENTS) is archived",
            id="an archived channel is said to be one",
        ),
    ],
)
async def test_slack_says_what_is_missing_and_only_that(slack, change, sentence):
    change(slack)

    found = await look(channels.SlackCheck, **of_slack(slack))

    assert found.state is State.WRONG
    [todo] = found.todo
    assert todo.startswith(sentence)


async def test_a_wrong_token_of_slack_is_refused_and_never_shown(slack):
    found = await look(channels.SlackCheck, **of_slack(slack, token="xoxb-another-secret-token"))

    assert found.state is State.WRONG
    assert "refuses the token (invalid_auth): RESPONDER_SLACK__TOKEN needs the bot token" in said(
        found
    )
    assert "another-secret" not in said(found)


async def test_a_channel_that_is_not_there_is_named(slack):
    section = of_slack(slack, channels={"incidents": "C0NOWHERE"})

    found = await look(channels.SlackCheck, **section)

    assert "the channel C0NOWHERE (incidents) is not there, or it is private" in said(found)


async def test_a_channel_of_its_own_needs_scopes_of_its_own(slack):
    found = await look(channels.SlackCheck, **of_slack(slack), policy={"own_channel": True})

    assert [todo.split()[2] for todo in found.todo] == [
        "channels:manage",
        "channels:join",
        "usergroups:read",
    ]


@pytest.mark.parametrize(
    ("app_token", "people", "sentences"),
    [
        pytest.param("xapp-1-right", {"U0SAM": "sam"}, [], id="all is there"),
        pytest.param("", {"U0SAM": "sam"}, [], id="by the door alone"),
        pytest.param(
            "xapp-1-wrong",
            {"U0SAM": "sam"},
            ["Slack opens no connection (not_allowed_token_type): switch Socket Mode on"],
            id="another app-level token",
        ),
        pytest.param(
            "", {}, ["nobody in Slack is known to us, so that nobody may act"], id="nobody"
        ),
    ],
)
async def test_acting_from_slack_needs_a_way_in_and_people(app_token, people, sentences):
    async with SlackStandIn(TOKEN, app_token="xapp-1-right") as workspace:
        more = {"signing_secret": "s" * 32, "app_token": app_token, "people": people}
        found = await look(channels.SlackActsCheck, **of_slack(workspace, **more))

        assert workspace.sockets.opened == 0
    assert len(found.todo) == len(sentences)
    assert all(todo.startswith(s) for todo, s in zip(found.todo, sentences, strict=True))


@pytest.mark.parametrize(
    ("token", "on_call", "says"),
    [
        pytest.param(REST_TOKEN, [User("PDANA", "Dana Reyes")], "on-call: Dana Reyes", id="one"),
        pytest.param(REST_TOKEN, [], "nobody is on call for on-call: look", id="nobody"),
        pytest.param("another-secret", [], "needs a read-only key", id="another token"),
    ],
)
async def test_pagerduty_says_who_is_on_call(token, on_call, says):
    async with PagerDutyStandIn(["0" * 32]) as pagerduty:
        pagerduty.on_call[("PPOLICY", 1)] = on_call
        section = {
            "api_token": token,
            "api_url": pagerduty.url,
            "escalation_policies": {"on_call": "PPOLICY"},
        }
        found = await look(channels.OnCallCheck, pagerduty=section)

    assert says in said(found)
    assert (found.state is State.OK) == bool(on_call)
    assert "another-secret" not in said(found)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        pytest.param("0123456789abcdefABCDEF0123456789", State.OK, id="of the right shape"),
        pytest.param("short", State.WRONG, id="of another shape"),
    ],
)
async def test_a_key_of_pagerduty_is_only_looked_at(key, state):
    found = await look(channels.PagerDutyCheck, pagerduty={"routing_key": key})

    assert found.state is state
    assert "only a page proves them" in found.said
    assert key not in said(found)


@pytest.mark.parametrize(
    ("token", "state"),
    [
        pytest.param(PASSWORD, State.OK, id="its token"),
        pytest.param("another-secret", State.WRONG, id="another token"),
    ],
)
async def test_expo_lets_in_who_has_its_token_and_sends_nothing(token, state):
    async with ExpoStandIn(PASSWORD) as expo:
        section = {"access_token": token, "phones": {"priya": PHONE}, "base_url": expo.url}
        found = await look(channels.ExpoCheck, expo=section)

        assert found.state is state
        assert expo.delivered == []
        assert "another-secret" not in said(found)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        pytest.param(PASSWORD, "lets us in as responder", id="the right password"),
        pytest.param("another-secret", "the mail server answered 535", id="a wrong password"),
    ],
)
async def test_the_mail_server_lets_us_in_and_gets_no_letter(password, sentence):
    async with SmtpStandIn(user="responder", password=PASSWORD) as server:
        section = {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "sender": "responder@pravado.test",
            "user": "responder",
            "password": password,
        }
        found = await look(channels.EmailCheck, email=section)

        assert sentence in said(found)
        assert (found.state is State.OK) == (password == PASSWORD)
        assert server.mails == []
        assert not {"MAIL", "RCPT", "DATA"} & {each.split()[0] for each in server.commands}


@pytest.mark.parametrize(
    ("kind", "stand_in", "name"),
    [
        pytest.param(providers.OpenAiCheck, OpenAIStandIn, "openai", id="OpenAI"),
        pytest.param(providers.AnthropicCheck, AnthropicStandIn, "anthropic", id="Anthropic"),
    ],
)
async def test_a_provider_of_models_is_asked_for_its_list_alone(kind, stand_in, name):
    async with stand_in() as provider:
        section = {"key": provider.key, "url": provider.api_url}
        well = await look(kind, llm={name: section})
        without = await look(kind, llm={name: section | {"model": "no-such-model"}})
        wrong = await look(kind, llm={name: section | {"key": "sk-another-secret-key-of-mine"}})

    assert (well.state, well.todo) == (State.OK, ())
    assert without.todo[0].startswith("the key may not use no-such-model: RESPONDER_LLM__")
    assert wrong.state is State.WRONG
    assert "401" in said(wrong)
    assert "another-secret" not in said(wrong)


@asynccontextmanager
async def flag():
    async with kv.KvStandIn() as store:
        section = {
            "account": kv.ACCOUNT,
            "namespace": kv.NAMESPACE,
            "token": kv.TOKEN,
            "base_url": store.api_url,
        }
        yield store, section


async def test_the_flag_of_the_maintenance_page_is_read_and_not_written():
    async with flag() as (store, section):
        found = await look(providers.MaintenanceCheck, maintenance=section)

        assert found.state is State.OK
        assert "the token is active; no flag is set; that it may write is not tried" in found.said
        assert store.writes == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"token": "another-secret"}, "Invalid API Token", id="a dead token"),
        pytest.param(
            {"namespace": "0" * 32}, "the token needs Account, Workers KV", id="another namespace"
        ),
    ],
)
async def test_cloudflare_says_which_right_is_missing(change, sentence):
    async with flag() as (_, section):
        found = await look(providers.MaintenanceCheck, maintenance=section | change)

    assert found.state is State.WRONG
    assert sentence in said(found)
    assert "another-secret" not in said(found)


async def test_a_token_that_ends_soon_is_said_before_it_does():
    async with flag() as (store, section):
        store.token_ends = "2026-01-01T00:00:00Z"
        found = await look(providers.MaintenanceCheck, maintenance=section)

    assert found.todo == ("the token ends on 2026-01-01T00:00:00Z: make another before",)


@pytest.mark.parametrize(
    ("project", "sentence"),
    [
        pytest.param(cloudflare_pages.PROJECT, "is served", id="its project"),
        pytest.param("another", "the token needs Account, Cloudflare Pages, Edit", id="another"),
    ],
)
async def test_cloudflare_pages_shows_its_project(project, sentence):
    async with cloudflare_pages.PagesStandIn() as pages:
        section = {
            "account": cloudflare_pages.ACCOUNT,
            "project": project,
            "token": cloudflare_pages.TOKEN,
            "url": f"{pages.url}/client/v4",
        }
        found = await look(providers.PagesCheck, pages=section)

    assert sentence in said(found)


@pytest.mark.parametrize("token", [PASSWORD, "another-secret"], ids=["its token", "another token"])
async def test_sentry_says_which_scope_is_missing(token):
    async with SentryStandIn("pravado", PASSWORD) as stand_in:
        section = {"organization": "pravado", "token": token, "base_url": stand_in.url}
        found = await look(providers.SentryCheck, sentry=section)

    if token == PASSWORD:
        assert found.state is State.OK
    else:
        assert found.todo[0].endswith("the token needs event:read on pravado")


@pytest.mark.parametrize("token", [PASSWORD, "another-secret"], ids=["its token", "another token"])
async def test_github_says_which_permission_is_missing(token):
    async with GitHubStandIn("pravado/api", PASSWORD) as stand_in:
        section = {"repository": "pravado/api", "token": token, "base_url": stand_in.url}
        found = await look(providers.GitHubCheck, github=section)

    if token == PASSWORD:
        assert found.said.endswith("no deployment to production yet")
    else:
        right = "the token needs Deployments: read and Contents: read on pravado/api"
        assert found.todo[0].endswith(right)


async def test_status_pages_say_which_one_cannot_be_read_or_names_nothing_of_ours():
    async with StatusPagesStandIn() as stand_in:
        urls = stand_in.urls()
        well = await look(providers.StatusPagesCheck, status_pages={"urls": urls})
        gone = {**urls, "expo": f"{stand_in.url}/nowhere"}
        wrong = await look(
            providers.StatusPagesCheck,
            status_pages={"urls": gone, "components": {"openai": ["Telepathy"]}},
        )

    assert well.state is State.OK
    assert len(wrong.todo) == 2
    assert "openai: the page names no component Telepathy" in said(wrong)
    assert "the status page of expo answered 404 (RESPONDER_STATUS_PAGES__URLS__EXPO)" in said(
        wrong
    )


@pytest.mark.parametrize("token", [PASSWORD, "another-secret"], ids=["its token", "another token"])
async def test_our_status_page_says_whether_it_lets_us_in_and_publishes_nothing(token):
    async with StatuspageStandIn("page1", PASSWORD) as stand_in:
        own = {"page": "page1", "token": token, "url": stand_in.url}
        found = await look(
            providers.OwnPageCheck,
            status_pages={"own": own},
            policy={"public_from": "critical"},
        )

    assert stand_in.incidents == []
    if token == PASSWORD:
        assert found.state is State.OK
        assert "people are asked from critical on" in found.said
    else:
        assert "our status page answered 401: Could not authenticate" in said(found)
        assert token not in said(found)


async def test_a_provider_that_does_not_answer_is_one_line_and_no_wait_without_end():
    async with AsyncExitStack() as stack:
        stand_in = await stack.enter_async_context(SentryStandIn("pravado", PASSWORD))
        url = stand_in.url
        await stand_in.stop()
        section = {"organization": "pravado", "token": PASSWORD, "base_url": url}
        found = await look(providers.SentryCheck, sentry=section)

    assert found.state is State.WRONG
    assert said(found) == " | Sentry cannot be reached (it refuses the connection)"


async def test_a_file_in_the_place_of_the_folder_of_reports_is_said():
    found = await look(platform.ReportsCheck, reports={"folder": Path(__file__) / "reports"})

    assert found.state is State.WRONG


@pytest.mark.parametrize(
    ("people", "state", "says"),
    [
        pytest.param({"*": {}}, State.ABSENT, "nobody may approve", id="nobody"),
        pytest.param(
            {"*": {}, "dana": {"approves": ["disruptive", "destructive"]}},
            State.OK,
            "dana (disruptive, destructive)",
            id="one person",
        ),
    ],
)
async def test_who_may_approve_is_said(people, state, says):
    found = await look(platform.ApprovalsCheck, policy={"people": people})

    assert found.state is state
    assert says in found.said


async def test_what_it_would_be_to_act_is_never_asked():
    section = {"warm_up_url": "https://api.test/internal/cache/warmup", "warm_up_token": "t" * 20}
    found = await look(platform.WarmUpCheck, cache=section)

    assert found.state is State.OK
    assert "not tried" in found.said
