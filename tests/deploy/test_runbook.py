import re
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

from deploy.runbook import CHAPTERS, runbook
from workflows.procedures import PROCEDURES
from workflows.rules import rules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def test_the_page_is_what_the_procedures_say_today():
    assert PAGE.read_text() == runbook(), (
        "docs/runbook.md is not what the procedures say. Write it anew:\n"
        "  python -m deploy.runbook > docs/runbook.md"
    )


def test_it_is_written_by_a_command():
    said = subprocess.run(
        [sys.executable, "-m", "deploy.runbook"],
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said == runbook()


def test_rules_procedures_and_page_name_the_same_alerts_in_the_same_order():
    headings = re.findall(r"^### (\w+): ", runbook(), re.MULTILINE)

    assert headings == [rule.alert for rule in rules()]
    assert headings == [procedure.__name__ for procedure in PROCEDURES]
    assert headings[:21] == [alert for alerts in CHAPTERS.values() for alert in alerts]


def test_every_link_of_a_rule_has_a_place_on_the_page_to_lead_to():
    places = re.findall(r'<a id="([^"]+)"></a>', runbook())

    assert places == [rule.section for rule in rules()]
    assert set(re.findall(r"\]\(#([^)]+)\)", runbook())) == set(places)


def test_the_page_is_markdown_that_shows_text_as_it_is():
    tokens = MarkdownIt("commonmark").enable("table").parse(runbook())
    html = [token.content for token in tokens if token.type == "html_block"]
    tables = [token for token in tokens if token.type == "table_open"]

    assert all(re.fullmatch(r'(<a id="[^"]+"></a>|<!--.*-->)\n?', text) for text in html)
    assert len(tables) == 2 + len(PROCEDURES)
    assert "SELECT \\* FROM" in runbook()


def test_who_hears_of_it_is_said_once_for_each_severity():
    head = runbook().split("\n## ")[0]

    for severity, said in (("critical", "paged at once"), ("warning", "low urgency"),
                           ("info", "nobody is paged")):  # fmt: skip
        [row] = re.findall(rf"^\| {severity} \|.*", head, re.MULTILINE)
        assert said in row


def test_each_alert_says_what_a_person_needs_at_night():
    for part in runbook().split("\n### ")[1:]:
        name = part.split(":")[0]
        for words in ("**Severity**", "**Impact**", "**Fires**", "**Recovered when**",
                      "**It looks at**", "**It decides**", "**By hand:**"):  # fmt: skip
            assert words in part, f"{name}: no {words}"
        assert re.search(r"^(1\. \*(by itself|asks first):\*|- no step:)", part, re.MULTILINE)
