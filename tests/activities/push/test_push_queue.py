"""The platform's push queue in a real PostgreSQL: what is sent once, and what never."""

import asyncio
import contextlib
from datetime import UTC, datetime

import psycopg
import pytest
from pydantic import SecretStr

from activities.changes import Targets
from activities.expo_api import Ticket
from activities.postgres_connection import Database
from activities.push_ledger import Ledger
from activities.push_mail import EmailUrgent, PushMail
from activities.push_records import Lately, PushRecords
from activities.push_tokens import PushTokens, RemoveTokens
from activities.smtp import MailServer, Smtp
from activities.words import Nothing
from deploy.gameday.standins.faults import dropped, outage, rate_limited
from deploy.gameday.standins.smtp import Fault, SmtpStandIn
from tests.activities.handing_on import handing_on
from tests.activities.pushes import empty, failing, phone, run

# Draining


async def test_the_queue_is_sent_once_the_urgent_first_and_the_late_never(
    platform, drain, service
) -> None:
    await platform.queue(1, 2, 3)
    await platform.queue(4, urgent=True)
    await platform.queue(5, lives="-1 second")
    done = await empty(drain)
    assert [each.to for each in service.delivered] == [phone(n) for n in (4, 1, 2, 3)]
    assert await platform.states() == ["sent"] * 4 + ["expired"]
    assert done.said == (
        "sent 4 queued notifications; 4 are confirmed by a receipt; 1 were too late to be of use"
    )
    again = await empty(drain, activity_id="2")
    assert not again.changed
    assert len(service.delivered) == 4


async def test_each_has_a_collapse_id_of_its_own_and_lives_no_longer_than_its_row(
    platform, drain, service
) -> None:
    await platform.queue(1, 1)
    await empty(drain)
    first, second = (each.message for each in service.delivered)
    assert first["collapseId"] != second["collapseId"]
    assert 3500 < first["ttl"] <= 3600


async def test_a_request_has_a_hundred_and_the_first_ones_fewer(platform, drain, service) -> None:
    sizes = []
    send = drain._api.send
    drain._api.send = lambda messages: (sizes.append(len(messages)), send(messages))[1]
    await platform.queue(*[1 + n % 9 for n in range(330)])
    await empty(drain)
    assert sizes == [2, 4, 8, 16, 32, 64, 100, 100, 4]
    assert len(service.delivered) == 330


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        pytest.param(rate_limited(3), ("Throttled", "queued"), id="429: they wait on"),
        pytest.param(outage(408), ("Unavailable", "queued"), id="not taken: they wait on"),
        pytest.param(outage(503), ("Ambiguous", "unknown"), id="5xx: not sent a second time"),
        pytest.param(dropped(done=True), ("Ambiguous", "unknown"), id="lost: nor these"),
    ],
)
async def test_what_may_have_been_sent_is_never_sent_again(
    platform, drain, service, fault, found
) -> None:
    kind, state = found
    await platform.queue(1, 2, 3)
    service.fail(fault)
    assert (await failing(empty(drain))).type == kind
    assert await platform.states() == [state, state, "queued"]
    await empty(drain, attempt=2)
    sent = [each.to for each in service.delivered]
    assert len(sent) == len(set(sent))
    assert phone(3) in sent


async def test_an_attempt_after_kill_9_sends_what_was_not_claimed_and_no_more(
    platform, drain, service, monkeypatch
) -> None:
    await platform.queue(1, 2, 3, 4)

    async def dies(*_):
        raise asyncio.CancelledError

    with monkeypatch.context() as killed:
        # Sent, and dead before it could be written down.
        killed.setattr("activities.push_ledger.Ledger.ticketed", dies)
        with contextlib.suppress(asyncio.CancelledError):
            await empty(drain)
    assert await platform.states() == ["claimed", "claimed", "queued", "queued"]
    done = await empty(drain, attempt=2)
    assert [each.to for each in service.delivered] == [phone(n) for n in (1, 2, 3, 4)]
    assert "of 2 it is not known" in done.said


async def test_a_dead_phone_is_written_down_for_those_who_remove_tokens(
    platform, drain, service
) -> None:
    service.dead.add(phone(1))
    await platform.queue(1, 2)
    done = await empty(drain)
    assert await platform.states() == ["failed", "sent"]
    assert "1 were refused" in done.said
    noted = await platform.ask("SELECT token_id, error FROM push_receipts ORDER BY token_id")
    assert noted == [(1, "DeviceNotRegistered"), (2, "")]


async def test_refused_credentials_stop_it_after_the_first_few(platform, drain, service) -> None:
    await platform.queue(1, 2, 3, 4, 5)
    service.wrong_credentials = True
    error = await failing(empty(drain))
    assert error.type == "Stopped"
    assert "InvalidCredentials" in str(error)
    assert await platform.states() == ["sent", "sent", "queued", "queued", "queued"]


async def test_a_notification_that_no_phone_takes_holds_up_no_other(
    platform, drain, service
) -> None:
    await platform.queue(1, body="x" * 5000)
    await platform.queue(2)
    await empty(drain)
    assert await platform.states() == ["failed", "sent"]
    [(kind, size)] = await platform.ask(
        "SELECT kind, bytes FROM push_receipts WHERE error = 'MessageTooBig'"
    )
    assert (kind, size > 5000) == ("news", True)


async def test_what_is_queued_while_it_drains_waits_for_the_next_time(
    platform, drain, service, monkeypatch
) -> None:
    await platform.queue(1)
    await platform.ask("UPDATE push_queue SET created_at = now() + interval '1 minute'")
    await empty(drain)
    assert await platform.states() == ["queued"]


# E-mail


@pytest.fixture
async def mail(database):
    async with SmtpStandIn(nobody=("user2@example.com",)) as server:
        smtp = Smtp(MailServer(host="127.0.0.1", sender="a@b.test", port=server.port,
                               security="none", seconds=1.0))  # fmt: skip
        yield server, PushMail(database, smtp, Targets())


async def write(pushes: PushMail, attempt: int = 1, most: int = 500):
    order = EmailUrgent(per_second=100, most=most)
    before = await run(pushes.email_urgent_read, order)
    return await run(pushes.email_urgent, order, before, attempt=attempt)


async def test_the_urgent_ones_go_by_email_and_leave_the_queue(platform, mail, drain) -> None:
    server, pushes = mail
    await platform.queue(1, 3, urgent=True)
    await platform.queue(4)
    done = await write(pushes)
    assert [each.recipients for each in server.mails] == [
        ("user1@example.com",),
        ("user3@example.com",),
    ]
    assert await platform.states() == ["emailed", "emailed", "queued"]
    assert done.said == "e-mailed 2 urgent notifications; they have left the queue"
    await empty(drain)
    assert await platform.states() == ["emailed", "emailed", "sent"]


async def test_whom_email_does_not_reach_is_pushed_later(platform, mail) -> None:
    server, pushes = mail
    await platform.queue(2, 3, urgent=True)
    await write(pushes)
    assert await platform.states() == ["queued", "emailed"]
    await write(pushes)
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("fault", "states"),
    [
        pytest.param(Fault("MAIL", "451 later"), ["queued", "queued"], id="4xx: both go back"),
        pytest.param(Fault(".", done=True), ["claimed", "queued"], id="lost: one may have arrived"),
    ],
)
async def test_a_letter_that_is_sent_again_is_recognised(platform, mail, fault, states) -> None:
    server, pushes = mail
    await platform.queue(1, 3, urgent=True)
    server.fail(fault)
    await failing(write(pushes))
    assert await platform.states() == states
    await write(pushes, attempt=2)
    assert await platform.states() == ["emailed", "emailed"]
    assert len({each.message_id for each in server.mails}) == 2


async def test_no_more_than_ordered_are_emailed(platform, mail) -> None:
    server, pushes = mail
    await platform.queue(*[1] * 25, urgent=True)
    await write(pushes, most=22)
    assert len(server.mails) == 22


async def test_without_a_mail_server_nothing_is_claimed(platform, database) -> None:
    await platform.queue(1, urgent=True)
    error = await failing(write(PushMail(database, None, Targets())))
    assert error.type == "NotConfigured"
    assert await platform.states() == ["queued"]


# Tokens

GONE = "DeviceNotRegistered"


@pytest.mark.parametrize(
    ("history", "dead"),
    [
        pytest.param([(GONE, "25 hours", "1 minute")], True, id="twice, a day apart"),
        pytest.param([(GONE, "23 hours", "1 minute")], False, id="twice within a day"),
        pytest.param([(GONE, "3 days")], False, id="once"),
        pytest.param(
            [(GONE, "3 days", "1 hour"), ("", "1 day")], False, id="it got something in between"
        ),
        pytest.param([("", "4 days"), (GONE, "3 days", "1 hour")], True, id="it had worked before"),
        pytest.param([(GONE, "99 days", "1 hour")], False, id="registered anew in between"),
        pytest.param([("MessageTooBig", "3 days", "1 hour")], False, id="another error"),
    ],
)
async def test_a_token_is_dead_that_said_so_twice_a_day_apart(
    platform, database, history, dead
) -> None:
    for error, *ages in history:
        await platform.said(7, error, *ages)
    found = await run(PushRecords(database).dead_tokens, Nothing())
    assert found.ids == ((7,) if dead else ())
    assert (found.total, found.dead) == (1000, int(dead))


async def test_those_that_said_so_once_are_counted_apart(platform, database) -> None:
    await platform.said(7, GONE, "25 hours", "1 minute")
    await platform.said(8, GONE, "1 minute")
    found = await run(PushRecords(database).dead_tokens, Nothing())
    assert (found.dead, found.once) == (1, 1)


async def test_what_was_named_is_removed_unless_it_is_alive_again(platform, database) -> None:
    for token in (5, 6, 7):
        await platform.said(token, GONE, "25 hours", "1 minute")
    order, tokens = RemoveTokens(ids=(5, 6)), PushTokens(database, Targets())
    before = await run(tokens.remove_tokens_read, order)
    await platform.ask("UPDATE push_tokens SET registered_at = now() WHERE id = 6")
    done = await run(tokens.remove_tokens, order, before)
    assert done.said == "removed 1 push tokens; 1 are alive again and stay"
    left = await platform.ask("SELECT id FROM push_tokens WHERE id IN (5, 6, 7) ORDER BY id")
    assert left == [(6,), (7,)]
    again = await run(tokens.remove_tokens, order, before, attempt=2)
    assert "removed 1" in again.said
    await platform.ask("UPDATE push_tokens SET registered_at = now() - interval '90 days'")


async def test_tokens_that_are_gone_are_no_order(platform, database) -> None:
    tokens = PushTokens(database, Targets())
    error = await failing(run(tokens.remove_tokens_read, RemoveTokens(ids=(3,))))
    assert error.type == "Refused"


async def test_receipts_are_counted_and_what_was_too_big_is_named(platform, database) -> None:
    await platform.said(1, "", "1 minute", "2 minutes", "3 hours")
    await platform.said(2, "MessageTooBig", "1 minute")
    await platform.ask("UPDATE push_receipts SET bytes = 5012 WHERE error = 'MessageTooBig'")
    got = await run(PushRecords(database).receipts, Lately())
    assert {each.error: each.count for each in got.by_error} == {"": 2, "MessageTooBig": 1}
    [big] = got.too_big
    assert (big.kind, big.bytes, big.count) == ("news", 5012, 1)


async def test_the_queue_is_counted(platform, database) -> None:
    empty_one = await run(PushRecords(database).queue, Nothing())
    assert (empty_one.waiting, empty_one.oldest_minutes) == (0, None)
    await platform.queue(1, 2)
    await platform.queue(3, urgent=True)
    await platform.queue(4, lives="-1 second")
    found = await run(PushRecords(database).queue, Nothing())
    assert (found.waiting, found.urgent, found.expired, found.unknown) == (3, 1, 1, 0)


# Behind a pooler


@pytest.mark.parametrize("says", [True, False], ids=["refuses options", "lets options fall"])
async def test_behind_a_pooler_it_writes_all_the_same_and_leaves_no_setting(
    postgres, platform, says
) -> None:
    settings = "SELECT name FROM pg_settings WHERE source = 'session'"
    await platform.queue(1, 2, 3)
    async with handing_on(postgres.server.port, says=says, database="pushes") as pooler:
        url = f"postgresql://postgres@127.0.0.1:{pooler.port}/pushes"
        async with Database(SecretStr(url)) as pooled:
            ledger = Ledger(pooled, "push:1")
            rows = await ledger.claim(2, datetime.now(UTC))
            await ledger.ticketed(
                [(rows[0], Ticket(id="t")), (rows[1], Ticket(error=GONE))],
                {row.id: 90 for row in rows},
            )
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
            left = {name for (name,) in await (await other.execute(settings)).fetchall()}
    assert await platform.states() == ["sent", "failed", "queued"]
    assert await platform.ask("SELECT token_id, error FROM push_receipts") == [(2, GONE)]
    assert not left & {"default_transaction_read_only", "statement_timeout", "lock_timeout"}
