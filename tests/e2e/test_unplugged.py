"""What a response says and does while something that it needs is away, and when it is back."""

import contextlib
import os
import signal

import psycopg
import pytest

from activities.record import Phase, StepState
from deploy.gameday.database import DATABASE
from deploy.gameday.standins.faults import outage
from tests.e2e.killing import stopped_session
from tests.e2e.responding import Incident
from tests.gameday.watching import ordered, until
from workflows.acts import ActKind

pytestmark = pytest.mark.timeout(180)


def told(record):
    """Everything that the timeline tells, in one text."""
    return "\n".join(f"{entry.kind}: {entry.text}" for entry in record.timeline)


async def test_slack_is_away_until_it_is_over_and_then_hears_everything_once(day):
    async with Incident(day, await day.stack.client(), "redis") as incident:
        await day.slack.stop()
        try:
            await incident.breaks()
            await incident.opens()
            await incident.stands(Phase.RESOLVED)
            assert incident.messages() == []
        finally:
            await day.slack.start()
        record = await incident.ends()

        async def heard():
            said = " ".join(message.text for message in incident.messages())
            return [part for part in ("RESOLVED", "Over: recovered") if part not in said]

        await until(heard, within=60)
        assert await incident.wrong() == []
        assert record.resolution.how == "recovered"


async def test_pagerduty_fails_for_a_while_and_nobody_waits_for_it(day):
    async with Incident(day, await day.stack.client(), "redis") as incident:
        day.pagerduty.fail(outage(500, times=4))
        await incident.breaks()
        await incident.opens()
        record = await incident.ends()

        assert day.pagerduty.faults.coming == []
        assert await incident.wrong() == []
        [first, *_] = incident.pages()
        assert record.paged_at < first.opened_at, "the phone was not behind PagerDuty"
        assert record.ladder[0].started_at < first.opened_at


async def test_without_prometheus_nothing_is_called_recovered(day):
    prometheus = day.platform._prometheus
    async with Incident(day, await day.stack.client(), "connections") as incident:
        await incident.breaks()
        await incident.opens()
        await incident.reaches(Phase.ASKING)
        async with stopped_session(day.platform):
            incident.may_approve.set()
            await incident.reaches(Phase.MITIGATING)
            await prometheus.kill()
        try:
            record = await incident.stands(Phase.WATCHING)
            assert record.mitigated_at is None
            assert "whether it helped cannot be seen: no data" in record.asks
            assert "Please take it from here: whether it helped cannot be seen" in " ".join(
                message.text for message in await said(incident, "Please take it from here")
            )
            assert any("whether it helped" in page.summary for page in await paged(incident, 2))
        finally:
            await prometheus.start()
        record = await incident.ends()
        assert record.watches[0].outcome == "unknown"
        cancelled, terminated = record.ladder
        assert (cancelled.state, terminated.state) == (StepState.UNCERTAIN, StepState.PLANNED)


async def test_without_alertmanager_the_alerts_are_judged_by_their_expressions(day):
    alertmanager = day.platform._alertmanager
    async with Incident(day, await day.stack.client(), "redis") as incident:
        await incident.breaks()
        await incident.opens()
        await alertmanager.kill()
        try:
            record = await incident.ends()
        finally:
            await alertmanager.start()
        assert await incident.wrong() == []
        assert "Alertmanager could not be asked about the alerts" in told(record)
        assert "its expression is no longer true" in told(record)


@pytest.mark.crash_full  # people are told after a minute: the host is asked four times, 10 s each
async def test_a_host_that_does_not_answer_is_left_alone_and_people_are_told(day):
    async with Incident(day, await day.stack.client(), "redis") as incident:
        await incident.breaks()
        os.kill(day.platform._host.pid, signal.SIGSTOP)
        try:
            await incident.opens()
            record = await incident.stands(Phase.WATCHING, within=150)
            assert "PING from the API host: could not be read" in told(record)
            assert "Redis is not seen to be down from both sides" in record.cause
            assert "127.0.0.1 did not let us in within 10 s" in told(record)
            assert "Please take it from here" in record.asks
        finally:
            os.kill(day.platform._host.pid, signal.SIGCONT)
        assert incident.changes() == []
        await ordered(day.platform, "sudo -n systemctl restart redis")
        await incident.ends()


async def test_a_blind_role_ends_nothing_and_says_what_it_lacks(day):
    async with Incident(day, await day.stack.client(), "connections") as incident:
        async with blind(day.platform):
            await incident.breaks()
            await incident.opens()
            record = await incident.stands(Phase.WATCHING)
            assert "who holds on to them cannot be seen" in record.cause
            lacks = "our role may not see other sessions: GRANT pg_read_all_stats to it"
            assert lacks in record.findings
        await day.platform.plug_leak()
        await incident.does(ActKind.RESOLVE, "the report was ended by hand")
        record = await incident.ends(how="resolved by a person")
        assert record.steps == []


@contextlib.asynccontextmanager
async def blind(platform):
    """Take from the responder's role what it sees other roles' sessions by."""
    rights = "pg_monitor, pg_read_all_data"
    await admits(platform, f"REVOKE {rights} FROM responder")
    try:
        yield
    finally:
        await admits(platform, f"GRANT {rights} TO responder")


async def admits(platform, statement):
    # Connected for a moment only: the leak leaves no session to spare.
    admin = await psycopg.AsyncConnection.connect(platform._database.dsn(DATABASE), autocommit=True)
    async with admin:
        await admin.execute(statement)


async def said(incident, text):
    async def missing():
        return [] if any(text in it.text for it in incident.messages()) else [text]

    await until(missing)
    return incident.messages()


async def paged(incident, times):
    async def missing():
        return [] if len(incident.pages()) >= times else incident.pages()

    await until(missing)
    return incident.pages()
