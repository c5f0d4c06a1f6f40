"""Expo's push service: what it takes, what it refuses, and what is then known."""

import dataclasses
import json
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.expo import Expo, Finding
from activities.expo_api import ExpoApi, Message
from activities.phones import AskReceipts, PagePhones, Phones, PhoneTicket
from activities.words import Nothing
from deploy.gameday.standins.expo import ExpoStandIn
from deploy.gameday.standins.faults import Fault, dropped, hanging, outage, rate_limited

SPEC = json.loads(
    (Path(__file__).resolve().parents[1] / "fixtures/expo/expo-push.schema.json").read_text()
)
ACCESS = "expo-access-token-for-tests"
PRIYA, SAM, TEST = (f"ExponentPushToken[{name}]" for name in ("priya", "sam", "test"))
PHONES = {"priya": SecretStr(PRIYA), "sam": SecretStr(SAM)}
PAGE = PagePhones(
    key="APILatency-api-1/run/phone-1",
    level="on-call",
    phones=("priya", "sam"),
    incident="APILatency-api-1",
    title="critical: CriticalAPILatency on api",
    body="p95 is 3 s",
)


@pytest.fixture
async def service():
    async with ExpoStandIn(ACCESS) as standing:
        yield standing


@pytest.fixture
async def http():
    async with httpx.AsyncClient() as client:
        yield client


def api(service: ExpoStandIn, http, token: str = ACCESS) -> ExpoApi:
    return ExpoApi(http, SecretStr(token), url=service.url, timeout=httpx.Timeout(0.5))


def phones(service, http) -> Phones:
    return Phones(api(service, http), PHONES, deep_link="pravado://incidents", channel="ops")


def expo(service, http, phone: str = TEST, **more) -> Expo:
    quick = {"pause_seconds": 0.01, "receipt_seconds": 0.1}
    return Expo(api(service, http, **more), SecretStr(phone), **quick)


async def run(activity, order, attempt: int = 1):
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(activity, order)


async def failure(activity, order) -> ApplicationError:
    with pytest.raises(ApplicationError) as failed:
        await run(activity, order)
    assert ACCESS not in repr(failed.value)
    assert PRIYA not in repr(failed.value)
    return failed.value


async def test_a_page_says_where_to_look_and_nothing_more(service, http) -> None:
    paged = await run(phones(service, http).page, PAGE)
    [first, second] = [each.message for each in service.delivered]
    assert first["data"] == {
        "screen": "OpHealth",
        "id": PAGE.incident,
        "url": f"pravado://incidents/{PAGE.incident}",
    }
    assert (first["priority"], first["to"], second["to"]) == ("high", PRIYA, SAM)
    assert [each.phone for each in paged.tickets] == ["priya", "sam"]
    assert PRIYA not in paged.model_dump_json()


async def test_a_page_sent_again_takes_its_own_place_and_the_next_does_not(service, http) -> None:
    for key in (PAGE.key, PAGE.key, f"{PAGE.key}2"):
        await run(phones(service, http).page, PAGE.model_copy(update={"key": key}))
    first, again, other = [e.message["collapseId"] for e in service.delivered if e.to == PRIYA]
    assert first == again != other
    assert service.delivered[0].message["tag"] == first


async def test_a_phone_without_the_app_is_named_and_the_others_ring(service, http) -> None:
    service.dead.add(PRIYA)
    paged = await run(phones(service, http).page, PAGE)
    assert paged.dead == ("priya",)
    assert [each.phone for each in paged.tickets] == ["sam"]
    assert "priya has the app no more" in paged.said


async def test_phones_that_the_settings_do_not_have_are_not_configured(service, http) -> None:
    strange = PAGE.model_copy(update={"phones": ("nobody",)})
    assert (await failure(phones(service, http).page, strange)).type == "NotConfigured"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(rate_limited(7), "Throttled", id="600 a second were too many"),
        pytest.param(outage(503), "Ambiguous", id="a 5xx may have sent it"),
        pytest.param(outage(408), "Unavailable", id="408 did not"),
        pytest.param(dropped(done=True), "Ambiguous", id="sent, and the answer lost"),
        pytest.param(hanging(1.0), "Ambiguous", id="silence is no refusal"),
        pytest.param(
            Fault(kind="answer", status=200, body='{"data":[]}'), "Ambiguous", id="too few tickets"
        ),
        pytest.param(
            Fault(kind="answer", status=200, body='{"errors":[{"code":"TOO_MANY_REQUESTS"}]}'),
            "Throttled",
            id="an error in a 200",
        ),
        pytest.param(
            Fault(kind="answer", status=400, body='{"errors":[{"code":"API_ERROR"}]}'),
            "Refused",
            id="a 400 is for good",
        ),
    ],
)
async def test_how_it_fails_says_whether_it_may_be_sent(service, http, fault, kind) -> None:
    service.fail(fault)
    error = await failure(phones(service, http).page, PAGE)
    assert error.type == kind
    assert error.non_retryable is (kind == "Refused")


async def test_phones_of_several_projects_all_ring_each_once(service, http) -> None:
    service.projects[SAM] = "@pravado/app-preview"

    paged = await run(phones(service, http).page, PAGE)

    assert [each.to for each in service.delivered] == [PRIYA, SAM]
    assert [each.phone for each in paged.tickets] == ["priya", "sam"]
    assert [each.id for each in paged.tickets] == list(service.tickets), "each has its own ticket"


def several(projects) -> Fault:
    error = {"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "message": "m", "details": projects}
    return Fault(kind="answer", status=400, body=json.dumps({"errors": [error]}))


@pytest.mark.parametrize(
    ("faults", "kind", "sent"),
    [
        pytest.param(
            [several({"@a/a": [PRIYA], "@a/b": [SAM]}), hanging(0), outage(400)],
            "Ambiguous",
            [PRIYA],
            id="the second is refused: the first has been sent",
        ),
        pytest.param(
            [several({"@a/a": [PRIYA], "@a/b": [SAM]}), rate_limited(7)],
            "Throttled",
            [],
            id="the first is put off: nothing has been sent",
        ),
        pytest.param([several({"@a/a": [PRIYA, SAM]})], "Refused", [], id="it names one alone"),
        pytest.param([several({"@a/a": PRIYA})], "Refused", [], id="it names them otherwise"),
    ],
)
async def test_of_several_projects_what_may_be_sent_is_known(
    service, http, faults, kind, sent
) -> None:
    service.fail(*faults)

    assert (await failure(phones(service, http).page, PAGE)).type == kind
    assert [each.to for each in service.delivered] == sent


async def test_a_phone_that_expo_names_with_no_project_is_said_and_the_others_ring(
    service, http
) -> None:
    service.fail(several({"@a/a": [PRIYA], "@a/b": ["ExponentPushToken[of-nobody]"]}))

    paged = await run(phones(service, http).page, PAGE)

    assert [each.phone for each in paged.tickets] == ["priya"]
    assert "sam: DeveloperError Expo names no project of this phone" in paged.said


async def test_a_wrong_access_token_is_refused_and_not_shown(service, http) -> None:
    wrong = Phones(api(service, http, "another-token-altogether"), PHONES)
    error = await failure(wrong.page, PAGE)
    assert error.non_retryable
    assert "401" in str(error)
    assert "another-token" not in repr(error)


async def test_receipts_say_whom_a_page_reached(service, http) -> None:
    paged = await run(phones(service, http).page, PAGE)
    service.tickets[paged.tickets[0].id].error = "DeviceNotRegistered"
    lost = PhoneTicket(phone="lee", id="00000000-0000-0000-0000-000000000000")
    asked = AskReceipts(tickets=(*paged.tickets, lost))
    got = await run(phones(service, http).receipts, asked)
    assert (got.reached, got.dead) == (("sam",), ("priya",))
    assert got.failed == ("lee: Expo has no receipt",)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Message(to=SecretStr(TEST), body="x" * 4096), id="too large"),
        pytest.param(Message(to=SecretStr(TEST), body="ü" * 2048), id="too large in bytes"),
    ],
)
async def test_what_no_phone_takes_is_not_sent(service, http, message) -> None:
    error = await failure(lambda m: api(service, http).send([m]), message)
    assert error.type == "Refused"
    assert service.tickets == {}


async def test_more_than_a_request_takes_is_not_sent(service, http) -> None:
    many = [Message(to=SecretStr(TEST), body="x")] * 101
    assert (await failure(lambda m: api(service, http).send(m), many)).type == "Refused"
    asked = ["x"] * 1001
    assert (await failure(lambda m: api(service, http).receipts(m), asked)).type == "Refused"


@pytest.mark.parametrize(
    ("breaks", "seen_as"),
    [
        pytest.param(lambda s: None, (Finding.NONE, True, True), id="well"),
        pytest.param(lambda s: setattr(s, "down", True), (Finding.DOWN, False, False), id="down"),
        pytest.param(
            lambda s: s.fail(*[hanging(1.0)] * 3), (Finding.DOWN, False, False), id="silent"
        ),
        pytest.param(
            lambda s: s.fail(outage(502)), (Finding.NONE, True, True), id="once is not down"
        ),
        pytest.param(
            lambda s: s.fail(rate_limited(1)), (Finding.LIMITED, True, None), id="limited"
        ),
        pytest.param(
            lambda s: setattr(s, "wrong_credentials", True),
            (Finding.CREDENTIALS, True, False),
            id="the app's credentials: not down",
        ),
        pytest.param(
            lambda s: s.dead.add(TEST),
            (Finding.TEST_PHONE, True, None),
            id="the test phone has gone",
        ),
    ],
)
async def test_a_look_tells_down_from_everything_else(service, http, breaks, seen_as) -> None:
    breaks(service)
    seen = await run(expo(service, http).look, Nothing())
    assert (seen.finding, seen.answers, seen.sends) == seen_as
    assert seen.failures == (3 if seen.finding is Finding.DOWN else 0)


async def test_a_look_with_a_wrong_access_token_is_not_down(service, http) -> None:
    seen = await run(expo(service, http, token="wrong").look, Nothing())
    assert seen.finding is Finding.UNAUTHORIZED
    assert not seen.finding.means_down


async def test_a_name_that_cannot_be_resolved_says_nothing_about_expo(http) -> None:
    nowhere = ExpoApi(http, SecretStr(""), url="http://expo.invalid")
    seen = await run(Expo(nowhere, SecretStr(TEST), pause_seconds=0.0).look, Nothing())
    assert seen.finding is Finding.DNS


async def test_without_a_test_phone_it_is_seen_that_expo_answers_and_no_more(service, http) -> None:
    seen = await run(expo(service, http, phone="").look, Nothing())
    assert (seen.answers, seen.sends) == (True, None)
    assert (await expo(service, http, phone="").sends_sample()).good is None
    assert service.tickets == {}


async def test_it_is_well_only_once_a_receipt_has_come_and_not_by_an_old_one(service, http) -> None:
    looking = expo(service, http)
    service.receipts_held = True
    assert (await looking.sends_sample()).good is None
    service.receipts_held = False
    assert (await looking.sends_sample()).good is True
    service.down = True
    assert (await looking.sends_sample()).good is False
    service.down, service.receipts_held = False, True
    assert (await looking.sends_sample()).good is None
    service.receipts_held = False
    assert (await looking.sends_sample()).good is True


async def test_a_receipt_that_blames_the_credentials_is_not_well(service, http) -> None:
    service.wrong_credentials = True
    sample = await expo(service, http).sends_sample()
    assert sample.good is False
    assert "InvalidCredentials" in sample.note


async def test_the_stand_in_answers_as_the_contract_says(service, http) -> None:
    headers = {"authorization": f"Bearer {ACCESS}"}
    service.dead.add(SAM)

    async def ask(what: str, body: object) -> dict:
        url = f"{service.url}/--/api/v2/push/{what}"
        return (await http.post(url, json=body, headers=headers)).json()

    def check(shape: str, said: dict) -> dict:
        schema = SPEC | {"$ref": f"#/$defs/{shape}"}
        Draft202012Validator(schema).validate(said)
        return said

    sent = check("sendResponse", await ask("send", [{"to": PRIYA}, {"to": SAM}]))
    alone = check("sendResponse", await ask("send", {"to": PRIYA, "body": "x" * 5000}))
    ids = [sent["data"][0]["id"], alone["data"]["id"], "unknown"]
    receipts = check("receiptsResponse", await ask("getReceipts", {"ids": ids}))["data"]
    assert [receipts[each].get("details", {}).get("error") for each in ids[:2]] == [
        None,
        "MessageTooBig",
    ]
    assert "unknown" not in receipts
    for wrong in ([{"body": "to nobody"}], [{"to": PRIYA, "colour": "red"}], [{"to": PRIYA}] * 101):
        assert "errors" in check("sendResponse", await ask("send", wrong))
