"""What the README says about adding a procedure, done as it is written there."""

import ast
import re
from pathlib import Path

import pytest
from mypy import api

from tests.procedures.test_promql import RUNBOOK
from workflows import promql
from workflows.explanation import explained
from workflows.policy import Policy
from workflows.procedures.base import Given, Procedure

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SECTION = README.split("## Add a procedure")[1].split("\n## ")[0]
PROCEDURE, EXPRESSION, SITUATIONS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
IMPORTS = """
from activities.alerts import Alert
from activities.postgres_sessions import LongRunning, PostgresSessions, Sessions
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure
from workflows.procedures.sessions import MOST_NAMED, end, to_end
from workflows.rules import Rule
from workflows.situations.base import Situation, Situations
from workflows.situations.database import LEFT_OPEN, RUNNING
"""
_CONSTANT = re.search(r"^OLDEST_TRANSACTION = .*$", EXPRESSION, re.MULTILINE)[0]


@pytest.fixture
def done(monkeypatch) -> dict:
    said: dict = {}
    exec(_CONSTANT, said)  # noqa: S102 (the README's own)
    monkeypatch.setattr(promql, "OLDEST_TRANSACTION", said["OLDEST_TRANSACTION"], raising=False)
    exec(IMPORTS + PROCEDURE + EXPRESSION + SITUATIONS, said)  # noqa: S102
    return said


def test_the_section_is_short_and_its_alert_is_none_of_the_runbook_s():
    [name] = [it.name for it in ast.parse(PROCEDURE).body if isinstance(it, ast.ClassDef)]

    assert name not in RUNBOOK
    assert len((PROCEDURE + EXPRESSION + SITUATIONS).splitlines()) < 60


def test_the_procedure_of_the_readme_plans_and_is_explained(done, monkeypatch):
    procedure, these = done["LongTransaction"], done["TRANSACTIONS"]
    monkeypatch.setattr("workflows.explanation.SITUATIONS", (these,))
    monkeypatch.setattr("workflows.explanation.rules", lambda: (done["LONG_TRANSACTION"],))

    one = explained(procedure, Given(), Policy())

    assert issubclass(procedure, Procedure)
    assert [response.situation for response in one.responses][-1] == "Nothing can be read"
    holds, ended, blind = one.responses
    # The other session has held on for nine minutes alone.
    assert [act.activity for act in holds.acts] == ["postgres.terminate"]
    assert "pid 4242" in holds.acts[0].details[0]
    assert {act.decides for act in holds.acts} == {"asks first"}
    assert (ended.acts, blind.acts) == ((), ())
    assert "could not be read" in blind.findings[0]


@pytest.mark.timeout(180)
def test_mypy_accepts_it(tmp_path):
    file = tmp_path / "readme.py"
    constant = f"{_CONSTANT}\n"
    text = IMPORTS + constant + (PROCEDURE + EXPRESSION + SITUATIONS).replace(constant, "")
    file.write_text(text.replace("promql.OLDEST_TRANSACTION", "OLDEST_TRANSACTION"))
    cache = str(ROOT / ".local" / "mypy-tried")

    said, wrong, _ = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", cache, str(file)]
    )

    assert not wrong
    assert [line for line in said.splitlines() if "readme.py" in line] == []
