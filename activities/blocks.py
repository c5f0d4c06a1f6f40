"""Renders messages as Slack's Block Kit, within every limit that Slack sets.

Slack refuses a message as a whole when one block is too long, and also when the sum is: a limit of
about 13,000 characters that no single block breaks. So a message is laid out generously first and
more tightly until its sum fits, and what is left out is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from activities.messages import Button, Entry, Fact, Glance, Link, Part, PlanLine, PlanState
from activities.mrkdwn import (
    clip,
    clipped,
    countdown,
    line,
    link,
    mention,
    moment,
    pieces,
    plain,
    units,
)
from activities.words import Severity

Block = dict[str, Any]

BUDGET = 12_000
BLANK = "–"  # noqa: RUF001
MOST_TEXT = 1_500
_MOST_BUTTONS = 6
_MOST_FACTS = 8
_MOST_LINES = 12
_MOST_CONTEXT = 9
_MOST_PARTS = 12
_CHUNK = 2_800
_SHARES = (1.0, 0.6, 0.35, 0.2, 0.1, 0.05)
_ICONS = {Severity.CRITICAL: "🚨", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}  # noqa: RUF001
# A sign may be missing on a phone or unheard by a reader of screens, so what is not plain from
# the order of the lines is said in words too.
_TICKS = {
    PlanState.DONE: "✅",
    PlanState.DOING: "▶️",
    PlanState.NEXT: "⬜",
    PlanState.SKIPPED: "➖",  # noqa: RUF001
    PlanState.FAILED: "❌",
}


class Rendered(NamedTuple):
    """A message as Slack takes it."""

    text: str
    """What a notification shows, and what stands alone when the blocks are refused."""
    blocks: list[Block]


def render_glance(glance: Glance) -> Rendered:
    """Lay out the root message of an incident."""
    said = [f"{_heading(glance)}.", glance.status]
    if glance.asks and not glance.over:
        said.append(f"Asked of you: {glance.asks}")
    if glance.commands and not glance.over:
        said.append(glance.commands[0])
    text = line(" ".join(said), MOST_TEXT)
    return Rendered(text, _fit(lambda share: _glance(glance, share)))


def render_entry(entry: Entry) -> Rendered:
    """Lay out one entry of the thread."""
    words = " ".join(part.text for part in entry.parts if part.kind == "text")
    text = line(f"{entry.title} {words}", MOST_TEXT)
    called = mention(entry.mention)
    return Rendered(
        f"{called} {text}".strip() or "…",
        _fit(lambda share: _entry(entry, called, share)),
    )


def _fit(lay_out: Callable[[float], list[Block]]) -> list[Block]:
    blocks: list[Block] = []
    for share in _SHARES:
        blocks = lay_out(share)
        if units(json.dumps(blocks, ensure_ascii=False)) <= BUDGET:
            break
    return blocks


def _heading(glance: Glance) -> str:
    title, brief = " ".join(glance.title.split()), " ".join(glance.brief.split())
    if glance.over:
        return f"✅ RESOLVED: {title}"
    what = title if brief in ("", title) else f"{brief} ({title})"
    if glance.outage:
        return f"🔴 OUTAGE: {what}"
    return f"{_ICONS[glance.severity]} {glance.severity.upper()}: {what}"


def _glance(glance: Glance, share: float) -> list[Block]:
    def most(limit: int) -> int:
        return max(int(limit * share), 40)

    blocks: list[Block] = [_header(_heading(glance))]
    if not glance.over:
        if glance.asks.strip():
            blocks.append(_section(f"👉 *Asked of you:* {clip(glance.asks, most(1500))}"))
        blocks += _actions(glance.buttons, most(300))
    blocks.append(
        _section(
            f"*Impact:* {clip(glance.impact, most(600)) or 'unknown'}\n"
            f"*Status:* {clip(glance.status, most(800)) or 'unknown'}"
        )
    )
    plan = _plan(glance.actions, most(200))
    blocks.append(_section(f"*Actions:*\n{plan}" if plan else "*Actions:* none yet"))
    blocks.append(_fields(_when(glance, most)))
    if glance.facts:
        blocks.append(_fields(_facts(glance.facts, most)))
    if glance.commands and not glance.over:
        shown = "\n".join(_code(command, most(300)) for command in glance.commands[:8])
        blocks.append(_section(f"*From a shell:*\n```{shown}```"))
    blocks += _context(_footer(glance, most), _some(glance.links, share))
    return blocks


def _when(glance: Glance, most: Callable[[int], int]) -> list[str]:
    if glance.over:
        return [
            f"*Service*\n{line(glance.service, most(100)) or BLANK}",
            f"*Acknowledged by*\n{line(glance.acknowledged_by, most(100)) or 'nobody'}",
        ]
    fields = [f"*ETA*\n{line(glance.eta, most(200)) or 'unknown'}"]
    if glance.next_update_at is not None:
        fields.append(f"*Next update*\n{moment(glance.next_update_at)}")
    if glance.next_action.strip():
        upcoming = line(glance.next_action, most(300))
        at = "" if glance.next_action_at is None else f"\n{countdown(glance.next_action_at)}"
        fields.append(f"*What happens next*\n{upcoming}{at}")
    acknowledged = line(glance.acknowledged_by, most(100))
    fields.append(f"*Acknowledged by*\n{acknowledged or '🔔 nobody yet'}")
    return fields


def _footer(glance: Glance, most: Callable[[int], int]) -> str:
    said = [line(glance.service, most(100)), line(glance.environment, most(100))]
    if glance.updates.strip() and not glance.over:
        said.append(f"Updates: {line(glance.updates, most(100))}")
    return " · ".join(piece for piece in said if piece)


def _entry(entry: Entry, called: str, share: float) -> list[Block]:
    def most(limit: int) -> int:
        return max(int(limit * share), 40)

    title = f"*{line(entry.title, most(300))}*" if entry.title.strip() else ""
    blocks = [_section(f"{called} {title}".strip())] if called or title else []
    shown = entry.parts[:_MOST_PARTS]
    for part in shown:
        blocks += _part(part, most(9_000 // len(shown)))
    if len(entry.parts) > _MOST_PARTS:
        blocks.append(_section(f"_{len(entry.parts) - _MOST_PARTS} more pieces left out_"))
    if entry.facts:
        blocks.append(_fields(_facts(entry.facts, most)))
    blocks += _actions(entry.buttons, most(300))
    blocks += _context("", _some(entry.links, share))
    return blocks or [_section("…")]


def _part(part: Part, limit: int) -> list[Block]:
    if not part.text.strip():
        return []
    raw = part.text.replace("```", "'''") if part.kind == "code" else part.text
    kept, cut_off = clipped(raw, limit)
    fence = "```" if part.kind == "code" else ""
    shown = [f"{fence}{piece}{fence}" for piece in pieces(kept, _CHUNK)]
    if cut_off:
        shown[-1] += f"\n_the beginning of {len(part.text)} characters_"
    return [_section(text) for text in shown]


def _plan(lines: Sequence[PlanLine], limit: int) -> str:
    """Show the plan around the line that is being done, and say what is not shown."""
    doing = next((n for n, shown in enumerate(lines) if shown.state is PlanState.DOING), 0)
    last = next((n for n, shown in enumerate(lines) if shown.state is PlanState.NEXT), len(lines))
    start = max(0, min((doing or last) - _MOST_LINES // 2, len(lines) - _MOST_LINES))
    shown = lines[start : start + _MOST_LINES]
    said = [
        f"{_TICKS[each.state]} {line(each.text, limit) or BLANK}{_aside(each)}" for each in shown
    ]
    if start:
        said.insert(0, f"_{start} earlier_")
    if after := len(lines) - start - len(shown):
        said.append(f"_{after} more_")
    return "\n".join(said)


def _aside(each: PlanLine) -> str:
    return " _(skipped)_" if each.state is PlanState.SKIPPED else ""


def _facts(facts: Sequence[Fact], most: Callable[[int], int]) -> list[str]:
    return [
        f"*{line(fact.label, most(60)) or BLANK}*\n{line(fact.value, most(300)) or 'unknown'}"
        for fact in facts[:_MOST_FACTS]
    ]


def _some(links: Sequence[Link], share: float) -> Sequence[Link]:
    # An address cannot be shortened, so where there is no room left the links go.
    return links if share > _SHARES[-1] else ()


def _code(text: str, limit: int) -> str:
    return line(text.replace("```", "'''"), limit)


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, 150)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _fields(texts: Sequence[str]) -> Block:
    return {"type": "section", "fields": [_mrkdwn(text) for text in texts]}


def _actions(buttons: Sequence[Button], limit: int) -> list[Block]:
    # A value is data for the door: cut short it would be a lie, so such a button is not offered.
    offered = [
        _button(button, limit)
        for button in buttons
        if 0 < units(button.action) <= 100 and units(button.value) <= 255
    ][:_MOST_BUTTONS]
    return [{"type": "actions", "elements": offered}] if offered else []


def _button(button: Button, limit: int) -> Block:
    shown: Block = {
        "type": "button",
        "action_id": button.action,
        "text": _plain(button.text, min(limit, 75)),
    }
    if button.value:
        shown["value"] = button.value
    if button.style != "default":
        shown["style"] = button.style
    if button.confirm.strip():
        shown["confirm"] = {
            "title": _plain("Are you sure?", 100),
            "text": _plain(button.confirm, limit),
            "confirm": _plain("Yes", 30),
            "deny": _plain("No", 30),
        }
    return shown


def _context(said: str, links: Sequence[Link]) -> list[Block]:
    shown = [link(each.text, each.url, 400) for each in links]
    texts = [text for text in [said, *shown] if text][:_MOST_CONTEXT]
    if not texts:
        return []
    return [{"type": "context", "elements": [_mrkdwn(text) for text in texts]}]


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit) or BLANK, "emoji": True}


def _mrkdwn(text: str) -> Block:
    # Verbatim: an outsider's "@here" or "#general" stays the text that it is.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
