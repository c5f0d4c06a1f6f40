"""Which buttons the root message has, by where the incident stands."""

from datetime import UTC, datetime

import pytest

from activities.blocks import render_glance
from activities.buttons import Target, decode
from activities.people import People
from activities.record import Phase, Record, Resolution
from activities.words import Severity
from tests.lifecycle.world import POLICY
from workflows.glance import glance
from workflows.offers import offered

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
STEPS = ["hold", "stop"]


def record(people: People | None = None, **more) -> Record:
    about = {
        "id": "APILatency-api-0123abcd", "run": "r1", "indicator": "APILatency", "service": "api",
        "opened_at": AT, "severity": Severity.CRITICAL, "phase": Phase.MITIGATING,
        "people": people or People(),
    }  # fmt: skip
    return Record(**about | more)


@pytest.mark.parametrize(
    ("seen", "actions"),
    [
        pytest.param(
            record(),
            ["acknowledge", *STEPS, "escalate", "take-over", "resolve"],
            id="all that can be done at first",
        ),
        pytest.param(
            record(People(acknowledged_by="dana")),
            [*STEPS, "escalate", "take-over", "resolve"],
            id="acknowledged",
        ),
        pytest.param(
            record(People(acknowledged_by="dana", renewal_asked=True)),
            ["acknowledge", *STEPS, "escalate", "take-over", "resolve"],
            id="the acknowledgement is to be renewed",
        ),
        pytest.param(
            record(People(acknowledged_by="dana", taken_over_by="dana")),
            ["escalate", "hand-back", "resolve"],
            id="taken over",
        ),
        pytest.param(
            record(phase=Phase.WATCHING),
            ["acknowledge", "escalate", "take-over", "resolve"],
            id="no step is left that could be held",
        ),
        pytest.param(
            record(People(level=2)),
            ["acknowledge", *STEPS, "take-over", "resolve"],
            id="nobody is left to be called",
        ),
        pytest.param(record(phase=Phase.RESOLVED), [], id="over"),
        pytest.param(
            record(resolution=Resolution(how="recovered", reason="", at=AT)),
            [],
            id="over, and the report is being written",
        ),
    ],
)
def test_the_root_offers_what_can_be_done_now(seen: Record, actions: list[str]) -> None:
    assert [str(button.action) for button in offered(seen, POLICY)] == actions


def test_every_button_names_its_run_and_escalate_the_level_that_was_reached() -> None:
    seen = record(People(level=1))

    targets = {button.action: decode(button.value) for button in offered(seen, POLICY)}

    assert targets.pop("escalate") == Target(seen.id, "r1", shown="1")
    assert set(targets.values()) == {Target(seen.id, "r1")}


def test_all_of_them_stand_on_the_root_with_the_countdown_to_what_comes_next() -> None:
    seen = record(next_action="scale to 5", next_action_at=AT)

    blocks = render_glance(glance(seen, POLICY, "key")).blocks

    [row] = [block for block in blocks if block["type"] == "actions"]
    assert [each["text"]["text"] for each in row["elements"]] == [
        "Acknowledge", "Hold 10 minutes", "Stop", "Escalate", "Take over", "Resolve…",
    ]  # fmt: skip
    assert f"scale to 5\n<!date^{int(AT.timestamp())}^{{time_secs}} ({{ago}})|03:00:00 UTC>" in str(
        [block.get("fields") for block in blocks]
    ).replace("\\n", "\n")
