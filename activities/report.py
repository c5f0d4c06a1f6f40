"""Writes the report of an incident: Markdown, a self-contained page, and the chart beside them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import secrets
import time
from datetime import UTC
from pathlib import Path
from urllib.parse import quote

from temporalio import activity

from activities.changes import heartbeats
from activities.charts import Chart, chart_of, draw
from activities.errors import Unavailable
from activities.record import Record
from activities.report_html import inlined, page
from activities.report_markdown import markdown
from activities.report_text import compose
from activities.words import Answer, Name, Order

_log = logging.getLogger(__name__)

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 120
_LEFTOVER_SECONDS = 3600.0


class WriteReport(Order):
    """The record to put into words."""

    record: Record
    occasion: Name
    """Why it is written, such as "resolved"; stands in the report."""


class Written(Answer):
    """Where the report is: paths on the worker's host, and addresses where it is served."""

    markdown: str
    html: str
    chart: str = ""
    """The chart's picture; empty where nothing was watched, or it could not be drawn."""
    markdown_url: str = ""
    html_url: str = ""

    @property
    def links(self) -> list[str]:
        """The addresses for people: of the web if there are any, else paths."""
        return [self.html_url or self.html, self.markdown_url or self.markdown]


class Reports:
    """A folder of reports, perhaps served at *base_url*."""

    def __init__(self, folder: Path, base_url: str | None = None) -> None:
        self._folder = folder
        self._base_url = (base_url or "").rstrip("/")

    @activity.defn(name="report.write")
    async def write(self, order: WriteReport) -> Written:
        """Write the report; the same record again gives the same files, whole at every moment."""
        async with heartbeats("writing the report"):
            png, svg = await _pictures(chart_of(order.record))
            try:
                return await asyncio.to_thread(self._write, order, png, svg)
            except OSError as problem:
                # A full disk or a missing mount is mended by people while we try again.
                said = f"the report could not be written: {problem.strerror or 'disk problem'}"
                raise Unavailable(said) from problem

    def _write(self, order: WriteReport, png: bytes, svg: str) -> Written:
        name = place(order.record)
        document = compose(order.record, order.occasion)
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        image = path.with_name(f"{path.name}.png")
        pages = {
            # The picture first: a page that shows it is never there without it.
            **({image: png} if png else {}),
            path.with_name(f"{path.name}.md"): markdown(document, image.name if png else "").encode(
                errors="replace"
            ),
            path.with_name(f"{path.name}.html"): page(document, svg).encode(errors="replace"),
        }
        for target, content in pages.items():
            _replace(target, content)
        url = f"{self._base_url}/{quote(name)}" if self._base_url else ""
        return Written(
            markdown=f"{path}.md",
            html=f"{path}.html",
            chart=str(image) if png else "",
            markdown_url=url and f"{url}.md",
            html_url=url and f"{url}.html",
        )


def place(record: Record) -> str:
    """Name the report's files below the folder, without endings, as no other incident's are."""
    opened = record.opened_at.astimezone(UTC)
    run = record.run[:8].lower()
    if not re.fullmatch(r"[0-9a-f]{8}", run):
        run = hashlib.sha256(record.run.encode(errors="replace")).hexdigest()[:8]
    return f"{_folder_name(record.id)}/{opened:%Y%m%dT%H%M%SZ}-{run}"


def _folder_name(identity: str) -> str:
    safe = _UNSAFE.sub("_", identity)[:_LONGEST].lstrip(".-") or "incident"
    if safe == identity:
        return safe
    # What had to be changed could now be the name of another.
    return f"{safe}-{hashlib.sha256(identity.encode(errors='replace')).hexdigest()[:8]}"


async def _pictures(chart: Chart | None) -> tuple[bytes, str]:
    if chart is None:
        return b"", ""
    try:
        png = await draw(chart, "png")
        svg = (await draw(chart, "svg")).decode()
        from activities.drawing import COLOURS

        return png, inlined(svg, chart.words, COLOURS)
    except Exception:  # noqa: BLE001 - a report without its picture is worth having, none is not
        _log.exception("the chart could not be drawn")
        return b"", ""


def _replace(target: Path, content: bytes) -> None:
    """Put *content* in place of *target* in one go: after a crash it is the old or the new."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove the drafts of writers that died; younger ones may still be written."""
    for draft in folder.glob(".*.tmp"):
        try:
            if time.time() - draft.stat().st_mtime > _LEFTOVER_SECONDS:
                draft.unlink()
        except FileNotFoundError:
            # Another writer has put it in place or swept it meanwhile.
            continue
