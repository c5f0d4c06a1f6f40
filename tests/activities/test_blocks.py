from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from activities.blocks import BUDGET, render_entry, render_glance
from activities.messages import (
    Button,
    Entry,
    Fact,
    Glance,
    Link,
    Part,
    PlanLine,
    PlanState,
    fitted,
)
from activities.words import Severity
from deploy.gameday.standins.slack_rules import stray, units, wrong_blocks

BEGAN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
GLANCE = Glance(
    key="HighErrorRate-api-1/run/root",
    channel="incidents",
    severity=Severity.CRITICAL,
    title="API experiencing high error rates",
    service="api",
    environment="production",
    impact="All users see errors when loading the dashboard",
    status="Error rate at 45 %, since 5 minutes, after a deployment",
)

# Anything that a label, an annotation or a log line may hold; often long, often full of markup.
text = some.one_of(
    some.text(max_size=60),
    some.text(alphabet="<>&|*_~`\"'\\!@#^\n\t 🚨é…", max_size=80),
    some.builds(
        lambda piece, times: piece * times,
        some.text(min_size=1, max_size=6),
        some.sampled_from([1, 400, 4_000, 20_000]),
    ),
)
urls = some.one_of(
    text, some.builds(lambda path: f"https://example.com/{path}", some.text(max_size=500))
)
moments = some.none() | some.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
facts = some.lists(some.builds(Fact, label=text, value=text), max_size=14).map(tuple)
links = some.lists(some.builds(Link, text=text, url=urls), max_size=14).map(tuple)
buttons = some.lists(
    some.builds(
        Button,
        action=some.text(alphabet="ab_", max_size=120),
        text=text,
        value=some.text(max_size=300),
        style=some.sampled_from(["default", "primary", "danger"]),
        confirm=text,
    ),
    max_size=9,
    unique_by=lambda button: button.action,
).map(tuple)
lines = some.lists(
    some.builds(PlanLine, state=some.sampled_from(PlanState), text=text), max_size=30
).map(tuple)
glances = some.builds(
    Glance,
    key=text,
    channel=some.just("incidents"),
    severity=some.sampled_from(Severity),
    title=text,
    service=text,
    environment=text,
    impact=text,
    status=text,
    actions=lines,
    eta=text,
    next_update_at=moments,
    next_action=text,
    next_action_at=moments,
    asks=text,
    acknowledged_by=text,
    facts=facts,
    commands=some.lists(text, max_size=12).map(tuple),
    links=links,
    buttons=buttons,
    over=some.booleans(),
    updates=text,
)
entries = some.builds(
    Entry,
    key=text,
    title=text,
    parts=some.lists(
        some.builds(Part, text=text, kind=some.sampled_from(["text", "code"])), max_size=16
    ).map(tuple),
    facts=facts,
    links=links,
    buttons=buttons,
    mention=text,
    broadcast=some.booleans(),
)


def marked_up(blocks: list[dict[str, Any]]) -> list[str]:
    """List the texts that Slack reads as mrkdwn."""
    found: list[str] = []
    for block in blocks:
        texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        found += [each["text"] for each in texts if each and each.get("type") == "mrkdwn"]
    return found


def assert_slack_takes(rendered: Any) -> None:
    assert wrong_blocks(rendered.blocks) is None
    assert units(json.dumps(rendered.blocks, ensure_ascii=False)) <= BUDGET
    assert 0 < units(rendered.text) <= 4_000
    for said in [rendered.text, *marked_up(rendered.blocks)]:
        assert stray(said) == []


@settings(max_examples=150, deadline=None)
@given(glances)
def test_every_glance_is_within_slacks_limits(glance: Glance) -> None:
    assert_slack_takes(render_glance(glance))


@settings(max_examples=150, deadline=None)
@given(entries)
def test_every_entry_is_within_slacks_limits(entry: Entry) -> None:
    assert_slack_takes(render_entry(entry))


@pytest.mark.parametrize("piece", ["a", "&", "<", '"', "\\", "🚨", "\n", "\x00", "`", "*", "a b"])
def test_the_longest_messages_are_within_slacks_limits(piece: str) -> None:
    long = piece * 20_000
    fact, link = Fact(label=long, value=long), Link(text=long, url=f"https://e.org/{piece * 390}")
    offered = tuple(
        Button(action=f"act-{n}", text=long, value='"' * 250, confirm=long) for n in range(9)
    )
    said = {name: long for name, field in Glance.model_fields.items() if field.annotation is str}
    glance = GLANCE.model_copy(
        update=said
        | {
            "actions": (PlanLine(state=PlanState.NEXT, text=long),) * 40,
            "next_update_at": BEGAN,
            "next_action_at": BEGAN,
            "facts": (fact,) * 20,
            "commands": (long,) * 20,
            "links": (link,) * 20,
            "buttons": offered,
        }
    )
    assert_slack_takes(render_glance(glance))
    code, words = Part(text=long, kind="code"), Part(text=long)
    parts = (words, code) * 10
    entry = Entry(
        key=long, title=long, parts=parts, facts=(fact,) * 20, links=(link,) * 20, buttons=offered
    )
    assert_slack_takes(render_entry(entry))


def test_long_evidence_is_cut_and_says_so() -> None:
    log = "\n".join(f"{n} ERROR <upstream> & timed out" for n in range(2_000))
    rendered = render_entry(Entry(key="k", title="Log", parts=(Part(text=log, kind="code"),)))
    shown = json.dumps(rendered.blocks)
    assert "0 ERROR &lt;upstream&gt; &amp; timed out" in shown
    assert f"the beginning of {len(log)} characters" in shown
    assert units(shown) > BUDGET / 2


def test_the_plan_is_shown_around_what_is_being_done() -> None:
    states = [PlanState.DONE] * 20 + [PlanState.DOING] + [PlanState.NEXT] * 20
    plan = tuple(PlanLine(state=state, text=f"step {n}") for n, state in enumerate(states))
    shown = json.dumps(render_glance(GLANCE.model_copy(update={"actions": plan})).blocks)
    assert "step 20" in shown
    assert "14 earlier" in shown
    assert "15 more" in shown
    assert "step 1 " not in shown


def test_what_the_runbook_asks_for_is_in_its_order() -> None:
    at = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
    glance = GLANCE.model_copy(
        update={"eta": "5 to 10 minutes", "next_update_at": at, "updates": "every 5 minutes"}
    )
    shown = json.dumps(render_glance(glance).blocks, ensure_ascii=False)
    words = ["🚨 CRITICAL", "*Impact:*", "*Status:*", "*Actions:*", "*ETA*", "*Next update*"]
    places = [shown.index(word) for word in [*words, "Updates: every 5 minutes"]]
    assert places == sorted(places)
    assert "2026-11-23 03:15 UTC" in shown


def test_a_key_too_long_keeps_telling_messages_apart() -> None:
    long = "k" * 300
    assert fitted(long) == fitted(long)
    assert len({fitted(long + end) for end in "abc"}) == 3
    assert len(fitted(long)) == 255
    assert fitted("short") == "short"
