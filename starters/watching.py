"""Watches one incident: asks for it once a second, shows it, and carries out what keys come to."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text
from temporalio.client import Client
from temporalio.service import RPCError

from activities.record import Record
from starters import screen, views
from starters.acting import NotTaken, NotThere, State, act
from starters.finding import NoWorker, over, record_of
from starters.keys import HOLD_MINUTES, Keys, Wanted
from workers.connection import NoTemporal, unreachable
from workflows.acts import Act

AGAIN_SECONDS = 1.0
"""Between two questions, and between two pictures while nothing happens."""
Acting = Callable[[Wanted], Act]


class Watch:
    """One person in front of one incident; without *keys* that person only looks."""

    def __init__(
        self, client: Client, incident: str, console: Console, *, keys: Keys | None, make: Acting
    ) -> None:
        self._client = client
        self._incident = incident
        self._console = console
        self._keys = keys
        self._make = make
        self._record: Record | None = None
        self._trouble = ""
        self._news = asyncio.Event()
        self._left = False
        self._acts: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()

    async def run(self, *, full_screen: bool = False) -> None:
        """Show it until it is over, or the person leaves."""
        looking = asyncio.create_task(self._look())
        looking.add_done_callback(lambda _: self._news.set())
        shown = Live(console=self._console, auto_refresh=False, screen=full_screen)
        try:
            listening = typed(self._type) if self._keys else contextlib.nullcontext()
            with ended_by(self._leave), shown, listening:
                while not (looking.done() or self._left or (self._keys and self._keys.over)):
                    self._news.clear()
                    shown.update(self._picture(), refresh=True)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_SECONDS):
                            await self._news.wait()
                await asyncio.gather(*self._acts)
                shown.update(self._picture(last=True), refresh=True)
            if full_screen:
                self._console.print(self._picture(last=True))
            if looking.done():
                looking.result()
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    def _leave(self) -> None:
        self._left = True
        self._news.set()

    async def _look(self) -> None:
        while self._record is None or not over(self._record):
            newest, self._trouble = await look(self._client, self._incident)
            self._record = newest or self._record
            self._news.set()
            if self._record is None or not over(self._record):
                await asyncio.sleep(AGAIN_SECONDS)

    def _type(self, text: str) -> None:
        self._news.set()
        if self._keys is None or self._record is None:
            return
        # Also while an act is under way: of a text that lost its first key the rest would be keys.
        if (wanted := self._keys.press(text, self._record)) is not None:
            self._acts.append(asyncio.create_task(self._act(self._keys, wanted)))

    async def _act(self, keys: Keys, wanted: Wanted) -> None:
        keys.tell(f"{wanted.kind.value} …", well=True)
        async with self._one_at_a_time:
            keys.tell(*await self._outcome(wanted))
        self._news.set()

    async def _outcome(self, wanted: Wanted) -> tuple[str, bool]:
        try:
            outcome = await act(self._client, self._incident, wanted.kind, self._make(wanted))
        except NotTaken as error:
            return f"not done: {error}", False
        except (NoTemporal, RPCError, RuntimeError, OSError) as error:
            return f"not done, as far as is known: {error}", False
        return outcome.said, outcome.state is State.DONE

    def _picture(self, *, last: bool = False) -> RenderableType:
        if self._record is None:
            return Text(self._trouble or "asking…")
        foot = None if last or self._keys is None else foot_of(self._keys, self._record)
        return screen.live(self._record, views.utc_now(), self._trouble, self._console, foot)


def foot_of(keys: Keys, record: Record) -> RenderableType:
    """Show what became of the last act, and what can be typed."""
    lines: list[RenderableType] = [Rule(style="dim")]
    if keys.said:
        lines.append(Text(keys.said, "green" if keys.went_well else "yellow"))
    choices = [Text(each, "bold") for each in keys.choices(record)]
    lines.append(Columns(choices, padding=(0, 2)) if choices else Text(keys.line(record), "bold"))
    return Group(*lines)


async def look(client: Client, name: str) -> tuple[Record | None, str]:
    """Ask once; worker and server may come and go meanwhile."""
    try:
        return await record_of(client, name), ""
    except NoWorker:
        return None, "no worker answers; the incident waits for one, and so do we"
    except NotThere:
        raise
    except (RPCError, RuntimeError, OSError, NoTemporal) as error:
        if not unreachable(error):
            raise
        return None, "Temporal does not answer; trying again"


def act_of(wanted: Wanted, *, by: str, via: str, id: str) -> Act:  # noqa: A002 (the act's word)
    """Write the act that keys have come to, bound to what was on the screen."""
    return Act(
        id=id,
        by=by,
        via=via,
        text=wanted.text,
        question=wanted.question,
        shown=wanted.shown,
        run=wanted.run,
        minutes=HOLD_MINUTES,
    )


@contextmanager
def ended_by(leave: Callable[[], None]) -> Iterator[None]:
    """Leave in order when the process is to end, or its terminal is gone."""
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signalled, leave)
    try:
        yield
    finally:
        for signalled in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(signalled)


@contextmanager
def typed(take: Callable[[str], None]) -> Iterator[None]:
    """Hand on each key at once, unechoed; the terminal is then what it was. Ctrl-C still ends."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    loop = asyncio.get_running_loop()

    def read() -> None:
        found = os.read(terminal, 1024)
        if not found:
            loop.remove_reader(terminal)  # the terminal is gone: readable for ever
        elif text := decoder.decode(found):
            take(text)

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
