"""SupabaseDown: users are kept away at once, alone, and only where both sides agree."""

import pytest

from activities.edge import Edge
from activities.postgres_findings import Finding
from activities.postgres_reach import Selected
from activities.record import Asks
from activities.status_pages import ProviderStatus
from activities.words import Mode, Risk, Severity
from tests.procedures.asking import activities, consult, plan, said, the
from workflows.policy import Policy, Verdict

PAGE, LETTER = "maintenance.on", "support.write"
ANSWERS = Selected(answered=True, took_seconds=0.01)


def down(finding: Finding = Finding.REFUSED, failures: int = 3) -> Selected:
    return Selected(answered=False, finding=finding, said="nobody there", failures=failures)


def status(state: str) -> ProviderStatus:
    return ProviderStatus(
        provider="supabase", state=state, said=f"Database: {state}", url="https://status.example"
    )


DOWN = {
    "from_worker": down(),
    "from_host": down(Finding.TIMEOUT),
    "status": status("outage"),
    "edge": Edge(on=False, share=1.0),
}


def supabase(given=None, **found):
    return plan("SupabaseDown", DOWN | found, **(given or {}))


def test_down_from_both_sides_closes_the_edge_alone_and_at_once_then_writes_to_support():
    planned = supabase()

    assert activities(planned) == [PAGE, LETTER]
    page = the(planned, PAGE)
    assert (page.risk, page.asks, page.undo) == (Risk.OUTAGE, Asks.NEVER, True)
    decided = Policy().decide(page, Severity.CRITICAL)
    assert decided is Verdict.ACT, "guarded, nobody is asked"
    assert Policy(mode=Mode.OBSERVE).decide(page, Severity.CRITICAL) is Verdict.NEVER
    assert planned.cause.startswith("OUTAGE: the database is unreachable")
    assert "ETA: waiting for Supabase to restore service" in planned.when_out


def test_the_page_always_ends_is_renewed_in_time_and_gives_users_back_by_shares():
    page = the(supabase(), PAGE)

    assert page.lasts_seconds == 1800
    assert page.renew_seconds * 2 < page.lasts_seconds, "one renewal may fail"
    assert page.order["lasts_seconds"] == page.lasts_seconds
    assert page.stages == [0.1, 0.5, 1.0]
    assert not page.mends, "nobody waits for the page to help"
    assert any("webhooks get 503" in line for line in page.details)


def test_behind_the_page_the_order_is_reached_whole_and_usable():
    behind = the(supabase(), PAGE).behind

    assert behind is not None
    assert [condition.checks for condition in behind.conditions] == [
        ("postgres.select", "host.database_ping"),
        ("postgres.assertions",),
        ("flows.all",),
    ]


def test_it_is_over_when_both_sides_answer_and_the_data_are_whole():
    facts = consult("SupabaseDown").facts

    assert facts.back_after_seconds == 300, "five minutes of it, and users are let in again"

    assert [each.checks for each in facts.condition.conditions] == [
        ("postgres.select", "host.database_ping"),
        ("postgres.assertions",),
    ]


@pytest.mark.parametrize("state", ["operational", "degraded", "unknown", "maintenance"])
def test_the_status_page_is_a_hint_and_no_reason(state):
    planned = supabase(status=status(state))

    assert activities(planned) == [PAGE, LETTER], "it lags behind, by many minutes"
    assert f"Supabase says: {state}" in said(planned)


def test_an_unread_status_page_changes_nothing_and_is_said():
    planned = supabase(status=None)

    assert activities(planned) == [PAGE, LETTER]
    assert "what Supabase says of itself: could not be read" in said(planned)


@pytest.mark.parametrize("side", ["from_worker", "from_host"])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ANSWERS, id="answers"),
        pytest.param(None, id="could not look"),
        pytest.param(down(failures=2), id="failed twice, and not three times"),
        pytest.param(down(Finding.WRONG_CREDENTIALS, 0), id="has wrong credentials"),
    ],
)
def test_one_side_alone_closes_nothing_without_a_person(side, other):
    planned = supabase(**{side: other})

    assert activities(planned) == [PAGE]
    assert the(planned, PAGE).asks is Asks.ALWAYS
    assert "not seen to be down from both sides" in planned.cause


@pytest.mark.parametrize(
    "finding",
    [f for f in Finding if f is not Finding.NONE and not f.means_down],
    ids=lambda f: f.value,
)
def test_another_refusal_than_an_outage_is_a_finding_of_its_own(finding):
    refused = down(finding, 0)

    planned = supabase(from_worker=refused, from_host=refused)

    assert activities(planned) == []
    assert f"from the worker: {finding}: nobody there" in planned.findings
    assert "are no outage" in planned.when_out


def test_no_look_at_all_is_neither_health_nor_an_outage():
    planned = supabase(from_worker=None, from_host=None, status=None)

    assert activities(planned) == []
    assert planned.cause == "whether the database answers could not be seen from either side"
    assert "Please look from both sides" in planned.when_out


def test_a_database_that_answers_both_sides_is_left_alone():
    planned = supabase(from_worker=ANSWERS, from_host=ANSWERS)

    assert activities(planned) == []
    assert "DATABASE_URL" in planned.when_out


def test_the_letter_says_what_was_seen_and_goes_out_once():
    letter = the(supabase(given={"supabase_project": "abcdefgh"}), LETTER)

    assert letter.order["provider"] == "supabase"
    assert "abcdefgh" in letter.order["subject"]
    assert "2026-11-23 03:00 UTC" in letter.order["body"]
    assert 'Your status page said "outage"' in letter.order["body"]
    assert (letter.risk, letter.once, letter.undo) == (Risk.REVERSIBLE, True, False)


def test_people_are_told_the_other_ways_to_support():
    assert "https://app.supabase.com" in said(supabase())
    assert "@supabase" in said(supabase())


def test_whoever_holds_the_page_already_is_named():
    held = Edge(on=True, share=0.0, holders=("APIErrorRate-api-1",))

    assert "the page is on already: APIErrorRate-api-1" in said(supabase(edge=held))
