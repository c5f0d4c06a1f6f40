"""Does what people ask for in Slack, as the persons they are, and answers each of them alone.

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

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

from activities.buttons import Pressed, Target, decode
from activities.errors import Failed
from starters.acting import NotRecorded, NotTaken, NotThere, Outcome, Refused, State, act
from starters.finding import NoWorker
from starters.meters import Meters
from starters.slack_answers import Answers, Said, window
from starters.slack_commands import HELP, KINDS, WITH_TEXT, find, read, split
from starters.slack_payloads import Challenge, Command, Press, Received, Remark, Submission, Whence
from starters.slack_views import listing, shown
from workers.connection import NoTemporal
from workers.settings import Settings, variable
from workflows.acts import Act, ActKind

ANSWER_SECONDS = 2.4
"""Slack waits 3 s; what is left is for the way there."""
LAST_TRY = 3
"""How often Slack repeats an event that was not taken."""
_GOODBYE_SECONDS = 8.0
_VIA = "slack"
_LATER = "This takes longer than usual. What became of it follows here."
_KINDS = {
    Pressed.ACKNOWLEDGE: ActKind.ACKNOWLEDGE,
    Pressed.HOLD: ActKind.HOLD,
    Pressed.STOP: ActKind.TAKE_OVER,
    Pressed.ESCALATE: ActKind.ESCALATE,
    Pressed.TAKE_OVER: ActKind.TAKE_OVER,
    Pressed.HAND_BACK: ActKind.HAND_BACK,
    Pressed.APPROVE: ActKind.APPROVE,
    Pressed.REJECT: ActKind.REJECT,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What Slack is answered."""

    body: dict[str, Any] | None = None
    taken: bool = True
    """False leaves it to Slack to bring it again."""


class _Carried(BaseModel):
    """What a window carries from the press to its answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    target: str
    channel: str = ""
    thread: str = ""


class Desk:
    """Takes what comes from Slack, by whichever way it came."""

    def __init__(self, client: Client, settings: Settings, meters: Meters) -> None:
        self._client = client
        self._settings = settings
        self._acts = meters.slack_acts
        self._answers = Answers(settings.slack)
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
        if self._work:
            await asyncio.wait(self._work, timeout=_GOODBYE_SECONDS)

    async def take(self, received: Received, *, tries: int = 0) -> Reply:
        """Carry out what was *received*, and answer in time; *tries* came before this one."""
        match received:
            case Challenge():
                return Reply({"challenge": received.word})
            case Remark():
                return await self._note(received, tries)
            case Command():
                return await self._carry_out(received.whence, self._command(received), inline=True)
            case Submission():
                if not received.fields.get("reason", "").strip():
                    blank = {"reason": "Say in a few words why it is over."}
                    return Reply({"response_action": "errors", "errors": blank})
                return await self._submitted(received)
            case Press():
                return await self._carry_out(received.whence, self._press(received))

    async def _carry_out(
        self, whence: Whence, work: Coroutine[Any, Any, Said | None], *, inline: bool = False
    ) -> Reply:
        """Do *work* for a while before Slack is answered; *inline* takes its answer along."""
        task = self._keep(self._worded(whence, work))
        done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        if not done:
            self._keep(self._tell_later(whence, task))
            return Reply(_private(Said(_LATER)) if inline else None)
        said = task.result()
        if said is None or not inline:
            if said is not None:
                self._keep(self._answers.tell(whence, said))
            return Reply()
        return Reply(_private(said))

    async def _tell_later(self, whence: Whence, work: asyncio.Task[Said | None]) -> None:
        said = await work
        if said is not None:
            await self._answers.tell(whence, said)

    async def _worded(self, whence: Whence, work: Coroutine[Any, Any, Said | None]) -> Said | None:
        """Do *work*; whatever goes wrong becomes words for the one who asked."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 (it is told, and logged)
            return Said(self._trouble(whence, error))

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

    # Who, and what

    def _person(self, whence: Whence) -> str:
        """Name who it is; a signature proves that it is Slack, not that they may do anything."""
        slack = self._settings.slack
        if slack.team and whence.team != slack.team:
            raise Refused("only people of our own workspace can act here")
        name = slack.people.get(whence.user)
        if name is None:
            raise Refused(
                f"you ({whence.user}) are not known here, so nothing was done. Whoever runs the "
                f"responder can add you ({variable('slack', 'people')})"
            )
        return name

    async def _act(
        self, incident: str, kind: ActKind, what: Act, *, aside: str = ""
    ) -> tuple[Said, Outcome]:
        outcome = await act(self._client, incident, kind, what)
        self._acts.labels("done" if outcome.state is State.DONE else "recorded").inc()
        return Said(f"{incident}: {outcome.said}{aside}"), outcome

    async def _press(self, press: Press) -> Said | None:
        by = self._person(press.whence)
        target = decode(press.value)
        if press.action not in set(Pressed) or target is None:
            raise Refused(
                "that button is not known here: it may be of another version. "
                "`/incident list` has what is open"
            )
        if press.action == Pressed.RESOLVE:
            view = window(press.value, target.incident, press.whence)
            try:
                await self._answers.open_window(press.trigger, view)
            except Failed as failed:
                raise Refused(
                    f"the window for the reason could not be opened ({failed.message}). "
                    f"Write `/incident resolve {target.incident} WHY`"
                ) from failed
            return None
        pressed = Pressed(press.action)
        what = _bound(press.id, by, target)
        aside = ". Hand back when it may go on" if pressed is Pressed.STOP else ""
        return (await self._act(target.incident, _KINDS[pressed], what, aside=aside))[0]

    async def _submitted(self, submission: Submission) -> Reply:
        whence, target = submission.whence, None
        try:
            carried = _Carried.model_validate_json(submission.carried)
        except ValidationError:
            carried = _Carried(target="")
        if submission.window == Pressed.RESOLVE:
            target = decode(carried.target)
        beside = Whence(whence.user, whence.team, carried.channel, carried.thread)

        async def work() -> Said:
            by = self._person(whence)
            if target is None:
                raise Refused("that window is not known here: it may be of another version")
            what = _bound(submission.id, by, target, text=submission.fields["reason"])
            return (await self._act(target.incident, ActKind.RESOLVE, what))[0]

        return await self._carry_out(beside, work())

    async def _command(self, command: Command) -> Said:
        by = self._person(command.whence)
        verb, rest = split(command.text)
        if verb in ("", "help"):
            return Said(HELP)
        if verb == "list":
            return await listing(self._client)
        if verb == "show":
            incident, _ = await find(self._client, rest, text=False)
            return await shown(self._client, incident, self._settings.policy)
        kind = KINDS.get(verb)
        if kind is None:
            return Said(f"There is no `{verb[:40]}`.\n{HELP}")
        incident, left = await find(self._client, rest, text=kind in WITH_TEXT)
        wish = read(kind, left)
        what = Act(
            id=command.id,
            by=by,
            via=_VIA,
            text=wish.text,
            question=wish.question,
            minutes=wish.minutes,
        )
        return (await self._act(incident, kind, what))[0]

    async def _note(self, remark: Remark, tries: int) -> Reply:
        """Write a marked message of a thread into the timeline of its incident."""
        marker = self._settings.slack.note_marker.casefold()
        words = remark.text.strip()
        if not words.casefold().startswith(marker):
            return Reply()
        text = words[len(marker) :].strip()
        task = self._keep(self._noted(remark, text, last=tries >= LAST_TRY))
        done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        # Brought again it has the same id, and is the same note.
        return Reply(taken=bool(done) and task.result())

    async def _noted(self, remark: Remark, text: str, *, last: bool) -> bool:
        """Note it, and tell whether it needs to come again; its writer hears of what is amiss."""
        whence = remark.whence
        try:
            target = await self._answers.incident_at(whence.channel, whence.thread)
            if target is None:
                return True  # somebody else's thread
            what = _bound(remark.id, self._person(whence), target, text=text)
            said, outcome = await self._act(target.incident, ActKind.NOTE, what)
            if outcome.state is State.RECORDED:
                await self._answers.tell(whence, said)
        except (Refused, NotThere) as refused:
            await self._answers.tell(whence, Said(self._trouble(whence, refused)))
        except Exception as error:  # noqa: BLE001 (it is logged, and told when Slack gives up)
            words = self._trouble(whence, error)
            if last:
                await self._answers.tell(whence, Said(words))
            return last
        return True

    def _keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # Held on to: the loop itself would forget it.
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def _bound(name: str, by: str, target: Target, *, text: str = "") -> Act:
    return Act(
        id=name,
        by=by,
        via=_VIA,
        text=text,
        question=target.question[:64],
        run=target.run[:64],
        shown=target.shown,
    )


def _private(said: Said) -> dict[str, Any]:
    return {"response_type": "ephemeral", **said.content}
