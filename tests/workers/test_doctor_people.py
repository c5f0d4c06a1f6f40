import httpx
import pytest

from deploy.gameday.standins.pagerduty import READ_ONLY_TOKEN, REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import User
from workers.checks.check import State, examined
from workers.checks.people import PagerDutyWebhookCheck, PeoplesIncidentsCheck
from workers.settings import Settings

SECRET = "the-secret-of-this-subscription"


async def diagnosis(kind=PagerDutyWebhookCheck, **pagerduty):
    known = {"people": {"PPRIYA": "priya"}, "webhook_secrets": [SECRET], **pagerduty}
    async with httpx.AsyncClient() as http:
        check = kind(Settings(pagerduty=known), http)
        return await examined(check, changes=True)


async def test_a_webhook_whose_senders_nobody_knows_is_wrong():
    well = await diagnosis()
    assert (well.state, well.said[:8]) == (State.OK, "1 secret")
    assert SECRET not in well.said
    deaf = await diagnosis(people={})
    assert deaf.state is State.WRONG
    assert "RESPONDER_PAGERDUTY__PEOPLE" in deaf.todo[0]


async def test_without_a_secret_it_says_what_is_not_done():
    absent = await diagnosis(webhook_secrets=[])
    assert (absent.state, "not heard" in absent.said) == (State.ABSENT, True)


@pytest.mark.parametrize(
    ("section", "todo"),
    [
        pytest.param({}, [], id="all is there"),
        pytest.param({"api_token": ""}, ["API_TOKEN to a key", "may write"], id="no key"),
        pytest.param({"api_token": "u+another"}, ["401", "API_TOKEN"], id="another key"),
        pytest.param(
            {"api_token": READ_ONLY_TOKEN}, ["403", "that may write"], id="a key that only reads"
        ),
        pytest.param({"from_address": ""}, ["FROM_ADDRESS"], id="nobody to speak for us"),
        pytest.param(
            {"from_address": "nobody@example.com"}, ["FROM_ADDRESS"], id="nobody whom they know"
        ),
    ],
)
async def test_what_people_open_there_is_kept_up_only_with_the_rights_for_it(section, todo):
    async with PagerDutyStandIn(["0" * 32]) as there:
        there.users = [User("PROBOT", "Responder", "responder@example.com")]
        usual = {
            "api_token": REST_TOKEN,
            "api_url": there.url,
            "from_address": "responder@example.com",
        }
        opened = await there.opens(User("PDANA", "Dana"), "Slow", times=0)
        found = await diagnosis(PeoplesIncidentsCheck, **usual | section)
        assert opened.status == "triggered"
        assert not there.events

    assert (found.state is State.OK) is not bool(todo)
    assert all(part in found.todo[0] for part in todo)
    assert "another" not in str(found)


async def test_a_pagerduty_that_is_away_is_said_and_not_taken_for_a_right():
    found = await diagnosis(
        PeoplesIncidentsCheck,
        api_token=REST_TOKEN,
        api_url="http://127.0.0.1:1",
        from_address="responder@example.com",
    )
    assert "cannot be reached" in found.todo[0]


async def test_the_door_needs_no_right_to_write():
    section = {"webhook_secrets": [SECRET], "people": {"PPRIYA": "priya"}}
    async with httpx.AsyncClient() as http:
        check = PeoplesIncidentsCheck(Settings(pagerduty=section), http)
        found = await examined(check, changes=False)
    assert found.state is State.OK
    assert "RESPONDER_PAGERDUTY__API_TOKEN" in found.said


async def test_without_the_wish_nothing_is_looked_at():
    absent = await diagnosis(PeoplesIncidentsCheck, open_what_people_open=False)
    assert absent.state is State.ABSENT
