"""Takes what comes from Slack, has it done, and answers each person alone, in Slack's time.

Slack waits three seconds and does not repeat a press or a command. So each is carried out first and
taken from Slack's hands afterwards: who is killed in between leaves Slack to tell the person that
it failed. What lasts longer is taken at the last moment, and its answer follows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import Failed
from starters.acting import NotRecorded, NotTaken, NotThere, Refused
from starters.finding import NoWorker
from starters.meters import Meters
from starters.slack_answers import Answers, Said
from starters.slack_clerk import Clerk, carried
from starters.slack_payloads import Challenge, Command, Press, Received, Remark, Submission, Whence
from workers.connection import NoTemporal
from workers.settings import Settings

ANSWER_SECONDS = 2.2
"""Slack waits 3 s, and the way there takes some; an act waits 2 s for a worker."""
LAST_TRY = 3
"""How often Slack repeats an event that was not taken."""
_GOODBYE_SECONDS = 8.0
_LATER = "This takes longer than usual. What became of it follows here."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What Slack is answered."""

    body: dict[str, Any] | None = None
    taken: bool = True
    """False leaves it to Slack to bring it again."""


class Desk:
    """Takes what comes from Slack, by whichever way it came."""

    def __init__(self, client: Client, settings: Settings, meters: Meters) -> None:
        self._acts = meters.slack_acts
        self._marker = settings.slack.note_marker.casefold()
        self._answers = Answers(settings.slack)
        self._clerk = Clerk(client, settings, self._answers, meters)
        self._work: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what has begun: somebody waits for each answer."""
        end = asyncio.get_running_loop().time() + _GOODBYE_SECONDS
        while self._work and (left := end - asyncio.get_running_loop().time()) > 0:
            # Again and again: what ends may have its answer still to be told.
            await asyncio.wait(self._work, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def take(self, received: Received, *, tries: int = 0) -> Reply:
        """Carry out what was *received*, and answer in time; *tries* came before this one."""
        match received:
            case Challenge():
                return Reply({"challenge": received.word})
            case Remark():
                return await self._listen(received, tries)
            case Command():
                work = self._clerk.command(received)
                return await self._carry_out(received.whence, work, inline=True)
            case Submission():
                return await self._submitted(received)
            case Press():
                return await self._carry_out(received.whence, self._clerk.press(received))

    async def _submitted(self, submission: Submission) -> Reply:
        if not submission.fields.get("reason", "").strip():
            blank = {"reason": "Say in a few words why it is over."}
            return Reply({"response_action": "errors", "errors": blank})
        brought, who = carried(submission), submission.whence
        # A window stands nowhere: the answer goes to where it was opened.
        beside = Whence(who.user, who.team, brought.channel, brought.thread)
        return await self._carry_out(beside, self._clerk.resolve(submission, brought))

    async def _carry_out(
        self, whence: Whence, work: Coroutine[Any, Any, Said | None], *, inline: bool = False
    ) -> Reply:
        """Do *work* for a while before Slack is answered; *inline* takes its answer along."""
        task = self._keep(self._worded(whence, work))
        done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        if not done:
            self._keep(self._tell_when_done(whence, task))
            return Reply(_private(Said(_LATER)) if inline else None)
        said = task.result()
        if said is not None and inline:
            return Reply(_private(said))
        if said is not None:
            self._keep(self._answers.tell(whence, said))
        return Reply()

    async def _tell_when_done(self, whence: Whence, work: asyncio.Task[Said | None]) -> None:
        said = await work
        if said is not None:
            await self._answers.tell(whence, said)

    async def _worded(self, whence: Whence, work: Coroutine[Any, Any, Said | None]) -> Said | None:
        """Do *work*; whatever goes wrong becomes words for the one who asked."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 (it is told, and logged)
            return Said(self._trouble(whence, error))

    async def _listen(self, remark: Remark, tries: int) -> Reply:
        """Have a marked message noted; brought again it has the same id and is the same note."""
        words = remark.text.strip()
        if not words.casefold().startswith(self._marker):
            return Reply()
        text = words[len(self._marker) :].strip()
        task = self._keep(self._noted(remark, text, last=tries >= LAST_TRY))
        done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        return Reply(taken=bool(done) and task.result())

    async def _noted(self, remark: Remark, text: str, *, last: bool) -> bool:
        """Note it, and tell whether that is settled; its writer hears of what is amiss."""
        taken, said = True, None
        try:
            said = await self._clerk.note(remark, text)
        except Exception as error:  # noqa: BLE001 (it is told, and logged)
            taken = last or isinstance(error, Refused | NotThere)
            words = self._trouble(remark.whence, error)
            said = Said(words) if taken else None
        if said is not None:
            self._keep(self._answers.tell(remark.whence, said))
        return taken

    def _trouble(self, whence: Whence, error: BaseException) -> str:
        if isinstance(error, Refused | NotThere):
            self._acts.labels("refused").inc()
            return f"Not done: {error}"
        self._acts.labels("failed").inc()
        if isinstance(error, NotRecorded | NoWorker):
            return str(error)
        if isinstance(error, NoTemporal | RPCError | Failed | NotTaken):
            said = error.message if isinstance(error, RPCError | Failed) else str(error)
            _log.error("an act of %s from Slack was not recorded: %s", whence.user, said)
            return f"Not recorded as far as is known, so try again: {said}"
        _log.error("an act of %s from Slack ended in an error", whence.user, exc_info=error)
        return "Something is wrong here. Look whether it was recorded before you try again."

    def _keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # Held on to: the loop itself would forget it.
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def _private(said: Said) -> dict[str, Any]:
    return {"response_type": "ephemeral", **said.content}
