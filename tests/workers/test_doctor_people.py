import httpx

from workers.checks.check import State, examined
from workers.checks.people import PagerDutyWebhookCheck
from workers.settings import Settings

SECRET = "the-secret-of-this-subscription"


async def diagnosis(**pagerduty):
    known = {"people": {"PPRIYA": "priya"}, "webhook_secrets": [SECRET], **pagerduty}
    async with httpx.AsyncClient() as http:
        check = PagerDutyWebhookCheck(Settings(pagerduty=known), http)
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
