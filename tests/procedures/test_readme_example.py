"""What the README says about adding a procedure, done as it is written there, in a copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from tests.procedures.test_promql import RUNBOOK

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SECTION = README.split("## Add a procedure")[1].split("\n## ")[0]
BLOCKS = {
    block.split(":", 1)[0].removeprefix("# "): block.split("\n", 1)[1]
    for block in re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
}
"""The code to write, by the file that it goes into."""
PROCEDURE = "workflows/procedures/transactions.py"
SITUATIONS = "workflows/situations/transactions.py"
PROMQL, WORDS, RULE = (f"workflows/{name}.py" for name in ("promql", "explanation", "rules"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the layer that the section changes, with the section followed."""
    folder = tmp_path_factory.mktemp("followed")
    shutil.copytree(ROOT / "workflows", folder / "workflows")
    for name in (PROCEDURE, SITUATIONS):
        (folder / name).write_text(f'"""By the README."""\n\n{BLOCKS[name]}')
    edit(folder / PROMQL, lambda text: text + BLOCKS[PROMQL])
    edit(folder / WORDS, lambda text: after(text, "\nMEASURED = {\n", BLOCKS[WORDS]))
    edit(folder / RULE, lambda text: before(text, "    )  # fmt: skip\n    return", BLOCKS[RULE]))
    importing = "from workflows.procedures.transactions import LongTransaction\n"
    edit(
        folder / "workflows/procedures/__init__.py",
        lambda text: before(
            after(text, "PROCEDURES: tuple[type[Procedure], ...] = (\n", "    LongTransaction,\n"),
            "\nPROCEDURES: ",
            importing,
        ),
    )
    edit(
        folder / "workflows/situations/__init__.py",
        lambda text: text.replace("    push,\n", "    push,\n    transactions,\n"),
    )
    return folder


def edit(file: Path, change) -> None:
    file.write_text(change(file.read_text()))


def after(text: str, place: str, entry: str) -> str:
    assert text.count(place) == 1, f"the README leads to {place!r}, which is not there"
    return text.replace(place, place + entry)


def before(text: str, place: str, entry: str) -> str:
    assert text.count(place) == 1, f"the README leads to {place!r}, which is not there"
    return text.replace(place, entry + place)


def ran(copy: Path, *arguments: str) -> str:
    """Run a module as the README does, with the copy in front."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_the_section_is_short_and_its_alert_is_none_of_the_runbook_s():
    [name] = re.findall(r"^class (\w+)\(Procedure\)", BLOCKS[PROCEDURE], re.MULTILINE)

    assert name not in RUNBOOK
    code = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    assert len("".join(code).splitlines()) < 60


def test_the_runbook_then_has_its_page_with_a_plan_for_each_situation(copy):
    page = ran(copy, "deploy.runbook").split("### LongTransaction: ")[1]

    assert "| **Fires** | after 2m of `max(pg_stat_activity_max_tx_duration" in page
    assert "| **Recovered when** | the oldest transaction is under 600 s |" in page
    holds, ended, blind = page.split("\n**A report holds on**")[1].split("\n**")[:3]
    assert "1. *asks first:* terminate 1 backend" in holds
    assert "pid 4242" in holds
    assert "- no step: Please look at" in ended
    assert blind.startswith("Nothing can be read**: who holds on cannot be seen.")
    assert "could not be read" in blind


def test_the_rules_then_have_its_alert_and_the_command_line_explains_it(copy):
    assert "- alert: LongTransaction\n" in ran(copy, "deploy.prometheus_rules")

    said = " ".join(ran(copy, "deploy.console", "explain", "LongTransaction").split())
    assert "A transaction of the database has been open for ten minutes." in said
    assert re.search(r"1\. asks first \([^)]*\): terminate 1 backend", said)


@pytest.mark.timeout(180)
def test_mypy_accepts_it(tmp_path):
    file = tmp_path / "readme.py"
    importing = "from workflows.procedures.transactions import LongTransaction\n"
    imports = "from workflows.rules import Rule\n"
    code = f"{BLOCKS[PROCEDURE]}\n{BLOCKS[SITUATIONS].replace(importing, '')}"
    rule = f"RULES = (\n{BLOCKS[RULE]})\n"
    text = imports + BLOCKS[PROMQL] + code + rule
    file.write_text(text.replace("promql.OLDEST_TRANSACTION", "OLDEST_TRANSACTION"))
    cache = str(ROOT / ".local" / "mypy-tried")

    said, wrong, _ = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", cache, str(file)]
    )

    assert not wrong
    assert [line for line in said.splitlines() if "readme.py" in line] == []
