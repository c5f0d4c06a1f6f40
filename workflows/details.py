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
    "<": "&lt;", ">": "&gt;", "`": "'",
    **{sign: f"\\{sign}" for sign in "\\|[]*_~#"},
})  # fmt: skip
"""Labels and log lines come from outside: neither tags nor links nor emphasis of theirs."""
_MOST = 400


def details(record: Record, policy: Policy) -> str:
    """Write the page: what is asked of the reader, status, plan, timeline, exact commands."""
    lines = [
        f"### {_safe(record.asks) or 'Nothing is needed from you'}",
        "",
        *(f"- {_safe(line)}" for line in (exactly(record.question) if record.question else ())),
        "",
        " · ".join(
            (
                f"**{record.severity.value}**",
                f"**{record.phase.value}**",
                f"{_safe(record.title)} on {_safe(record.service)}",
            )
        ),
        "",
        f"- **Impact** {_safe(impact(record))}",
        f"- **Status** {_safe(status(record))}",
        f"- **ETA** {eta(record, policy)}",
        f"- **Acknowledged** {_safe(record.people.acknowledged_by) or 'by nobody yet'}",
    ]
    if record.next_action:
        at = f" at {clock(record.next_action_at)}" if record.next_action_at else ""
        lines.append(f"- **Next** {_safe(record.next_action)}{at}")
    if record.steps:
        lines += ["", "#### Plan", ""]
        for number, step in enumerate(record.steps, 1):
            said = _safe(step.said) or step.state.value
            lines.append(
                f"{number}. {_TICKS[step.state]} {_safe(step.effect)} ({step.risk.value}): {said}"
            )
    if record.findings:
        lines += [
            "",
            "#### For people",
            "",
            *(f"- {_safe(finding)}" for finding in record.findings),
        ]
    lines += ["", "#### Timeline", ""]
    for entry in record.timeline[-_LINES:]:
        lines.append(f"- {clock(entry.at)} {_safe(entry.by)}: {_safe(entry.text)}")
    lines += ["", "#### Commands", "", "```", *commands(record), "```"]
    return "\n".join(lines)


def _safe(text: str) -> str:
    plain = " ".join(text[:_MOST].split())
    return plain.translate(_SAFE)
