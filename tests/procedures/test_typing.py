"""What mypy refuses: probes and steps are typed by the activities that they call."""

from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[2]
PREFIX = """
from activities.alerts import Alert
from activities.processes import App, ProcessManager, RollingRestart, Scale
from activities.redis import Redis
from activities.redis_keys import ScanBudget
from activities.words import Nothing, Risk
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, step


class Tried(Procedure):
    memory = Probe(Redis.memory, Nothing(), why="memory")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        memory = seen[self.memory]
"""
BODY = "        return Ladder('words')\n"
CASES = [
    pytest.param("", "", id="what is right is accepted"),
    pytest.param(
        "        step(ProcessManager.scale, App(), target='t', why='w', effect='e',"
        " risk=Risk.REVERSIBLE)\n",
        'Argument 1 to "step" has incompatible type',
        id="an order that the change does not take is refused",
    ),
    pytest.param(
        "        Probe(Redis.memory, ScanBudget(), why='memory')\n",
        'Cannot infer value of type parameter "Ask" of "Probe"',
        id="a question that the activity does not take is refused",
    ),
    pytest.param(
        "        print(memory.used_megabytes if memory else 0)\n",
        '"Memory" has no attribute "used_megabytes"',
        id="a field that the answer does not have is refused",
    ),
    pytest.param(
        "        print(memory.used_bytes)\n",
        'Item "None" of "Memory | None" has no attribute "used_bytes"',
        id="an answer that may be missing must be looked at first",
    ),
    pytest.param(
        "        print(memory.used_ratio > 0.9 if memory else 0)\n",
        "Unsupported operand types",
        id="a number that may be unknown is not compared",
    ),
]


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> dict[int, str]:
    """One run of mypy over all the snippets, for it is the start that costs."""
    folder = tmp_path_factory.mktemp("typed")
    for number, case in enumerate(CASES):
        (folder / f"tried_{number}.py").write_text(PREFIX + case.values[0] + BODY)
    files = [str(folder / f"tried_{number}.py") for number in range(len(CASES))]
    # A cache of its own: another mypy may be at work with the usual one.
    cache = str(ROOT / ".local" / "mypy-tried")
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", cache]
    said, wrong, _ = api.run([*config, "--no-error-summary", *files])
    assert not wrong
    return {
        number: "\n".join(line for line in said.splitlines() if f"tried_{number}.py" in line)
        for number in range(len(CASES))
    }


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("snippet", "expected"), CASES)
def test_mypy_holds_a_procedure_to_its_activities(checked, snippet, expected):
    said = checked[[case.values[0] for case in CASES].index(snippet)]

    assert expected in said
    assert bool(said) is bool(expected)
