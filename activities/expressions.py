"""PromQL as text: label matchers that cannot be broken out of, and what an expression measures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qs, urlsplit

LONGEST_EXPRESSION = 4000
_LONGEST_URL = 16_000
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_COMPARISON = re.compile(r"==|!=|>=|<=|>|<")
_SET_OPERATOR = re.compile(r"(and|or|unless)\b", re.IGNORECASE)

Operator = Literal["=", "!=", "=~", "!~"]


def quoted(text: str) -> str:
    """Write *text* as a string of PromQL, which Alertmanager's matchers share."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def matcher(label: str, value: str, operator: Operator = "=") -> str:
    """Write one label matcher; a label name that is none is a `ValueError`."""
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{label!r} is not the name of a label")
    return f"{label}{operator}{quoted(value)}"


def any_of(label: str, values: tuple[str, ...]) -> str:
    """Write the matcher for a label that has one of *values*."""
    # re.escape also escapes what RE2 does not know as an escape (such as a space).
    literal = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value) for value in values)
    return matcher(label, literal, "=~")


def selector(metric: str, labels: Mapping[str, str] | None = None) -> str:
    """Write the selector of a metric's series that have exactly these label values."""
    if not _METRIC.fullmatch(metric):
        raise ValueError(f"{metric!r} is not the name of a metric")
    inside = ",".join(matcher(label, value) for label, value in sorted((labels or {}).items()))
    return f"{metric}{{{inside}}}"


def expression_of(generator_url: str) -> str | None:
    """Read the expression of the rule out of an alert's ``generatorURL``."""
    if len(generator_url) > _LONGEST_URL:
        return None
    try:
        found = parse_qs(urlsplit(generator_url).query, max_num_fields=50).get("g0.expr", [])
    except ValueError:
        return None
    expression = found[0].strip() if found else ""
    return expression if 0 < len(expression) <= LONGEST_EXPRESSION else None


def measured(expression: str) -> str | None:
    """Take what an alert's expression compares: ``x / y`` of ``x / y > 0.05 and z > 1``.

    A comparison drops the series for which it is false, so its empty result does not tell "fine"
    from "no data"; this does. None where there is no comparison to take apart.
    """
    text = _without_outer_brackets(expression)
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        if character in "\"'`":
            position = _end_of_string(text, position)
            continue
        if character == "#":  # a comment reaches to the end of its line
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            if _COMPARISON.match(text, position):
                return text[:position].strip() or None
            # The left operand of a set operator, when it is in brackets of its own.
            if _begins_a_word(text, position) and _SET_OPERATOR.match(text, position):
                return measured(text[:position])
        position += 1
    return None


def _begins_a_word(text: str, position: int) -> bool:
    return position > 0 and not (text[position - 1].isalnum() or text[position - 1] in "_:")


def _without_outer_brackets(expression: str) -> str:
    text = expression.strip()
    while text.startswith("(") and _closing_bracket(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing_bracket(text: str) -> int:
    depth = 0
    position = 0
    while position < len(text):
        if text[position] in "\"'`":
            position = _end_of_string(text, position)
            continue
        depth += (text[position] == "(") - (text[position] == ")")
        if depth == 0:
            return position
        position += 1
    return -1


def _end_of_string(text: str, start: int) -> int:
    quote = text[start]
    position = start + 1
    while position < len(text) and text[position] != quote:
        position += 2 if text[position] == "\\" and quote != "`" else 1
    return position + 1
