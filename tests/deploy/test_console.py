import subprocess
import sys
from importlib import import_module
from inspect import getdoc

import pytest

from deploy.console import _LOCAL

LOOK = """
import sys
PARTS = ("deploy.gameday.", "deploy.local.")
from typer.testing import CliRunner
from deploy.console import console
result = CliRunner().invoke(console(), sys.argv[1:])
print(result.exit_code, *(name for name in sys.modules if name.startswith(PARTS)))
"""


@pytest.mark.parametrize("words", [["--help"], ["list", "--help"], ["worker", "--help"]])
def test_commands_of_production_bring_in_no_game_day(words):
    said = subprocess.run(
        [sys.executable, "-c", LOOK, *words], capture_output=True, text=True, check=True
    ).stdout

    assert said.split() == ["0"]


@pytest.mark.parametrize("name", _LOCAL)
def test_the_list_of_commands_says_what_the_command_says_of_itself(name):
    module, shown = _LOCAL[name]

    assert getdoc(getattr(import_module(module), name)).splitlines()[0] == shown


@pytest.mark.parametrize(
    ("words", "option"), [(["up", "-h"], "--door-port"), (["demo", "--help"], "--pace")]
)
def test_what_runs_on_this_machine_has_its_own_options(words, option):
    said = subprocess.run(
        [sys.executable, "-m", "deploy.console", *words], capture_output=True, text=True, check=True
    ).stdout

    assert option in said
