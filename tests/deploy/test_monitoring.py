import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.local import programs
from deploy.prometheus_rules import rules_yaml
from workflows.rules import rules

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"


def run(*command) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=programs.working_folder(Path(command[0])),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_that_are_deployed_are_those_of_the_code():
    assert (PROMETHEUS / "rules.yml").read_text() == rules_yaml(), (
        "deploy/prometheus/rules.yml is not what workflows/promql.py says. Write it anew:\n"
        "  python -m deploy.prometheus_rules > deploy/prometheus/rules.yml"
    )


def test_each_rule_fires_and_stays_quiet_as_its_cases_say():
    run(programs.promtool(), "test", "rules", PROMETHEUS / "rules_test.yml")

    tested = (PROMETHEUS / "rules_test.yml").read_text()
    assert all(f"alertname: {rule.alert}" in tested for rule in rules())


@pytest.mark.parametrize(
    ("window", "hold"),
    [
        pytest.param("5m", None, id="as deployed"),
        pytest.param("10s", "2s", id="as on a game day"),
    ],
)
def test_promtool_accepts_the_rules(window, hold, tmp_path):
    written = tmp_path / "rules.yml"
    written.write_text(rules_yaml(window, hold, runbook="https://runbook.example.com/"))

    assert "3 rules found" in run(programs.promtool(), "check", "rules", written)

    [group] = yaml.safe_load(written.read_text())["groups"]
    assert {rule["for"] for rule in group["rules"]} == ({"2s"} if hold else {"5m", "30s", "2m"})
    assert all(
        rule["annotations"]["runbook_url"].startswith("https://runbook.example.com/#")
        for rule in group["rules"]
    )


def test_amtool_accepts_the_configuration():
    assert "SUCCESS" in run(programs.amtool(), "check-config", ALERTMANAGER)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_every_alert_of_ours_is_routed_to_the_responder(rule):
    routed = run(
        *(programs.amtool(), "config", "routes", "test", f"--config.file={ALERTMANAGER}"),
        *(f"alertname={rule.alert}", f"severity={rule.severity}", f"service={rule.service}"),
    )

    assert routed.strip() == "responder"


def test_the_responder_is_told_of_every_alert_for_itself_and_of_its_end():
    written = yaml.safe_load(ALERTMANAGER.read_text())
    [receiver] = [each for each in written["receivers"] if each["name"] == "responder"]
    [webhook] = receiver["webhook_configs"]

    assert written["route"]["routes"][0]["group_by"] == ["..."]
    assert webhook["send_resolved"] is True
    assert webhook["max_alerts"] == 0
    assert set(webhook["http_config"]["authorization"]) == {"type", "credentials_file"}
