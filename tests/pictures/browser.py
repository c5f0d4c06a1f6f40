"""A headless Chromium that is told over a pipe what to open, and gives pictures of it."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1
_MOST_BYTES = 64 << 20
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Far away first: either may have the other's number.
_INTO_PLACE = """
import fcntl, os, sys
orders, answers = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1:3])
os.dup2(orders, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program() -> str:
    """Find the browser, or say what is missing."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise FileNotFoundError("no Chromium: Debian has it as the package chromium")
    return found


class Browser:
    """One page of a browser, steered by the DevTools protocol."""

    def __init__(self, *, zone: str = "UTC", language: str = "en_GB") -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True)
        self._environment = {**os.environ, "TZ": zone, "LANG": f"{language}.UTF-8"}
        self._numbers = count(1)
        self._session = ""

    async def __aenter__(self) -> Self:
        # It reads orders at its file descriptor 3, and answers at 4.
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        command = [program(), *_OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", _INTO_PLACE, str(theirs_in), str(theirs_out), *command),
            env=self._environment,
            pass_fds=(theirs_in, theirs_out),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        loop = asyncio.get_running_loop()
        self._answers = asyncio.StreamReader(limit=_MOST_BYTES)
        self._reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._answers), os.fdopen(ours_in, "rb")
        )
        self._orders = os.fdopen(ours_out, "wb", buffering=0)
        target = await self._call("Target.createTarget", url="about:blank")
        attached = await self._call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._orders.close()
        self._reading.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()
        self._profile.cleanup()

    async def open(self, address: str, *, wide: int, high: int = 900, awaits: str) -> None:
        """Open a page in a window of a size, and wait until a script says that all is there."""
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=wide,
            height=high,
            deviceScaleFactor=1,
            mobile=wide < 600,
        )
        await self._call("Page.navigate", url=address)
        await self.until(awaits)

    async def until(self, script: str) -> None:
        """Wait until *script* is true, and the page has stood still for a moment."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                before = None
                while True:
                    there = await self.run(f"!!({script})")
                    # What comes in late pushes the rest about: twice the same is at rest.
                    now = await self.run("document.body.innerText + document.body.scrollHeight")
                    if there and now == before:
                        return
                    before = now
                    await asyncio.sleep(5 * _POLL_SECONDS)
        except TimeoutError:
            shown = await self.run("document.body.innerText")
            raise TimeoutError(f"never true: {script}. It shows: {shown[:2000]}") from None

    async def run(self, script: str) -> Any:
        """Give what *script* comes to on the page."""
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def picture(self, of: str = "", *, margin: int = 8, most_high: int = 4000) -> bytes:
        """Give a PNG of the window, or of the first element that a selector finds."""
        if not of:
            shot = await self._call("Page.captureScreenshot", format="png")
            return base64.b64decode(shot["data"])
        box = await self.run(
            f"(e => {{const b = e.getBoundingClientRect(); return [b.x + scrollX, b.y + scrollY,"
            f" b.width, b.height]}})(document.querySelector({json.dumps(of)}))"
        )
        x, y, width, height = box
        clip = {
            "x": max(x - margin, 0),
            "y": max(y - margin, 0),
            "width": width + 2 * margin,
            "height": min(height, most_high) + 2 * margin,
            "scale": 1,
        }
        shot = await self._call(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(shot["data"])

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        order: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        self._orders.write(json.dumps(order).encode() + b"\0")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = json.loads((await self._answers.readuntil(b"\0"))[:-1])
                if answer.get("id") == number:
                    break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])


def save(picture: bytes, path: Path) -> None:
    """Keep a picture with as few colours as it needs."""
    import io

    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
