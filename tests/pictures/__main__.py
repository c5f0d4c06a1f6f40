"""Takes the pictures of the documents anew: ``python -m tests.pictures [folder]``.

What people see of an incident: Slack's messages, as the stand-in lays them out, and Temporal's own
user interface, both at the width of a telephone and of a desk. Needs a Chromium.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

from activities.record import Phase
from tests.pictures import scenes
from tests.pictures.browser import Browser, save
from tests.pictures.stage import Stage, stage

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDTHS = {"desk": 1440, "telephone": 390}
_THREAD = 700
_STILL = (
    "fetch('/').then(a => a.text()).then(t => {"
    "document.documentElement.innerHTML = t; document.body.dataset.still = 1})"
)
"""The page of the stand-in loads itself anew; written into another one it stays as it is."""
_WORKFLOWS = "/namespaces/default/workflows"
COLUMNS = ("Status", "Workflow ID", "Severity", "Phase", "AlertName", "Environment", "Start")
_COLUMNS = "namespace-workflow-table-columns"
"""Where the browser keeps them."""


class Album:
    """Takes pictures of a stage into a folder."""

    def __init__(self, stage: Stage, browser: Browser, folder: Path) -> None:
        self._stage, self._browser, self._folder = stage, browser, folder

    async def slack(
        self, name: str, words: str, *, root: bool = False, keep: str = "", wide: int = _THREAD
    ) -> None:
        """Show the newest message that says *words*; of a root's thread only what says *keep*."""
        browser = self._browser
        look = f"{self._stage.slack.url}/_standin/duplicates"
        await browser.open(look, wide=wide, awaits="document.body")
        await browser.run(_STILL)
        which = "section > article" if root else "article article"
        found = f"{_all(which)}.findLast(e => e.innerText.includes({words!r}))"
        await browser.until(f"document.body.dataset.still && {found}")
        other = f"(e => !{keep!r} || !e.innerText.includes({keep!r}))"
        rest = f"{_all('.thread > article, .count')}.filter{other}.forEach(e => e.remove())"
        bare = f"{_all('.thread:not(:has(article))')}.forEach(e => e.remove())"
        await browser.run(f"{found}.id = 'shown'" + (f"; {rest}; {bare}" if root else ""))
        save(await browser.picture("#shown"), self._folder / f"slack-{name}.png")

    async def choose_columns(self) -> None:
        """Choose the columns of the list, as a person does once in a browser of their own."""
        await self._browser.open(f"{self._stage.ui}/favicon.ico", wide=1440, awaits="document.body")
        columns = json.dumps({"default": [{"label": name} for name in COLUMNS]})
        await self._browser.run(f"localStorage.setItem({_COLUMNS!r}, {json.dumps(columns)})")

    async def temporal(self, name: str, path: str, *, awaits: str, high: int = 800) -> None:
        """Show a page of Temporal's user interface once *awaits* is true, at both widths."""
        for device, wide in WIDTHS.items():
            address = f"{self._stage.ui}{_WORKFLOWS}{path}"
            await self._browser.open(address, wide=wide, high=high, awaits=awaits)
            picture = await self._browser.picture()
            save(picture, self._folder / f"temporal-{name}-{device}.png")


def _all(which: str) -> str:
    return f"[...document.querySelectorAll({which!r})]"


def _says(words: str) -> str:
    return f"document.body.innerText.includes({words!r})"


async def main(folder: Path) -> None:
    """Play the scenes, and take a picture at each."""
    async with stage() as raised, Browser() as browser:
        album = Album(raised, browser, folder)
        press = raised.slack.press
        await scenes.others(raised)
        asking = await scenes.question(raised)
        failing = await scenes.unanswered(raised)
        await album.choose_columns()
        await album.temporal("list", "", awaits=_says(asking.id))
        run = (await asking.record()).run
        # The page is a frame of its own, whose words are not among the body's.
        metadata, frame = f"/{asking.id}/{run}/user-metadata", "document.querySelector('iframe')"
        await album.temporal("incident", metadata, awaits=frame, high=1500)
        history = f"/{asking.id}/{run}/timeline"
        await album.temporal("timeline", history, awaits=_says("A question waits"), high=1300)
        await album.slack("root", "HighDatabaseConnections", root=True)
        await album.slack("root-telephone", "HighDatabaseConnections", root=True, wide=390)
        await album.slack("approval-open", "Approve")

        await press((await scenes.root_of(asking)).ts, "acknowledge", user="U0DANA")
        await press((await scenes.asked_of(asking)).ts, "approve", user="U0DANA")
        await asking.until(lambda r: r.phase is Phase.VERIFYING and r.people.acknowledged_by)
        await album.slack("approval-decided", "Approved by")
        await scenes.escalated(raised, failing)
        await album.slack("escalation", "CriticalAPIErrorRate", root=True, keep="robin asks")

        await asking.pass_time(minutes=12)
        await asking.over()
        await asking.ends()
        await album.slack("over", "RESOLVED", root=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # what nothing answers in a scene fails on purpose
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
