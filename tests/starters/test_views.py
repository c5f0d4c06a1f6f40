import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from activities.verification import Sample
from starters import views
from tests import records

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def screen(width=100, height=40):
    return Console(file=io.StringIO(), width=width, height=height, highlight=False)


def shown(view, width=100):
    console = screen(width)
    console.print(view)
    return console.file.getvalue()


def sample(good, value=None):
    return Sample(at=NOW, good=good, value=value)


@pytest.mark.parametrize(
    ("taken", "drawn"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([(False, 8), (False, 4), (True, 1)], "█▄▁", id="falling"),
        pytest.param([(True, 2), (True, 2)], "▄▄", id="level"),
        pytest.param([(False, 8), (None, None), (True, 1)], "█·▁", id="a gap"),
        pytest.param([(False, None), (True, None)], "█▁", id="only whether it answers"),
    ],
)
def test_samples_are_drawn_one_character_each(taken, drawn):
    assert views.sparkline([sample(good, value) for good, value in taken]) == drawn


@pytest.mark.parametrize("width", [40, 100, 200])
def test_an_incident_is_shown_at_any_width(width):
    said = shown(views.live(records.restarted(), NOW, "no worker answers", screen(width)), width)

    assert "no worker answers" in said
    assert max(len(line) for line in said.splitlines()) <= width


def test_what_comes_from_outside_commands_no_terminal_and_is_no_markup():
    evil = "[bold]x[/bold] \x1b]0;owned\x07 \x1b[2J"

    said = shown(views.whole(records.hostile(evil)))

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[bold]x" in said


def test_what_is_asked_comes_first():
    record = records.taken_over()
    record.asks = "Approve or reject"

    lines = shown(views.live(record, NOW, "", screen())).splitlines()

    assert any("Approve or reject" in line for line in lines[:6])


def test_the_newest_of_the_past_is_on_the_screen_however_small_it_is():
    record = records.restarted()

    lines = shown(views.live(record, NOW, "", screen(height=30))).splitlines()

    assert len(lines) <= 30
    assert record.timeline[-1].text[:20] in lines[-1]
