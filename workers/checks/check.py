"""One integration, looked at without changing anything: what a check is, and what it finds."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import httpx

from activities.errors import Failed
from activities.redaction import GONE
from workers.connection import NoTemporal
from workers.settings import Settings, SettingsWrong, secrets_of

SECONDS = 25.0
"""Given to one check; its clients give up before, and say more."""


class State(StrEnum):
    """How an integration is."""

    OK = "ok"
    WRONG = "wrong"
    ABSENT = "not configured"


@dataclass(frozen=True)
class Seen:
    """What a check has found."""

    said: str
    """What is there, in a line."""
    lacks: tuple[str, ...] = ()
    """What is missing, each with what to do."""
    may_not: tuple[str, ...] = ()
    """The same of rights to change something, which only the worker of `changes` needs."""


@dataclass(frozen=True)
class Diagnosis:
    """How one integration is, as it is shown."""

    integration: str
    state: State
    said: str
    todo: tuple[str, ...] = ()
    took_seconds: float = 0.0


class Check(ABC):
    """Looks at one integration, with what the worker itself would use; it never changes it."""

    name: ClassVar[str]
    setting: ClassVar[str]
    """The variable that sets it up."""
    without: ClassVar[str] = ""
    """What is not done without it, where that does not go without saying."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http

    @property
    @abstractmethod
    def configured(self) -> bool:
        """Whether there is anything to look at."""

    @abstractmethod
    async def look(self) -> Seen:
        """Look; what goes wrong may be raised as any of our errors."""


async def examined(check: Check, *, changes: bool, seconds: float = SECONDS) -> Diagnosis:
    """Carry out *check*, whatever happens; without *changes* no right to change counts."""
    if not check.configured:
        without = f"{check.without}: {check.setting}" if check.without else check.setting
        return Diagnosis(check.name, State.ABSENT, without)
    begun = time.monotonic()
    seen = await _guarded(check, seconds)
    wrong = (*seen.lacks, *(seen.may_not if changes else ()))
    noted = "" if changes or not seen.may_not else f"; may not change: {'; '.join(seen.may_not)}"
    secrets = secrets_of(check.settings)

    def shown(text: str) -> str:
        # Our errors quote none; this is for what nobody has thought of.
        for secret in secrets:
            text = text.replace(secret, GONE)
        return text

    return Diagnosis(
        integration=check.name,
        state=State.WRONG if wrong else State.OK,
        said=shown(f"{seen.said}{noted}"),
        todo=tuple(shown(each) for each in wrong),
        took_seconds=round(time.monotonic() - begun, 2),
    )


async def _guarded(check: Check, seconds: float) -> Seen:
    try:
        async with asyncio.timeout(seconds):
            return await check.look()
    except Failed as failed:
        return Seen("", (failed.message,))
    except (SettingsWrong, NoTemporal) as error:
        return Seen("", (str(error),))
    except TimeoutError:
        return Seen("", (f"no answer within {seconds:g} s",))
    except Exception as error:  # noqa: BLE001 (one look that fails is one line, and no end)
        if type(error) is ValueError:
            # Ours, which quotes no secret: what a client says of its own settings.
            return Seen("", (str(error),))
        # Not its text: a library's may hold anything.
        return Seen("", (f"the look itself failed ({type(error).__name__})",))
