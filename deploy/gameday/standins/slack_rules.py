"""What Slack accepts as a message: the rules of Block Kit that can be broken by accident."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_BLOCKS = 50
MOST_SUM = 13_200
"""Undocumented, and met in practice."""
MOST_TEXT_UPDATE = 4_000
MOST_TEXT_POST = 40_000
MOST_METADATA = 16_000

_TEXT_KINDS = {"plain_text", "mrkdwn"}
_STRAY = re.compile(
    r"<(?!(?:[@#][A-Z0-9]+|!here|!channel|!everyone|!subteam\^[A-Z0-9]+"
    r"|!date\^\d+\^[^|>]+|https?://[^|>\s]+|mailto:[^|>\s]+)(?:\|[^>]*)?>)"
)


def units(text: str) -> int:
    """Count UTF-16 units, the less generous way to count characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def wrong_blocks(blocks: object) -> tuple[str, list[str]] | None:
    """Name the error code for *blocks* and what is wrong with them; None when nothing is."""
    if not isinstance(blocks, list):
        return "invalid_blocks_format", ["blocks must be an array"]
    wrong: list[str] = []
    if len(blocks) > MOST_BLOCKS:
        wrong.append(f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]")
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(ids) != len(set(ids)):
        wrong.append("`block_id` must be unique")
    for place, block in enumerate(blocks):
        wrong += [f"{said} [json-pointer:/blocks/{place}]" for said in _wrong_block(block)]
    if wrong:
        return "invalid_blocks", wrong
    if units(json.dumps(blocks, ensure_ascii=False)) > MOST_SUM:
        return "msg_blocks_too_long", []
    return None


def wrong_view(view: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a window; None when nothing is."""
    if view.get("type") != "modal":
        return "type must be modal [json-pointer:/view/type]"
    for name, most in (("title", 24), ("submit", 24), ("close", 24)):
        text = view.get(name, {"type": "plain_text", "text": "x"})
        if text.get("type") != "plain_text" or not 0 < units(text.get("text", "")) <= most:
            return f"{name} must be 1 to {most} plain characters [json-pointer:/view/{name}]"
    for name, most in (("private_metadata", 3_000), ("callback_id", 255)):
        if units(str(view.get(name, ""))) > most:
            return f"must be less than {most + 1} characters [json-pointer:/view/{name}]"
    blocks = [b for b in view.get("blocks", []) if b.get("type") != "input"]
    wrong = wrong_blocks(blocks)
    if wrong:
        return f"{wrong[0]}: {wrong[1]}"
    inputs = [b for b in view["blocks"] if b.get("type") == "input"]
    if inputs and "submit" not in view:
        return "submit is needed where something is asked [json-pointer:/view/submit]"
    asked = all(b.get("label") and b.get("element", {}).get("action_id") for b in inputs)
    return None if asked else "an input needs a label and an element"


def wrong_metadata(metadata: object) -> str | None:
    """Name the error code for *metadata*; None when it is right."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        return "invalid_metadata_format"
    kind = metadata.get("event_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,254}", kind):
        return "invalid_metadata_format"
    return "metadata_too_large" if len(str(metadata)) > MOST_METADATA else None


def stray(text: str) -> list[str]:
    """List the `<` that open nothing Slack knows: an outsider's text that was not escaped."""
    return [text[found.start() : found.start() + 30] for found in _STRAY.finditer(text)]


def _wrong_block(block: object) -> list[str]:
    if not isinstance(block, dict):
        return ["must be an object"]
    checks = {
        "header": _header,
        "section": _section,
        "actions": _actions,
        "context": _context,
        "divider": lambda _: [],
        "image": _image,
    }
    check = checks.get(str(block.get("type")))
    if check is None:
        return [f"unsupported type: {block.get('type')}"]
    return check(block)


def _header(block: Mapping[str, Any]) -> list[str]:
    return _text(block.get("text"), 150, kinds={"plain_text"})


def _section(block: Mapping[str, Any]) -> list[str]:
    wrong = []
    if "text" not in block and "fields" not in block:
        wrong.append("a section needs text or fields")
    if "text" in block:
        wrong += _text(block["text"], 3_000)
    if "fields" in block:
        fields = block["fields"]
        wrong += _count(fields, 10)
        wrong += [said for field in _items(fields) for said in _text(field, 2_000)]
    return wrong


def _actions(block: Mapping[str, Any]) -> list[str]:
    elements = block.get("elements")
    wrong = _count(elements, 25)
    ids = [each.get("action_id") for each in _items(elements) if isinstance(each, dict)]
    if len(ids) != len(set(ids)):
        wrong.append("`action_id` must be unique within its block")
    return wrong + [said for each in _items(elements) for said in _button(each)]


def _button(button: object) -> list[str]:
    if not isinstance(button, dict) or button.get("type") != "button":
        return ["unsupported element"]
    wrong = _text(button.get("text"), 75, kinds={"plain_text"})
    for name, limit in (("action_id", 255), ("value", 2_000), ("url", 3_000)):
        value = button.get(name)
        if value is not None and not (isinstance(value, str) and 0 < units(value) <= limit):
            wrong.append(f"{name}: must be 1 to {limit} characters")
    if button.get("style", "primary") not in {"primary", "danger"}:
        wrong.append("style: must be primary or danger")
    if "confirm" in button:
        confirm = button["confirm"] if isinstance(button["confirm"], dict) else {}
        for name, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            kinds = _TEXT_KINDS if name == "text" else {"plain_text"}
            wrong += _text(confirm.get(name), limit, kinds=kinds)
    return wrong


def _context(block: Mapping[str, Any]) -> list[str]:
    elements = block.get("elements")
    wrong = _count(elements, 10)
    for each in _items(elements):
        image = isinstance(each, dict) and each.get("type") == "image"
        wrong += _image(each) if image else _text(each, 2_000)
    return wrong


def _image(block: Mapping[str, Any]) -> list[str]:
    missing = not block.get("alt_text") or not (block.get("image_url") or block.get("slack_file"))
    return ["an image needs alt_text and an address"] if missing else []


def _text(text: object, limit: int, *, kinds: set[str] = _TEXT_KINDS) -> list[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return [f"must be {' or '.join(sorted(kinds))}"]
    said = text.get("text")
    if not isinstance(said, str) or not said.strip():
        return ["must be more than 0 characters"]
    if units(said) > limit:
        return [f"must be less than {limit + 1} characters"]
    if text["type"] == "plain_text" and "verbatim" in text:
        return ["verbatim: only for mrkdwn"]
    return []


def _count(things: object, most: int) -> list[str]:
    if not isinstance(things, list) or not 1 <= len(things) <= most:
        return [f"must have 1 to {most} items"]
    return []


def _items(things: object) -> Sequence[Any]:
    return things if isinstance(things, list) else ()
