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


def test_what_comes_from_outside_commands_no_terminal_and_is_no_markup():
    evil = "[bold]x[/bold] \x1b]0;owned\x07 \x1b[2J"

    said = shown(views.whole(records.hostile(evil)))

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[bold]x" in said
