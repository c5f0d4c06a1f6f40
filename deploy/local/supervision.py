"""Children that are started again when they end by themselves, as an init system would."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from deploy.local import processes

SomeChild = TypeVar("SomeChild", bound=processes.Child)

LOOK_SECONDS = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """How long a child that ended waits until it is started again, longer each time."""

    first_seconds: float = 0.5
    most_seconds: float = 10.0
    forgiven_after_seconds: float = 30.0
    """A child that ran this long is not in a crash loop: it begins with the first wait again."""


class Supervised(Generic[SomeChild]):
    """A child that is there until it is taken down: ended by anything else, it is started again."""

    def __init__(
        self,
        child: SomeChild,
        *,
        tell: Callable[[str], None] | None = None,
        backoff: Backoff = Backoff(),
    ) -> None:
        """Describe it; nothing starts yet.

        Args:
            child: The program.
            tell: Told, in a sentence, when it ended and when it is back; the log when left out.
            backoff: How quickly it is started again.
        """
        self.child = child
        self._tell = tell or _log.warning
        self._backoff = backoff
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        """Start it, wait until it is ready, and supervise it from now on."""
        await self.child.start()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.child.name}")
        return self

    async def stop(self) -> None:
        """Ask it to end, and leave it so."""
        await self._let_go()
        await self.child.stop()

    async def kill(self) -> None:
        """End it as kill -9 does, and leave it so until it is started."""
        await self._let_go()
        await self.child.kill()

    async def restart(self) -> Self:
        """Stop it and start it again."""
        await self.stop()
        return await self.start()

    async def _let_go(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
            self._keeping = None

    async def _keep(self) -> None:
        wait, began = self._backoff.first_seconds, time.monotonic()
        while True:
            while self.child.running:
                await asyncio.sleep(LOOK_SECONDS)
            code = await self.child.wait()
            if time.monotonic() - began > self._backoff.forgiven_after_seconds:
                wait = self._backoff.first_seconds
            self._tell(f"{self.child.name} {_ended(code)}. It is started again in {wait:g} s.")
            await asyncio.sleep(wait)
            wait = min(2 * wait, self._backoff.most_seconds)
            began = time.monotonic()
            try:
                await self.child.start()
            except Exception as error:  # noqa: BLE001 (whatever it was, the next try may do)
                self._tell(str(error))
            else:
                self._tell(f"{self.child.name} is back.")


def _ended(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
