"""What people see of a record: the Slack root, and the page in the Temporal UI."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.blocks import render_glance
from activities.outbox import Unsent
from activities.people import People, Question
from activities.record import AlertState, Phase, PlannedStep, Reading, Record, StepState
from activities.words import Risk, Severity
from tests.lifecycle.world import POLICY, alert
from tests.procedures.asking import consult
from workflows.details import details, literal
from workflows.glance import facts, glance, page_order

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script> [click](http://evil) ![i](x) **b** `c` | d\n# e\r\n- f",
    "x" * 100_000,
    "\u202e\u0000\ud7ff",
    "@here <!channel> <@U123>",
    "",
)


def record(**more) -> Record:
    first = alert("HighAPILatency", severity="warning", service="api")
    state = AlertState(alert=first, firing=True, first_seen=AT)
    about = {
        "id": "APILatency-api-0123abcd", "run": "r1", "indicator": "APILatency",
        "service": "api", "opened_at": AT, "severity": Severity.WARNING,
        "alerts": {"a": state},
    }  # fmt: skip
    return Record(**about | more)


def shown(seen: Record) -> dict[str, str]:
    return {fact.label: fact.value for fact in facts(seen, POLICY)}


@pytest.mark.parametrize(
    ("readings", "label", "value"),
    [
        pytest.param(
            [Reading(key="failing", why="", answer={"value": 0.1234})],
            "requests failing",
            "12.3%",
            id="the share of requests failing",
        ),
        pytest.param(
            [Reading(key="failing", why="", answer={"value": None})],
            "requests failing",
            "no data",
            id="no data is no share",
        ),
        pytest.param([], "requests failing", None, id="no probe has looked"),
        pytest.param(
            [
                Reading(
                    key="deployment",
                    why="",
                    answer={
                        "last": [{"release": "r7", "author": "sam"}],
                        "newest_minutes_ago": 20,
                    },
                )
            ],
            "last deployment",
            "r7 by sam, 20 minutes ago",
            id="the last deployment and its author",
        ),
        pytest.param(
            [Reading(key="deployment", why="", answer={"last": []})],
            "last deployment",
            "none known",
            id="no deployment",
        ),
        pytest.param(
            [Reading(key="deployment", why="", failed="no answer")],
            "last deployment",
            "could not be read",
            id="deployments that could not be read are not none",
        ),
        pytest.param(
            [Reading(key="deployment", why="", answer={"last": ["?"]})],
            "last deployment",
            "none known",
            id="an answer of another shape",
        ),
    ],
)
def test_the_root_says_what_matters_where_it_is_known(readings, label, value) -> None:
    assert shown(record(readings=readings)).get(label) == value


@pytest.mark.parametrize(
    ("people", "paged", "said"),
    [
        pytest.param(People(), None, "nobody has acknowledged", id="nobody was called yet"),
        pytest.param(
            People(level=1),
            AT,
            "nobody has acknowledged (called: on-call, engineering-lead)",
            id="two levels were called",
        ),
        pytest.param(
            People(acknowledged_by="dana", acknowledged_at=AT),
            AT,
            "dana since 03:00:00 UTC (called: on-call)",
            id="somebody has acknowledged",
        ),
        pytest.param(
            People(acknowledged_by="dana", taken_over_by="lee"),
            AT,
            "lee has taken over (called: on-call)",
            id="somebody has taken over",
        ),
    ],
)
def test_the_root_says_who_is_awake(people, paged, said) -> None:
    assert shown(record(people=people, paged_at=paged))["who is awake"] == said


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_words_from_outside_do_no_harm_wherever_they_stand(text) -> None:
    first = alert("HighAPILatency", severity="warning", service="api")
    hostile = first.model_copy(
        update={
            "labels": {**first.labels, "instance": text},
            "annotations": {"description": text},
            "name": text[:200] or "HighAPILatency",
        }
    )
    step = PlannedStep(
        key="k", activity="a", order={}, target=text, why=text, effect=text, said=text,
        details=[text], risk=Risk.OUTAGE, state=StepState.FAILED,
    )  # fmt: skip
    question = Question(
        id="q", step="k", text=text, details=[text], risk=Risk.OUTAGE, asked_at=AT,
        next_level_at=AT, expires_at=AT + timedelta(minutes=5), asked_level="on-call",
    )  # fmt: skip
    seen = record(
        service=text, cause=text, asks=text, findings=[text] * 3, ladder=[step] * 3,
        question=question, next_action=text, phase=Phase.ASKING,
        alerts={"a": AlertState(alert=hostile, firing=True, first_seen=AT)},
        people=People(acknowledged_by=text, taken_over_by=text),
    )  # fmt: skip

    page = details(seen, POLICY)
    rendered = render_glance(glance(seen, POLICY, "key"))

    assert len(page) < 20_000
    assert "<" not in page
    assert not re.search(r"(?<!\\)\$", page), "a formula of theirs"
    assert not re.search(r"(?<!\\)\]\(", page), "a link of theirs"
    parsed = "\n".join(mrkdwn(rendered.blocks))
    assert "<script" not in parsed
    assert "<!channel>" not in parsed
    assert "<@U123>" not in parsed


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("VALUES ($1, $2)", r"VALUES (\$1, \$2)", id="no formula between dollars"),
        pytest.param("more than <5 & rising", "more than &#60;5 & rising", id="no tag, no entity"),
        pytest.param("say --why", r"say \-\-why", id="two hyphens stay two hyphens"),
        pytest.param("a\n# b", r"a \# b", id="one line, no heading"),
        pytest.param("x" * 401, "x" * 400 + "…", id="what is cut says so"),
    ],
)
def test_words_from_outside_are_shown_as_they_are(text, written) -> None:
    assert literal(text) == written


def test_when_it_is_over_the_root_says_what_did_not_help_and_what_was_not_needed() -> None:
    tried = {"activity": "a", "order": {}, "target": "t", "why": "w", "risk": Risk.REVERSIBLE}
    ladder = [
        PlannedStep(key="1", effect="cancel", said="1 gone", state=StepState.UNHELPFUL, **tried),
        PlannedStep(key="2", effect="restart", said="done", state=StepState.HELPED, **tried),
        PlannedStep(key="3", effect="scale", **tried),
    ]

    during = glance(record(ladder=ladder, phase=Phase.SETTLING), POLICY, "key").actions
    over = glance(record(ladder=ladder, phase=Phase.RESOLVED), POLICY, "key").actions

    assert [each.text for each in over] == [
        "cancel — 1 gone (did not help)", "restart — done", "scale — not needed",
    ]  # fmt: skip
    assert [each.state for each in over] == ["failed", "done", "skipped"]
    assert during[2].text == "scale"
    assert during[2].state == "next"


def mrkdwn(block: Any) -> Iterator[str]:
    """Every text in which Slack looks for links and mentions."""
    if isinstance(block, dict):
        if block.get("type") == "mrkdwn":
            yield block["text"]
        block = list(block.values())
    if isinstance(block, list):
        for each in block:
            yield from mrkdwn(each)


DATADOG = "https://app.datadoghq.com/apm/services/{service}?env={environment}"


def test_the_root_and_the_page_lead_to_the_dashboards_of_what_it_is_about() -> None:
    told = consult("HighAPILatency", datadog=DATADOG).facts
    seen = record(facts=told, environment="a b&admin=1", report=["https://reports.test/r.md"])
    policy = POLICY.model_copy(update={"links": {"Grafana": "https://grafana.test/d/{service}"}})
    page = Unsent(key="k", kind="page", queued_at=AT, payload={
        "level": "on-call", "urgency": "high", "why": "nobody answers"})  # fmt: skip

    for shown_links in (glance(seen, policy, "key").links, page_order(seen, policy, page).links):
        assert {link.text: link.url for link in shown_links if link.text != "Progress"} == {
            "Report": "https://reports.test/r.md",
            "Datadog": "https://app.datadoghq.com/apm/services/api?env=a%20b%26admin%3D1",
            "Supabase": "https://app.supabase.com",
            "Grafana": "https://grafana.test/d/api",
        }


def test_the_page_asks_first_and_ends_with_the_exact_commands() -> None:
    question = Question(
        id="q", step="k", text="scale", details=["pid 7"], risk=Risk.OUTAGE, asked_at=AT,
        next_level_at=AT, expires_at=AT, asked_level="on-call",
    )  # fmt: skip
    page = details(record(asks="May I? scale (outage)", question=question), POLICY)

    assert page.startswith("### May I? scale (outage)\n\n- pid 7\n")
    assert "responder approve APILatency-api-0123abcd" in page.split("#### Commands")[1]
    quiet = details(record(), POLICY)
    assert quiet.startswith("### Nothing is needed from you")
