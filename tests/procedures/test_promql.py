import ast
import re
import subprocess
from pathlib import Path

import pytest

from deploy.local import programs
from workflows import promql
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given
from workflows.rules import rules

ROOT = Path(__file__).resolve().parents[2]
CONSTANTS = {
    name: expression
    for name, expression in vars(promql).items()
    if name.isupper()
    and isinstance(expression, str)
    and name not in {"JOB", "FAST", "SLOW", "PACE"}
}
RUNBOOK = [
    "HighAPILatency", "CriticalAPILatency", "SlowDatabaseQueries",
    "HighAPIErrorRate", "CriticalAPIErrorRate", "DatabaseConnectionErrors",
    "HighCacheMissRatio", "RedisConnectionFailure", "RedisHighMemoryUsage",
    "SupabaseDown", "HighDatabaseConnections",
    "LLMProviderDown", "HighLLMCost", "LLMRateLimitExceeded",
    "HighPushNotificationFailureRate", "ExpoPushServiceDown",
    "APIDown", "DashboardDown", "HighCPUUsage", "HighMemoryUsage", "DiskSpaceLow",
]  # fmt: skip
RECOVERED_AT = {"CriticalAPIErrorRate": 0.05}
"""Between 5 and 20 % it is not over: it has become HighAPIErrorRate."""
OF_THE_THING = {"DatabaseConnectionErrors", "LLMProviderDown"}
"""Raised by what the API counts, and over when the thing itself answers."""


def expressions() -> dict[str, str]:
    found = dict(CONSTANTS)
    found |= {f"{name} over 10s": promql.within(each, "10s") for name, each in CONSTANTS.items()}
    for of_one in (promql.llm_failing, promql.llm_calls, promql.llm_p95):
        found[of_one.__name__] = of_one("openai")
    for slow in ("5m", "10s"):
        found |= {f"{rule.alert} over {slow}": rule.expression for rule in rules(slow)}
    for procedure in PROCEDURES:
        for probe in procedure(Given(fast_window="30s", baseline_offset="1d")).probes():
            ask = probe.question(Given(fast_window="30s", baseline_offset="1d"))
            if expression := getattr(ask, "expression", ""):
                found[f"{procedure.__name__}.{probe.key}"] = expression
    return found


def test_promtool_parses_every_expression_in_its_slow_and_its_fast_form(tmp_path):
    lines = ["groups:", "  - name: every", "    rules:"]
    for number, expression in enumerate(expressions().values()):
        lines += [f"      - record: expression:{number}", f"        expr: '{expression}'"]
    written = tmp_path / "rules.yml"
    written.write_text("\n".join(lines) + "\n")
    promtool = programs.promtool()

    done = subprocess.run(
        [str(promtool), "check", "rules", str(written)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=programs.working_folder(promtool),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions())} rules found" in done.stdout


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_quantile_is_taken_over_all_instances_and_a_denominator_invents_no_traffic(name):
    expression = CONSTANTS[name]

    assert "histogram_quantile" not in expression or "sum by (le" in expression
    assert "or vector" not in expression.rpartition("/")[2]


def test_the_fast_form_is_another_window_and_longer_ones_stay():
    assert promql.within(promql.API_P95, "10s") == promql.api_p95("10s")
    assert promql.within(promql.MEMORY_SLOPE, "10s") == promql.MEMORY_SLOPE


def test_there_is_a_rule_and_a_procedure_for_each_of_the_runbook_s_21_alerts_in_its_order():
    named = [procedure.__name__ for procedure in PROCEDURES]

    assert named == [rule.alert for rule in rules()]
    assert [name for name in named if name in RUNBOOK] == RUNBOOK


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_a_rule_asks_the_same_as_the_condition_of_its_procedure(rule):
    [procedure] = [kind for kind in PROCEDURES if kind.__name__ == rule.alert]
    condition = procedure(Given()).condition

    assert rule.severity is procedure.severity
    assert rule.section == procedure.section
    without_floor = re.sub(r" and [^>]* > [\d.]+$", "", rule.expression)
    measured, _, bound = without_floor.rpartition(" > ")
    if condition.kind == "below":
        asked = promql.within(condition.expression, promql.SLOW, "1h")
        # Where a rule keeps series apart, the highest counts.
        assert asked in {measured, f"max({measured})"}
        assert condition.threshold == RECOVERED_AT.get(rule.alert, float(bound))
    elif rule.alert not in OF_THE_THING:
        assert re.search(r" (== 0|< 1)$", rule.expression), "a bound, and no condition that has it"


# A rate, a quantile or a selector with a job: what only PromQL says.
_PROMQL = re.compile(r"histogram_quantile\(|\b(rate|increase|deriv)\(\w+\{|\{job[=!]")
# Made from the code and tested to be what it says, and the cases that say what must come of it.
_MADE = ROOT / "deploy/prometheus"


def test_no_expression_stands_anywhere_else():
    beside = []
    for layer in ("workflows", "deploy"):
        for path in sorted((ROOT / layer).rglob("*")):
            if path.suffix not in {".py", ".yml", ".yaml"} or path.is_relative_to(_MADE):
                continue
            if path == Path(promql.__file__):
                continue
            beside += [f"{path.relative_to(ROOT)}: {text[:60]}" for text in texts(path)
                       if _PROMQL.search(text)]  # fmt: skip

    assert not beside, "an expression that is not in workflows/promql.py"


def texts(path: Path) -> list[str]:
    """The strings of a Python file, or the whole of another."""
    if path.suffix != ".py":
        return [path.read_text()]
    tree = ast.walk(ast.parse(path.read_text()))
    return [
        node.value
        for node in tree
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
