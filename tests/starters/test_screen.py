import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from rich.text import Text

from activities.people import Clocks, People
from activities.record import Phase
from activities.verification import Sample
from starters import screen
from starters.charting import chart
from tests import records
from tests.starters.test_keys import asking

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def terminal(width=100, height=40):
    return Console(file=io.StringIO(), width=width, height=height, highlight=False)


def shown(view, width=100):
    console = terminal(width)
    console.print(view)
    return console.file.getvalue()


def good(value):
    return Sample(at=NOW, good=True, value=value)


def bad(value):
    return Sample(at=NOW, good=False, value=value)


def unread():
    return Sample(at=NOW, good=None)


def test_a_chart_shows_what_is_above_the_threshold_and_what_could_not_be_read():
    taken = [bad(2.0), bad(1.0), unread(), good(0.25)]

    lines = chart(taken, 1.0, "s").plain.splitlines()

    assert lines == [
        "  2 s ┤█   ",
        "  1 s ┤█┄┄┄",
        "      │██  ",
        "      │██·▄",
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="nothing yet"),
        pytest.param([0.0, 0.0], id="all nought"),
        pytest.param([-5.0, 3.0], id="below nought"),
        pytest.param([1e300, 1e-300], id="any size"),
    ],
)
def test_a_chart_has_four_rows_whatever_is_measured(values):
    drawn = chart([good(value) for value in values], 0.5, "s").plain

    assert len(drawn.splitlines()) == 4


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("height", [24, 40])
def test_the_screen_holds_it_at_any_size(width, height):
    record = records.restarted()
    record.phase, record.question = Phase.ASKING, asking()
    foot = Text("[y] approve")
    console = terminal(width, height)

    console.print(screen.live(record, NOW, "no worker answers", console, foot))

    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) <= height
    assert lines[-1].startswith("[y] approve")
    assert any("no worker answers" in line for line in lines)


def test_each_clock_counts_down_the_nearest_first():
    record = records.bare(
        people=People(hold_until=NOW + timedelta(seconds=90)),
        clocks=Clocks(
            escalate_at=NOW + timedelta(seconds=61),
            update_at=NOW + timedelta(hours=2, seconds=3),
            urgent_at=NOW - timedelta(seconds=1),
        ),
    )

    line = " ".join(shown(screen.clocks(record, NOW)).split())

    assert line == (
        "next: the next level is called in 1:01 the hold ends in 1:30 the next update in 2:00:03"
    )


def test_the_open_question_shows_its_exact_effect_and_when_it_means_no():
    asked = asking()
    asked.orders = ["processes.restart pravado-api"]
    asked.details = ["5 instances, one at a time"]
    asked.undo = "nothing to undo"
    asked.needed = 2
    record = records.bare(question=asked, phase=Phase.ASKING)

    said = shown(screen.question(record, asked.expires_at - timedelta(seconds=65)))

    for text in (
        "Restart the 5 API instances, one at a time?  [disruptive]",
        "5 instances, one at a time",
        "processes.restart pravado-api",
        "undo: nothing to undo",
        "2 people must approve; so far: nobody yet",
        "no answer within 1:05 means no",
    ):
        assert text in said


def test_what_comes_from_outside_commands_no_terminal():
    evil = "[bold]x[/bold] \x1b]0;owned\x07 \x1b[2J"
    record = records.hostile(evil)
    record.phase, record.resolution = Phase.ASKING, None
    record.question = asking()
    record.question.text = record.question.why = record.next_action = evil
    record.question.details = record.question.orders = [evil]

    said = shown(screen.live(record, NOW, evil, terminal()))

    assert "\x1b" not in said
    assert "\x07" not in said


def test_without_keys_the_exact_commands_are_shown():
    record = records.bare(question=asking(), phase=Phase.ASKING)

    said = shown(screen.live(record, NOW, "", terminal()))

    assert f"responder approve {record.id} --question q-1" in said


def test_the_newest_of_the_past_is_on_the_screen_however_small_it_is():
    record = records.restarted()

    lines = shown(screen.live(record, NOW, "", terminal(height=30))).splitlines()

    assert record.timeline[-1].text[:20] in lines[-1]


def test_what_is_asked_comes_first():
    record = records.taken_over()
    record.asks = "Approve or reject"

    lines = shown(screen.live(record, NOW, "", terminal())).splitlines()

    assert any("Approve or reject" in line for line in lines[:6])
