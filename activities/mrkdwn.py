"""Writes text for Slack's mrkdwn: escaped, and no longer than allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_USER = re.compile(r"[UW][A-Z0-9]{2,30}")
_GROUP = re.compile(r"S[A-Z0-9]{2,30}")


def units(text: str) -> int:
    """Count as Slack may count: an emoji beyond the basic plane is two."""
    return len(text) + sum(char > "\uffff" for char in text)


def clip(text: str, limit: int, *, escape: bool = True) -> str:
    """Clean *text*, escape it for mrkdwn, and cut it to *limit* as escaped, never in an entity."""
    return clipped(text, limit, escape=escape)[0]


def clipped(text: str, limit: int, *, escape: bool = True) -> tuple[str, bool]:
    """Do as `clip` does, and tell whether something was cut off."""
    kept: list[str] = []
    used = 0
    for char in _UNSEEN.sub(" ", text).strip("\n").rstrip():
        piece = _ESCAPED.get(char, char) if escape else char
        used += units(piece)
        kept.append(piece)
        if used > limit:
            break
    else:
        return "".join(kept), False
    while kept and used > limit - 1:
        used -= units(kept.pop())
    return "".join(kept).rstrip() + "…", True


def line(text: str, limit: int) -> str:
    """Bring *text* onto one escaped line."""
    return clip(" ".join(text.split()), limit)


def plain(text: str, limit: int) -> str:
    """Bring *text* onto one line for where Slack reads no markup."""
    return clip(" ".join(text.split()), limit, escape=False)


def pieces(text: str, limit: int) -> Iterable[str]:
    """Cut escaped text at ends of lines where there are any, and never inside an entity."""
    while units(text) > limit:
        end = limit // 2 if units(text[:limit]) > limit else limit
        newline = text.rfind("\n", end // 2, end)
        entity = text.rfind("&", end - 5, end)
        if newline > 0:
            end = newline
        elif entity > 0 and ";" not in text[entity:end]:
            end = entity
        if text[:end].strip():
            yield text[:end]
        text = text[end:].removeprefix("\n")
    if text.strip():
        yield text


def moment(at: datetime) -> str:
    """Write a time that Slack shows in each reader's own zone."""
    said = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{said}>"


def countdown(at: datetime) -> str:
    """Write a time to come as Slack counts down to it, in each reader's own zone."""
    said = at.astimezone(UTC).strftime("%H:%M:%S UTC")
    return f"<!date^{int(at.timestamp())}^{{time_secs}} ({{ago}})|{said}>"


def link(text: str, url: str, longest: int) -> str:
    """Write a link; blank for an address that is too long or no web page."""
    if not url.startswith(("https://", "http://")):
        return ""
    strange = {"<": "%3C", ">": "%3E", "|": "%7C", '"': "%22", "&": "&amp;"}
    clean = "".join(_UNSEEN.sub("", url).split())
    address = "".join(strange.get(char, char) for char in clean)
    if units(address) > longest:
        return ""
    return f"<{address}|{line(text, 60).replace('|', '/') or 'link'}>"


def mention(who: str) -> str:
    """Write the call that makes somebody's phone ring; blank for a word that calls nobody."""
    if who in {"here", "channel"}:
        return f"<!{who}>"
    if _USER.fullmatch(who):
        return f"<@{who}>"
    if _GROUP.fullmatch(who):
        return f"<!subteam^{who}>"
    return ""
