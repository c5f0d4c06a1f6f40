"""A question within Slack's limits, however long its evidence, and never without its buttons."""

import json
import re
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as some

from activities.blocks import BUDGET, render_entry
from activities.buttons import Target, decode
from activities.people import Approval, Question
from activities.record import Record
from activities.words import Risk
from deploy.gameday.standins.slack_rules import stray, units, wrong_blocks
from tests.lifecycle.test_shown import mrkdwn
from tests.lifecycle.world import POLICY
from workflows.details import details
from workflows.proposal import entry

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
RUN = "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"
NAMES = some.sampled_from(["dana", "lee", "<!channel>", "robin " * 30])
text = some.one_of(
    some.text(max_size=60),
    some.text(alphabet="<>&|*_~`\"'\\!@#^\n\t 🚨é…", max_size=80),
    some.builds(
        lambda piece, times: piece * times,
        some.text(min_size=1, max_size=6),
        some.sampled_from([1, 400, 4_000, 20_000]),
    ),
)
lines = some.lists(text, max_size=12)
questions = some.builds(
    Question,
    id=some.text("0123456789abcdef", min_size=12, max_size=12),
    shown=some.text("0123456789abcdef", min_size=16, max_size=16),
    step=text,
    text=text,
    why=text,
    details=lines,
    orders=lines,
    targets=lines,
    undo=text,
    evidence=lines,
    risk=some.sampled_from(Risk),
    asked_at=some.just(AT),
    next_level_at=some.just(AT),
    expires_at=some.just(AT + timedelta(minutes=10)),
    asked_level=some.just("on-call"),
    answer=some.sampled_from(["", "approved", "rejected", "expired", "void"]),
    ended=text,
    ended_at=some.none() | some.just(AT),
    needed=some.sampled_from([1, 2]),
    approvals=some.lists(some.builds(Approval, by=NAMES, at=some.just(AT)), max_size=1),
)


def record() -> Record:
    return Record(
        id=f"{'Indicator' * 6}-{'service' * 9}-0123abcd", run=RUN, indicator="Indicator",
        service="service", opened_at=AT,
    )  # fmt: skip


def buttons(blocks: list[dict]) -> list[dict]:
    return [each for block in blocks if block["type"] == "actions" for each in block["elements"]]


@settings(max_examples=100, deadline=None)
@given(questions)
def test_every_question_is_taken_by_slack_with_its_buttons_or_decided_without(
    question: Question,
) -> None:
    seen = record()

    rendered = render_entry(entry(question, seen, POLICY, "key"))

    assert wrong_blocks(rendered.blocks) is None
    assert units(json.dumps(rendered.blocks, ensure_ascii=False)) <= BUDGET
    assert [said for read in mrkdwn(rendered.blocks) for said in stray(read)] == []
    offered = [decode(each["value"]) for each in buttons(rendered.blocks)]
    target = Target(seen.id, RUN, question.id, question.shown)
    assert offered == ([] if question.answer else [target, target])


@settings(max_examples=60, deadline=None)
@given(questions)
def test_the_page_in_the_temporal_ui_stays_short_and_harmless(question: Question) -> None:
    seen = record()
    seen.question = question

    page = details(seen, POLICY)

    assert len(page) < 30_000
    assert "<" not in re.sub(r"`[^`\n]+`", "", page)
