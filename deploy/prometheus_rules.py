"""The text of Prometheus's alert rules, from the expressions that the responder itself uses."""

import sys
import textwrap

import yaml

from workflows.promql import SLOW
from workflows.rules import Rule, rules

HEADER = """\
# Made by `python -m deploy.prometheus_rules` from workflows/rules.py: change it there.
# The runbook gives the names and most expressions; what we chose ourselves stands above each rule.
"""


def rules_yaml(
    window: str = SLOW, hold: str | None = None, *, hour: str = "1h", runbook: str = ""
) -> str:
    """Write the alert rules as Prometheus reads them.

    Args:
        window: What rates are taken over; a game day takes a shorter one.
        hold: How long an expression is true before it is an alert; each rule's own when left out.
        hour: What spending is summed over; a game day takes a shorter one.
        runbook: Where people read the runbook; the rules do not link to it when left out.
    """
    written = "".join(_rule(rule, runbook) for rule in rules(window, hold, hour))
    return f"{HEADER}groups:\n  - name: responder\n    rules:\n{textwrap.indent(written, ' ' * 6)}"


def _rule(rule: Rule, runbook: str) -> str:
    written = {
        "alert": rule.alert,
        "expr": rule.expression,
        "for": rule.hold,
        "labels": {
            "severity": str(rule.severity),
            "service": rule.service,
            "team": rule.team,
        },
        "annotations": {
            "summary": rule.summary,
            **({"runbook_url": f"{runbook}#{rule.section}"} if runbook else {}),
        },
    }
    text = yaml.safe_dump([written], sort_keys=False, width=90, allow_unicode=True)
    ours = f"# Ours: {', '.join(rule.ours)}.\n" if rule.ours else ""
    return ours + text


if __name__ == "__main__":
    sys.stdout.write(rules_yaml())
