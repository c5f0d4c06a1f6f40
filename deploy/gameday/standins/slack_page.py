"""Shows the workspace of the Slack stand-in as people would see it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.gameday.standins.slack_state import BOT, Channel, Message, State

_STYLE = Path(__file__).with_name("slack_page.css").read_text()
_TOKEN = re.compile(r"<([^<>]+)>")
_FENCE = re.compile(r"```(.*?)```", re.DOTALL)
_MARKS = (
    (re.compile(r"`([^`\n]+)`"), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)


def page(state: State, duplicates: dict[str, int]) -> str:
    """Render every channel that something stands in."""
    shown = [
        _channel(channel, [each for each in state.messages if each.channel == channel.id])
        for channel in state.channels.values()
    ]
    alarm = ""
    if duplicates:
        said = "".join(
            f"<li>{count} times {html.escape(key)}</li>" for key, count in duplicates.items()
        )
        alarm = f"<section class=alarm><b>Posted more than once</b><ul>{said}</ul></section>"
    again = "<meta http-equiv=refresh content=3>"
    whispers = "".join(
        f"<p><i>Only {html.escape(each.user)} sees this:</i> {mrkdwn(each.text)}</p>"
        for each in state.whispers[-3:]
    )
    seen = f"<section class=context>{whispers}</section>" if whispers else ""
    asked = any(each.open for each in state.windows)
    write = "A window is open: fill it in" if asked else "Write a command or a note"
    link = f"<section><p><a href=/write>{write}</a></p></section>"
    return f"{head('Slack (stand-in)', again)}{alarm}{link}{seen}{''.join(shown)}"


def head(title: str, more: str = "") -> str:
    """Begin a page."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"{more}<title>{title}</title><style>{_STYLE}</style>"
        "<body><header>Pravado <small>a stand-in for Slack</small></header>"
    )


def _channel(channel: Channel, messages: list[Message]) -> str:
    roots = [each for each in messages if each.thread_ts is None or each.broadcast]
    archived = " <em>archived</em>" if channel.archived else ""
    shown = "".join(
        _message(root, [each for each in messages if each.thread_ts == root.ts]) for root in roots
    )
    title = f"<h2># {html.escape(channel.name)}{archived}</h2>"
    return f"<section>{title}{shown or '<p class=none>Nothing yet.</p>'}</section>"


def _message(message: Message, replies: list[Message]) -> str:
    edited = " <em>(edited)</em>" if message.history else ""
    when = datetime.fromtimestamp(float(message.ts), UTC).strftime("%H:%M:%S")
    ours = message.user == BOT
    name = (
        "Incident Responder</b> <i class=app>APP</i>"
        if ours
        else f"{html.escape(message.user)}</b>"
    )
    who = f"<div class=who><b>{name} {when} UTC{edited}</div>"
    if message.deleted:
        body = "<p class=none>This message was deleted.</p>"
    else:
        body = "".join(_blocks(message.ts, message.blocks)) or f"<p>{mrkdwn(message.text)}</p>"
        body += "".join(
            f"<figure><figcaption>{html.escape(file['title'])}</figcaption>"
            f"<img src='{html.escape(file['url_private'])}' alt=''></figure>"
            for file in message.files
        )
    thread = "".join(_message(reply, []) for reply in replies)
    count = f"<div class=count>{len(replies)} replies</div>" if replies else ""
    below = f"<div class=thread>{count}{thread}</div>" if replies else ""
    return (
        f"<article><div class=face>{'IR' if ours else html.escape(message.user[2:4])}</div>"
        f"<div class=body>{who}{body}{below}</div></article>"
    )


def _blocks(ts: str, blocks: Iterable[dict[str, Any]]) -> Iterable[str]:
    for block in blocks:
        kind = block["type"]
        if kind == "header":
            yield f"<h3>{html.escape(block['text']['text'])}</h3>"
        elif kind == "section":
            if "text" in block:
                yield f"<p>{_text(block['text'])}</p>"
            if "fields" in block:
                yield f"<dl>{''.join(f'<div>{_text(each)}</div>' for each in block['fields'])}</dl>"
        elif kind == "context":
            said = "".join(f"<span>{_text(each)}</span>" for each in block["elements"])
            yield f"<p class=context>{said}</p>"
        elif kind == "actions":
            said = "".join(_button(ts, each) for each in block["elements"])
            yield f"<form class=actions method=post action=/_standin/press>{said}</form>"
        elif kind == "divider":
            yield "<hr>"


def _button(ts: str, button: dict[str, Any]) -> str:
    confirm = button.get("confirm", {}).get("text", {}).get("text", "")
    said = html.escape(button["text"]["text"])
    pressed = html.escape(f"{ts} {button['action_id']}")
    return (
        f"<button name=pressed value='{pressed}' class='{button.get('style', '')}'"
        f" title='{html.escape(confirm)}'>{said}</button>"
    )


def _text(text: dict[str, Any]) -> str:
    return mrkdwn(text["text"]) if text["type"] == "mrkdwn" else html.escape(text["text"])


def mrkdwn(text: str) -> str:
    """Show mrkdwn as HTML; whatever the sender failed to escape is escaped here."""
    shown = []
    for place, piece in enumerate(_FENCE.split(text)):
        if place % 2:
            shown.append(f"<pre>{_tokens(piece)}</pre>")
        else:
            said = _tokens(piece)
            for mark, tag in _MARKS:
                said = mark.sub(tag, said)
            shown.append(said.replace("\n", "<br>"))
    return "".join(shown)


def _tokens(text: str) -> str:
    shown = []
    for place, piece in enumerate(_TOKEN.split(text)):
        said = html.escape(html.unescape(piece))
        shown.append(_token(said) if place % 2 else said)
    return "".join(shown)


def _token(token: str) -> str:
    target, _, label = token.partition("|")
    if target.startswith(("http://", "https://")):
        return f"<a href='{target}'>{label or target}</a>"
    if target.startswith("!date^"):
        seconds = int(target.split("^")[1])
        return f"<time>{datetime.fromtimestamp(seconds, UTC).strftime('%H:%M UTC')}</time>"
    if target[0] in "@#!":
        return f"<mark>@{html.escape(target.lstrip('@#!').removeprefix('subteam^'))}</mark>"
    return f"&lt;{token}&gt;"
