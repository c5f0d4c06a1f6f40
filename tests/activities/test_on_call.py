"""Who is on call, and who has acknowledged: from a PagerDuty on loopback."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.on_call import AskOnCall, AwaitAcknowledgement, OnCall
from deploy.gameday.standins.faults import outage, rate_limited
from deploy.gameday.standins.pagerduty import REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import Hook, User

KEY = "k" * 32
PRIYA, LEE, SAM = User("PPRIYA", "Priya P"), User("PLEE", "Lee L"), User("PSAM", "Sam S")
POLICIES = {"on-call": "PESC", "engineering-lead": "PESC/2", "cto": "pother"}


@pytest.fixture
async def account() -> AsyncIterator[PagerDutyStandIn]:
    async with PagerDutyStandIn([KEY]) as standing:
        yield standing


@pytest.fixture
async def asked(account: PagerDutyStandIn) -> AsyncIterator[OnCall]:
    async with httpx.AsyncClient() as http:
        names = {"PPRIYA": "priya"}
        yield OnCall(http, SecretStr(REST_TOKEN), POLICIES, names=names, url=account.url)


async def run(activity, order):
    return await ActivityEnvironment().run(activity, order)


async def trigger(account: PagerDutyStandIn, key: str, action: str = "trigger") -> None:
    event = {"routing_key": KEY, "event_action": action, "dedup_key": key,
             "payload": {"summary": "s", "source": "s", "severity": "critical"}}  # fmt: skip
    async with httpx.AsyncClient() as http:
        await http.post(f"{account.url}/v2/enqueue", json=event)


async def test_each_level_is_named_by_its_policy_and_its_place_there(
    account: PagerDutyStandIn, asked: OnCall
) -> None:
    account.on_call = {
        ("PESC", 1): [PRIYA, SAM, PRIYA],
        ("PESC", 2): [LEE],
        ("PSOMEBODYELSE", 1): [LEE],
    }
    now = await run(asked.on_call, AskOnCall(levels=("on-call", "engineering-lead", "cto", "vp")))
    assert now.names == {
        "on-call": ("priya", "Sam S"),
        "engineering-lead": ("Lee L",),
        "cto": (),
    }, "ours by our name; nobody's turn is told from a level that nobody asked for"


async def test_more_than_one_page_is_read_to_its_end(
    account: PagerDutyStandIn, asked: OnCall
) -> None:
    crowd = [User(f"P{n}", f"Nobody {n}") for n in range(230)]
    account.on_call = {("PESC", 1): crowd, ("PESC", 2): [LEE]}
    now = await run(asked.on_call, AskOnCall(levels=("on-call", "engineering-lead")))
    assert now.names["engineering-lead"] == ("Lee L",), "the last of the list"
    assert len(now.names["on-call"]) == 20, "and what goes into the history is bounded"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(outage(503), "Unavailable", id="down"),
        pytest.param(rate_limited(7), "Throttled", id="too many requests"),
    ],
)
async def test_what_could_not_be_read_is_not_nobody(
    account: PagerDutyStandIn, asked: OnCall, fault, kind
) -> None:
    account.fail(fault)
    with pytest.raises(ApplicationError) as failed:
        await run(asked.on_call, AskOnCall(levels=("on-call",)))
    assert failed.value.type == kind


async def test_a_wrong_token_is_refused_and_not_shown(account: PagerDutyStandIn) -> None:
    async with httpx.AsyncClient() as http:
        stranger = OnCall(http, SecretStr("u+wrong-token"), POLICIES, url=account.url)
        with pytest.raises(ApplicationError, match="401") as failed:
            await run(stranger.on_call, AskOnCall(levels=("on-call",)))
    assert failed.value.type == "Refused"
    assert "wrong-token" not in str(failed.value)


async def test_a_level_without_a_policy_is_not_asked_for(asked: OnCall) -> None:
    with pytest.raises(ApplicationError, match="ESCALATION_POLICIES") as failed:
        await run(asked.on_call, AskOnCall(levels=("vp",)))
    assert failed.value.type == "NotConfigured"


@pytest.mark.parametrize("happened", ["acknowledged", "resolved"])
async def test_a_persons_word_is_an_acknowledgement(
    account: PagerDutyStandIn, asked: OnCall, happened: str
) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(_ok)) as nobody:
        account.hook = Hook("http://nowhere/", ["secret"], nobody)
        await trigger(account, "page-1")
        with pytest.raises(ApplicationError) as failed:
            await run(asked.acknowledged, AwaitAcknowledgement(dedup_key="page-1"))
        assert failed.value.type == "NotYet"

        await account.does(PRIYA, happened, "page-1")
        found = await run(asked.acknowledged, AwaitAcknowledgement(dedup_key="page-1"))
    assert found.by == "priya"


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_an_integrations_word_is_none(
    account: PagerDutyStandIn, asked: OnCall, action: str
) -> None:
    await trigger(account, "page-1")
    await trigger(account, "page-1", action)
    with pytest.raises(ApplicationError) as failed:
        await run(asked.acknowledged, AwaitAcknowledgement(dedup_key="page-1"))
    assert failed.value.type == "NotYet"


async def test_another_page_is_not_taken_for_this_one(
    account: PagerDutyStandIn, asked: OnCall
) -> None:
    await trigger(account, "page-2")
    with pytest.raises(ApplicationError) as failed:
        await run(asked.acknowledged, AwaitAcknowledgement(dedup_key="page-1"))
    assert failed.value.type == "NotYet"


async def test_the_key_of_an_incident_there_is_found_by_its_id(
    account: PagerDutyStandIn, asked: OnCall
) -> None:
    await trigger(account, "a/b/page-1")
    assert await asked.key_of("PSTANDIN1") == "a/b/page-1"
    assert await asked.key_of("../users/PX") == ""


def _ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(202)
