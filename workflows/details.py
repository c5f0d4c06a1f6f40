"""Current details: the page that the Temporal UI shows of a running incident, in Markdown."""

from __future__ import annotations

from activities.record import Record, StepState
from workflows.glance import clock, commands, eta, impact, status
from workflows.policy import Policy
from workflows.proposal import exactly

_TICKS = {
    StepState.PLANNED: "◻️",
    StepState.ASKED: "❓",
    StepState.RUNNING: "⏳",
    StepState.DONE: "☑️",
    StepState.HELPED: "✅",
    StepState.UNHELPFUL: "〰️",
    StepState.UNCERTAIN: "❔",
    StepState.FAILED: "❌",
    StepState.SKIPPED: "⏭️",
    StepState.UNDONE: "↩️",
}
_LINES = 25
_SAFE = str.maketrans({
    "<": "&#60;", ">": "&#62;", "`": "'",
    **{sign: f"\\{sign}" for sign in "\\|[]*_~#$"},
})  # fmt: skip
"""Labels and log lines come from outside: neither tags nor links nor emphasis of theirs.

The UI knows entities by their numbers alone, takes what stands between dollars for a formula, and
two hyphens for a dash.
"""
_MOST, _MOST_CODE = 400, 1200


def details(record: Record, policy: Policy) -> str:
    """Write the page: what is asked of the reader, status, plan, timeline, exact commands."""
    lines = [
        f"### {literal(record.asks) or 'Nothing is needed from you'}",
        "",
        *_asked(record),
        "",
        " · ".join(
            (
                f"**{record.severity.value}**",
                f"**{record.phase.value}**",
                f"{literal(record.title)} on {literal(record.service)}",
            )
        ),
        "",
        f"- **Impact** {literal(impact(record))}",
        f"- **Status** {literal(status(record))}",
        f"- **ETA** {eta(record, policy)}",
        f"- **Acknowledged** {literal(record.people.acknowledged_by) or 'by nobody yet'}",
    ]
    if record.next_action:
        at = f" at {clock(record.next_action_at)}" if record.next_action_at else ""
        lines.append(f"- **Next** {literal(record.next_action)}{at}")
    if record.steps:
        lines += ["", "#### Plan", ""]
        for number, step in enumerate(record.steps, 1):
            said = literal(step.said) or step.state.value
            lines.append(
                f"{number}. {_TICKS[step.state]} {literal(step.effect)} ({step.risk.value}): {said}"
            )
    if record.findings:
        lines += [
            "",
            "#### For people",
            "",
            *(f"- {literal(finding)}" for finding in record.findings),
        ]
    lines += ["", "#### Timeline", ""]
    for entry in record.timeline[-_LINES:]:
        lines.append(f"- {clock(entry.at)} {literal(entry.by)}: {literal(entry.text)}")
    lines += ["", "#### Commands", "", "```", *commands(record), "```"]
    return "\n".join(lines)


def _asked(record: Record) -> list[str]:
    if record.question is None:
        return []
    orders = set(record.question.orders)
    return [
        # As code, else the UI would curl its quotation marks.
        f"- `{_code(each)}`" if each in orders else f"- {literal(each)}"
        for each in exactly(record.question)
    ]


def _code(text: str) -> str:
    plain = " ".join(text.split()).replace("`", "'")
    return plain if len(plain) <= _MOST_CODE else f"{plain[:_MOST_CODE]}…"


def literal(text: str) -> str:
    """Write a line so that the UI shows it as it is, shortened where it is long."""
    plain = " ".join(text.split())
    shown = plain if len(plain) <= _MOST else f"{plain[:_MOST]}…"
    return shown.translate(_SAFE).replace("--", "\\-\\-")
