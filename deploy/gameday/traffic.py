"""The platform's users: a steady rate of requests through the balancer, as a process of its own.

At most `MOST_AT_ONCE` requests are under way: who gets no answer does not ask again, so that an
overloaded platform is slow and not dead, and the load on the machine is bounded.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections import Counter, deque
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

RATE = 15.0
"""Requests a second on a normal day."""

MOST_RATE = 100.0
MOST_AT_ONCE = 56
GIVEN_UP_SECONDS = 10.0
WINDOW_SECONDS = 5.0

_MIX = ("users", "dashboard", "orgs", "dashboard", "chat", "users", "orgs", "dashboard")
"""Each user comes once in a long while, and is looked up in vain: 2 of 7 look-ups on a good day."""


class Traffic:
    """Sends requests at the rate that stands in a file, and writes down how they went."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._wanted = folder / RATE_FILE
        self._told = folder / SEEN_FILE
        self._paths = itertools.cycle(_MIX)
        self._users = itertools.cycle(range(1, 401))
        self._chats = itertools.count()
        self._wild = folder / WILD_FILE
        self._under_way: set[asyncio.Task[None]] = set()
        self._recent: deque[tuple[float, float, bool]] = deque()
        self._counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Send until cancelled."""
        limit = aiohttp.ClientTimeout(total=GIVEN_UP_SECONDS)
        connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
        async with (
            aiohttp.ClientSession(self._url, timeout=limit, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._tell())
            tasks.create_task(self._run_wild(session))
            await self._send(session)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        due = time.monotonic()
        while True:
            due += 1 / wanted_rate(self._wanted)
            behind = time.monotonic() - due
            if behind > 1:
                due += behind  # after a stall: go on, do not catch up
            await asyncio.sleep(max(0.0, -behind))
            if len(self._under_way) >= MOST_AT_ONCE:
                self._counts["not sent"] += 1
                continue
            task = asyncio.create_task(self._ask(session))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        kind = next(self._paths)
        began = time.monotonic()
        try:
            if kind == "chat":
                number = next(self._chats)
                about = {"organization_id": 1 + number % 8, "critical": number % 4 == 0}
                said = {"text": "hello", **about}
                answer = await session.post("/api/chat", json=said)
            else:
                path = f"/api/users/{next(self._users)}" if kind == "users" else f"/api/{kind}"
                answer = await session.get(path)
            async with answer:
                await answer.read()
            outcome = str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = type(error).__name__
        self._counts[outcome] += 1
        now = time.monotonic()
        self._recent.append((now, now - began, outcome == "200"))

    async def _run_wild(self, session: aiohttp.ClientSession) -> None:
        """Send what one organization asks of the models beside all others, while it is told to."""
        while True:
            try:
                organization, rate, tokens = json.loads(self._wild.read_text())
            except (OSError, ValueError):
                await asyncio.sleep(0.2)
                continue
            said = {"text": "word " * tokens, "organization_id": organization}
            task = asyncio.create_task(self._ask_wildly(session, said))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(1 / rate)

    async def _ask_wildly(self, session: aiohttp.ClientSession, said: dict[str, object]) -> None:
        # A program asks, and no user waits for it: it counts for nobody's wait.
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with await session.post("/api/chat", json=said) as answer:
                await answer.read()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            while self._recent and self._recent[0][0] < now - WINDOW_SECONDS:
                self._recent.popleft()
            took = sorted(seconds for _, seconds, _ in self._recent)
            seen = {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "rate": wanted_rate(self._wanted),
                "window_seconds": WINDOW_SECONDS,
                "answered": len(took),
                "failed": sum(not good for *_, good in self._recent),
                "p95_seconds": took[int(len(took) * 0.95)] if took else None,
                "since_start": dict(self._counts),
            }
            arriving = self._told.with_suffix(".part")
            arriving.write_text(json.dumps(seen))
            arriving.replace(self._told)


RATE_FILE = "rate"
SEEN_FILE = "seen.json"
WILD_FILE = "wild.json"
"""An organization that runs wild: its id, requests a second, and tokens of each."""


def run_wild(folder: Path, organization: int, rate: float, tokens: int) -> None:
    """Have an organization ask the models for more than it should."""
    arriving = folder / f".{WILD_FILE}"
    arriving.write_text(json.dumps([organization, rate, tokens]))
    arriving.replace(folder / WILD_FILE)


def calm_down(folder: Path) -> None:
    """Have it stop."""
    (folder / WILD_FILE).unlink(missing_ok=True)


def wanted_rate(file: Path) -> float:
    """Read the rate that is wanted; within bounds, whatever is written there."""
    try:
        return min(max(float(file.read_text()), 0.1), MOST_RATE)
    except (OSError, ValueError):
        return RATE


def main() -> None:
    """Run with the balancer's URL and the folder of the rate file as arguments."""
    url, folder = sys.argv[1], Path(sys.argv[2])
    calm_down(folder)
    asyncio.run(Traffic(url, folder).run())


if __name__ == "__main__":
    main()
