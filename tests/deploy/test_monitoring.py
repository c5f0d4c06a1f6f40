import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from activities.alerts import SCOPE_LABELS
from activities.expressions import measured
from activities.words import Severity
from deploy.local import programs
from deploy.local.metrics import Alertmanager
from deploy.prometheus_rules import RUNBOOK, deployed, rules_yaml
from tests.conformance.server import FarSide, answer, far_side
from workflows.rules import PAGE_NOT_PROVEN, WATCHDOG, by_name, recordings, rules

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
CASES = sorted((PROMETHEUS / "rules_test").glob("*.yml"))
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
NAMES = [rule.alert for rule in rules()]


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


def written() -> dict:
    return yaml.safe_load(ALERTMANAGER.read_text())


def test_the_rules_that_are_deployed_are_those_of_the_code():
    assert (PROMETHEUS / "rules.yml").read_text() == deployed(), (
        "deploy/prometheus/rules.yml is not what workflows/rules.py says. Write it anew:\n"
        "  python -m deploy.prometheus_rules > deploy/prometheus/rules.yml"
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_rule_fires_and_stays_quiet_as_its_cases_say(path):
    run(programs.promtool(), "test", "rules", path)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_each_rule_has_cases_for_all_that_may_go_wrong_with_it(rule):
    cases = [case for path in CASES for case in yaml.safe_load(path.read_text())["tests"]]
    about = [
        (case, looks)
        for case in cases
        if (looks := [it for it in case["alert_rule_test"] if it["alertname"] == rule.alert])
    ]
    fires = [case for case, looks in about if any(it["exp_alerts"] for it in looks)]
    quiet = [case for case, looks in about if not any(it["exp_alerts"] for it in looks)]
    moments = [case for case, looks in about if {bool(it["exp_alerts"]) for it in looks} == {0, 1}]

    assert fires, "it is never seen to fire"
    assert quiet, "it is never seen to stay quiet"
    assert moments, "no case sees it quiet first, and firing once its time is over"
    assert any("data" in case["name"] for case, _ in about), "nobody says what no data is"
    if "rate(" in rule.expression:
        assert any(reset(case) for case, _ in about), "no counter of it starts from zero again"


@pytest.fixture(scope="module")
def tripped(tmp_path_factory) -> set[tuple[str, str]]:
    """What is wrong, by alert and name of the case, if every bound were a tenth milder."""
    folder = tmp_path_factory.mktemp("milder")
    deployed_rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
    for rule in deployed_rules["groups"][0]["rules"]:
        if "alert" in rule:
            compared, _, floor = rule["expr"].partition(" and ")
            milder = re.sub(r"(==|<|>) ([\d.]+)$", a_tenth_milder, compared)
            rule["expr"] = f"{milder} and {floor}" if floor else milder
    (folder / "rules.yml").write_text(yaml.safe_dump(deployed_rules))
    (folder / "cases").mkdir()
    copies = [shutil.copy(path, folder / "cases") for path in CASES]
    promtool = programs.promtool()
    said = subprocess.run(
        [str(promtool), "test", "rules", *copies],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=programs.working_folder(promtool),
    )
    found = re.findall(r"name: (.*),\n\s*alertname: (\w+),", said.stdout + said.stderr)
    return {(alert, name) for name, alert in found}


def a_tenth_milder(bound: re.Match[str]) -> str:
    """Of a measure a tenth less is enough; of what is up, one that is up is too few."""
    return f"> {float(bound[2]) * 0.9:g}" if bound[1] == ">" else "< 2"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_a_case_stays_quiet_just_below_each_bound(rule, tripped):
    quiet = {
        case["name"]
        for path in CASES
        for case in yaml.safe_load(path.read_text())["tests"]
        if (looks := [it for it in case["alert_rule_test"] if it["alertname"] == rule.alert])
        and not any(it["exp_alerts"] for it in looks)
    }

    assert {name for alert, name in tripped if alert == rule.alert} & quiet, (
        "with a bound that is a tenth milder, no case that is quiet all along would notice"
    )


def reset(case: dict) -> bool:
    """Whether a series of *case* goes back: `0+9x30 0+9x30`."""
    return any(re.search(r"x\d+ 0\+", series["values"]) for series in case["input_series"])


@pytest.mark.parametrize(
    ("window", "hold"),
    [
        pytest.param("5m", None, id="as deployed"),
        pytest.param("10s", "2s", id="as on a game day"),
    ],
)
def test_promtool_accepts_the_rules(window, hold, tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(rules_yaml(window, hold, runbook="https://runbook.example.com/"))

    all_of_them = len(NAMES) + len(recordings(window))
    assert f"{all_of_them} rules found" in run(programs.promtool(), "check", "rules", file)

    [group] = yaml.safe_load(file.read_text())["groups"]
    alerts = [rule for rule in group["rules"] if "alert" in rule]
    assert [rule["alert"] for rule in alerts] == NAMES
    assert {rule["for"] for rule in alerts} == ({hold} if hold else {it.hold for it in rules()})
    assert all(
        rule["annotations"]["runbook_url"].startswith("https://runbook.example.com/#")
        for rule in alerts
    )
    assert all(rule["labels"]["responder"] == "true" for rule in alerts)
    for rule in alerts:
        assert "{{ $value" in rule["annotations"]["summary"], f"{rule['alert']} tells no value"


@pytest.mark.parametrize("window", ["5m", "8s"])
def test_nothing_is_asked_twice_and_nothing_is_recorded_in_vain(window):
    [group] = yaml.safe_load(rules_yaml(window))["groups"]
    texts = [rule["expr"] for rule in group["rules"]]
    aggregated = r"(?:sum|avg)(?: by \([^()]*\) )?\(rate\([^()]*\)"
    rates = Counter(rate for text in texts for rate in re.findall(aggregated, text))
    names = [each.record for each in recordings(window)]

    assert len(rates) > 10
    assert [rate for rate, times in rates.items() if times > 1] == []
    assert all(re.fullmatch(rf"[a-z]+:[a-z_]+:[a-z0-9_]+{window}", name) for name in names)
    asked = Counter(name for name in names for text in texts for _ in re.findall(name, text))
    assert set(asked) == set(names)
    for name in names:
        assert asked[name] > 1, f"{name} is asked for once: write it out"


def test_the_watchdog_is_deployed_and_links_lead_to_the_runbook():
    alerts = [r for g in yaml.safe_load(deployed())["groups"] for r in g["rules"] if "alert" in r]

    assert [it["alert"] for it in alerts] == [*NAMES, PAGE_NOT_PROVEN, WATCHDOG]
    assert {it["annotations"].get("runbook_url") for it in alerts} - {None} == {
        f"{RUNBOOK}#{rule.section}" for rule in rules()
    }
    assert "responder" not in alerts[-1]["labels"]


def test_an_installation_links_to_its_own_runbook():
    said = subprocess.run(
        [
            sys.executable,
            "-m",
            "deploy.prometheus_rules",
            "--runbook",
            "https://wiki.example.com/r",
        ],
        cwd=DEPLOY.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said == deployed("https://wiki.example.com/r")
    assert "runbook_url: https://wiki.example.com/r#redis-connection-failure" in said


def test_amtool_accepts_the_configuration():
    assert "SUCCESS" in run(programs.amtool(), "check-config", ALERTMANAGER)


@pytest.mark.parametrize("name", [*NAMES, PAGE_NOT_PROVEN, WATCHDOG, "SomebodyElses"])
def test_every_alert_of_ours_is_routed_to_the_responder_and_no_other(name):
    labels = {
        rule["alert"]: rule["labels"]
        for group in yaml.safe_load(deployed())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }.get(name, {"severity": "critical"})

    routed = run(
        *(programs.amtool(), "config", "routes", "test", f"--config.file={ALERTMANAGER}"),
        *(f"alertname={name}", *(f"{label}={value}" for label, value in labels.items())),
    )

    expected = {WATCHDOG: "dead-mans-switch", "SomebodyElses": "nobody"}.get(name, "responder")
    assert routed.strip() == expected


def test_the_responder_is_told_of_every_alert_for_itself_and_of_its_end():
    [receiver] = [each for each in written()["receivers"] if each["name"] == "responder"]
    [webhook] = receiver["webhook_configs"]

    assert written()["route"]["routes"][0]["group_by"] == ["..."]
    assert webhook["send_resolved"] is True
    assert webhook["max_alerts"] == 0
    assert set(webhook["http_config"]["authorization"]) == {"type", "credentials_file"}


def test_a_warning_is_inhibited_by_the_critical_alert_that_asks_the_same_and_by_no_other():
    same = {
        (worse.alert, rule.alert)
        for worse in rules()
        for rule in rules()
        if worse.severity is Severity.CRITICAL
        and worse is not rule
        and bound(worse.expression)[0] == bound(rule.expression)[0]
        and bound(worse.expression)[1] > bound(rule.expression)[1]
    }
    inhibited = set()
    for rule in written()["inhibit_rules"]:
        assert rule["equal"] == list(SCOPE_LABELS)
        [source, target] = (rule["source_matchers"], rule["target_matchers"])
        assert source[1] == target[1] == 'responder="true"'
        inhibited.add(tuple(re.search(r'"(\w+)"', it[0])[1] for it in (source, target)))

    # A lower bound of the same expression cannot become false first: no resolve can be lost.
    assert inhibited == same != set()


def bound(expression: str) -> tuple[str, float]:
    """What an expression measures, and what it is compared to."""
    measured, threshold = re.match(r"(.*?) (?:[<>]|==) ([\d.]+)", expression).groups()
    return measured, float(threshold)


async def test_a_warning_that_outlives_its_critical_is_told_and_no_resolve_is_lost(tmp_path):
    high, critical = "HighAPILatency", "CriticalAPILatency"
    async with far_side(answer(200)) as far:
        configuration = written()
        configuration["route"]["routes"][0]["group_interval"] = "1s"
        [receiver] = [it for it in configuration["receivers"] if it["name"] == "responder"]
        receiver["webhook_configs"] = [{"url": far.url}]
        async with Alertmanager(tmp_path, yaml.safe_dump(configuration)) as alertmanager:
            await post(alertmanager.url, {critical: True})
            await until(far, (critical, "firing"))
            await post(alertmanager.url, {critical: True, high: True})
            await post(alertmanager.url, {critical: False, high: True})
            await until(far, (critical, "resolved"), (high, "firing"))

            far.requests.clear()
            await post(alertmanager.url, {critical: True, high: True})
            await until(far, (critical, "firing"))
            await post(alertmanager.url, {critical: False, high: False})
            await until(far, (critical, "resolved"), (high, "resolved"))


def told(far: FarSide) -> set[tuple[str, str]]:
    payloads = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in far.requests]
    alerts = [alert for payload in payloads for alert in payload["alerts"]]
    return {(alert["labels"]["alertname"], alert["status"]) for alert in alerts}


async def post(url: str, alerts: dict[str, bool]) -> None:
    """Tell Alertmanager of alerts as Prometheus does: all of an evaluation at once."""
    now = datetime.now(UTC)
    body = [
        {
            "labels": {"alertname": name, "service": "pravado-api", "responder": "true"},
            "startsAt": (now - timedelta(minutes=5)).isoformat(),
            "endsAt": (now + timedelta(minutes=5) if firing else now).isoformat(),
        }
        for name, firing in alerts.items()
    ]
    async with httpx.AsyncClient(base_url=url) as client:
        (await client.post("/api/v2/alerts", json=body)).raise_for_status()


async def until(far: FarSide, *expected: tuple[str, str]) -> None:
    async with asyncio.timeout(60):
        while not set(expected) <= told(far):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_of_every_rule_the_responder_can_tell_false_from_not_measured(rule):
    deployed_form = by_name(rule.expression, recordings())

    compared = measured(deployed_form)

    assert compared is not None
    assert deployed_form.replace("(", "").startswith(compared.replace("(", ""))
