"""The text of Prometheus's rules, from the expressions that the responder itself uses."""

import argparse
import sys
import textwrap
from collections.abc import Mapping

import yaml

from workflows.promql import SLOW
from workflows.rules import (
    PAGE_NOT_PROVEN,
    PROVEN_FOR,
    WATCHDOG,
    Recording,
    Rule,
    by_name,
    recordings,
    rules,
)

RUNBOOK = "https://runbooks.pravado.com/incidents"
"""Where people read the runbook (docs/runbook.md), unless they say otherwise."""
OURS = {"responder": "true"}
"""The label by which Alertmanager knows what is for the responder: every alert rule has it."""

_HEADER = """\
# Made by `python -m deploy.prometheus_rules` from workflows/rules.py: change it there.
# The runbook gives the names and most expressions; what we chose ourselves stands above each rule.
# In one group, so that an alert asks for what was recorded at the same moment.
"""
_PAGING = """\
  - name: paging
    rules:
      # Ours, not the runbook's. A test page is sent every day (the setting proof.at), and the door
      # shows when a person last acknowledged one. Told to the responder, which seeks people by
      # every other way where PagerDuty's is broken.
"""
_WATCHDOG = """\
  - name: watchdog
    rules:
      # For ever true: where it falls silent, the way from Prometheus to people is broken. It goes
      # to a dead man's switch, never to the responder.
"""


def rules_yaml(
    window: str = SLOW, hold: str | None = None, *, hour: str = "1h", runbook: str = RUNBOOK
) -> str:
    """Write the recording rules and the alert rules as Prometheus reads them.

    Args:
        window: What rates are taken over; a game day takes a shorter one.
        hold: How long an expression is true before it is an alert; each rule's own when left out.
        hour: What spending is summed over; a game day takes a shorter one.
        runbook: Where people read the runbook.
    """
    recorded = recordings(window)
    written = [_listed({"record": each.record, "expr": each.expression}) for each in recorded]
    written += [_rule(rule, recorded, runbook) for rule in rules(window, hold, hour)]
    lines = textwrap.indent("".join(written), " " * 6)
    return f"{_HEADER}groups:\n  - name: responder\n    rules:\n{lines}"


def deployed(runbook: str = RUNBOOK) -> str:
    """Write all rules of production, with the one that watches the way to people."""
    watchdog = _listed(
        {
            "alert": WATCHDOG,
            "expr": "vector(1)",
            "labels": {"severity": "none", "team": "backend"},
            "annotations": {"summary": "alerts find their way from Prometheus to here"},
        }
    )
    unproven = _listed(
        {
            "alert": PAGE_NOT_PROVEN,
            "expr": f"time() - max by (level) (responder_last_proven_page_seconds) > {PROVEN_FOR}",
            # Longer than a test page is waited for: Temporal may forget the last one before.
            "for": "30m",
            "labels": {"severity": "warning", "service": "paging", "team": "backend", **OURS},
            "annotations": {
                "summary": "nobody has acknowledged a test page for more than a day: "
                "find out with `responder doctor --page` who cannot be reached",
            },
        }
    )
    written = rules_yaml(runbook=runbook) + _PAGING + textwrap.indent(unproven, " " * 6)
    return written + _WATCHDOG + textwrap.indent(watchdog, " " * 6)


def _rule(rule: Rule, recorded: tuple[Recording, ...], runbook: str) -> str:
    written = {
        "alert": rule.alert,
        "expr": by_name(rule.expression, recorded),
        "for": rule.hold,
        "labels": {
            "severity": str(rule.severity),
            "service": rule.service,
            "team": rule.team,
            **OURS,
        },
        "annotations": {
            "summary": rule.summary,
            "runbook_url": f"{runbook}#{rule.section}",
        },
    }
    ours = f"# Ours: {', '.join(rule.ours)}.\n" if rule.ours else ""
    return ours + _listed(written)


def _listed(rule: Mapping[str, object]) -> str:
    return yaml.safe_dump([rule], sort_keys=False, width=90, allow_unicode=True)


if __name__ == "__main__":
    reading = argparse.ArgumentParser(description="Write Prometheus's rules.")
    reading.add_argument("--runbook", default=RUNBOOK, help="where people read the runbook")
    sys.stdout.write(deployed(reading.parse_args().runbook))
