"""E-mail over real SMTP: what a mail server says, and what is then known of the letter."""

import dataclasses
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.email import TAKEN, Email, SendEmail
from activities.smtp import MailServer, Smtp
from activities.support import Support, WriteToSupport
from deploy.gameday.standins.smtp import Fault, SmtpStandIn, certificate

PASSWORD = "correct-horse-battery"
SENDER = "Incident responder <responder@pravado.test>"
ORDER = SendEmail(
    key="i/1/mail", to=("ana@example.com", "bo@example.com"), subject="Down", body="Sorry.\n.\nBye."
)
LETTER = WriteToSupport(provider="supabase", subject="Our database is down", body="Since 03:00.")
ADDRESSES = {"supabase": "support@supabase.test"}


@pytest.fixture(scope="module")
def pem(tmp_path_factory) -> Path:
    return certificate(tmp_path_factory.mktemp("mail"))


@pytest.fixture
async def server():
    async with SmtpStandIn(nobody=("bo@example.com",)) as standing:
        yield standing


def smtp(standing: SmtpStandIn, **more) -> Smtp:
    plain = {"host": "127.0.0.1", "sender": SENDER, "port": standing.port, "security": "none"}
    return Smtp(MailServer(**(plain | {"seconds": 1.0} | more)))


async def run(activity, *given, attempt: int = 1, heartbeats=(), beats=None):
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info, attempt=attempt, heartbeat_details=list(heartbeats)
    )
    if beats is not None:
        environment.on_heartbeat = lambda *details: beats.extend(details)
    return await environment.run(activity, *given)


async def failure(activity, *given, **how) -> ApplicationError:
    with pytest.raises(ApplicationError) as failed:
        await run(activity, *given, **how)
    return failed.value


async def test_a_letter_arrives_whole_and_says_who_was_not_taken(server) -> None:
    sent = await run(Email(smtp(server)).send, ORDER)
    [mail] = server.mails
    assert mail.recipients == ("ana@example.com",)
    assert mail.body.replace("\r", "") == "Sorry.\n.\nBye.\n"
    assert (mail.subject, mail.sender) == ("Down", "responder@pravado.test")
    assert mail.message_id == sent.message_id
    assert len(sent.refused) == 1
    assert "bo@example.com: the mail server answered 550" in sent.said


async def test_the_same_occasion_has_the_same_id_and_another_has_another(server) -> None:
    email = Email(smtp(server))
    for order in (ORDER, ORDER, ORDER.model_copy(update={"key": "i/1/other"})):
        await run(email.send, order)
    first, again, other = (mail.message_id for mail in server.mails)
    assert first == again != other


@pytest.mark.parametrize(
    ("fault", "kind", "taken"),
    [
        pytest.param(Fault("CONNECT", "421 4.3.2 busy"), "Unavailable", 0, id="busy: later"),
        pytest.param(Fault("CONNECT"), "Unavailable", 0, id="dropped at the door: nothing sent"),
        pytest.param(Fault("MAIL", "451 4.7.1 greylisted"), "Unavailable", 0, id="4xx: later"),
        pytest.param(Fault("MAIL", "553 5.7.1 not you"), "Refused", 0, id="5xx: never"),
        pytest.param(Fault("RCPT"), "Unavailable", 0, id="lost before the letter: nothing sent"),
        pytest.param(Fault("DATA", "452 4.3.1 full"), "Unavailable", 0, id="no room now: later"),
        pytest.param(Fault(".", "554 5.6.0 spam"), "Refused", 0, id="refused at the dot: never"),
        pytest.param(Fault(".", "451 4.3.0 wait"), "Unavailable", 0, id="4xx at the dot: later"),
        pytest.param(Fault("."), "Ambiguous", 0, id="lost after the dot: it may have arrived"),
        pytest.param(Fault(".", done=True), "Ambiguous", 1, id="and here it has arrived"),
    ],
)
async def test_what_a_server_says_decides_what_is_known(server, fault, kind, taken) -> None:
    server.fail(fault)
    error = await failure(Email(smtp(server)).send, ORDER)
    assert error.type == kind
    assert error.non_retryable is (kind == "Refused")
    assert len(server.mails) == taken


async def test_nobody_taken_is_a_refusal_and_a_passing_one_is_tried_again(server) -> None:
    email, alone = Email(smtp(server)), ORDER.model_copy(update={"to": ("bo@example.com",)})
    assert (await failure(email.send, alone)).type == "Refused"
    server.fail(Fault("RCPT", "450 4.2.1 mailbox busy"))
    assert (await failure(email.send, ORDER)).type == "Unavailable"
    assert server.mails == []


async def test_silence_ends_in_time(server) -> None:
    quick = smtp(server, seconds=0.2)
    for at, kind in (("CONNECT", "Unavailable"), ("MAIL", "Unavailable"), (".", "Ambiguous")):
        server.fail(Fault(at, seconds=2.0))
        assert (await failure(Email(quick).send, ORDER)).type == kind


async def test_what_an_attempt_handed_in_is_not_sent_again_by_the_next(server) -> None:
    email, beats = Email(smtp(server)), []
    await run(email.send, ORDER, beats=beats)
    assert TAKEN in beats
    again = await run(email.send, ORDER, attempt=2, heartbeats=beats[-1:])
    assert "Already" in again.said
    assert len(server.mails) == 1


async def test_a_line_break_in_a_subject_makes_no_header(server) -> None:
    sly = ORDER.model_copy(update={"subject": "Down\r\nBcc: everybody@example.com"})
    await run(Email(smtp(server)).send, sly)
    assert server.mails[0].subject == "Down Bcc: everybody@example.com"
    assert server.mails[0].recipients == ("ana@example.com",)


@pytest.mark.parametrize("address", ["", "ana", "a@b\r\nRCPT TO:<c@d>", "<a@b>", "a b@c.d", "a@"])
def test_what_is_no_address_is_no_order(address: str) -> None:
    with pytest.raises(ValidationError):
        SendEmail(key="k", to=(address,), subject="", body="")


async def test_the_password_goes_over_an_encrypted_line_alone(pem: Path) -> None:
    trust = ssl.create_default_context(cafile=pem)
    known = {"security": "starttls", "user": "ops", "password": SecretStr(PASSWORD)}
    async with SmtpStandIn(user="ops", password=PASSWORD, certificate=pem) as standing:
        await run(Email(smtp(standing, trust=trust, **known)).send, ORDER)
        [mail] = standing.mails
        assert (mail.encrypted, mail.user) == (True, "ops")
        stranger = await failure(Email(smtp(standing, **known)).send, ORDER)
        assert stranger.type == "Refused"
        assert "certificate" in str(stranger)
        wrong = known | {"password": SecretStr("wrong-horse-battery")}
        refused = await failure(Email(smtp(standing, trust=trust, **wrong)).send, ORDER)
        assert refused.type == "Refused"
        assert "wrong-horse" not in repr(refused)
    async with SmtpStandIn(user="ops", password=PASSWORD) as plain:
        open_line = await failure(Email(smtp(plain, trust=trust, **known)).send, ORDER)
        assert open_line.type == "Refused"
        assert "AUTH" not in plain.commands


async def test_support_is_written_to_once_under_an_id_fixed_before(server) -> None:
    support, beats = Support(smtp(server), ADDRESSES), []
    before = await run(support.write_read, LETTER)
    assert before == await run(support.write_read, LETTER)
    done = await run(support.write, LETTER, before, beats=beats)
    again = await run(support.write, LETTER, before, attempt=2, heartbeats=beats[-1:])
    [mail] = server.mails
    assert mail.recipients == ("support@supabase.test",)
    assert mail.message_id == before.message_id
    assert done.said == again.said == "wrote to support@supabase.test (Our database is down)"


async def test_a_letter_to_support_that_may_have_arrived_is_sent_again_recognisably(server) -> None:
    support = Support(smtp(server), ADDRESSES)
    before = await run(support.write_read, LETTER)
    server.fail(Fault(".", done=True))
    assert (await failure(support.write, LETTER, before)).type == "Ambiguous"
    await run(support.write, LETTER, before, attempt=2)
    assert {mail.message_id for mail in server.mails} == {before.message_id}


async def test_support_without_an_address_is_not_configured(server) -> None:
    error = await failure(Support(smtp(server), {"supabase": ""}).write_read, LETTER)
    assert error.type == "NotConfigured"
    assert "SUPPORT__SUPABASE" in str(error)


async def test_an_address_that_changed_meanwhile_is_not_written_to(server) -> None:
    before = await run(Support(smtp(server), ADDRESSES).write_read, LETTER)
    other = Support(smtp(server), {"supabase": "sales@supabase.test"})
    assert (await failure(other.write, LETTER, before)).type == "Refused"
    assert server.mails == []
