"""Does what one person asks for in Slack: who they are, which incident is meant, and the act."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.client import Client

from activities.buttons import Pressed, Target, decode
from activities.errors import Failed, Gone
from starters.acting import NotTaken, Outcome, Refused, State, act
from starters.escalating import bound
from starters.freezing import freeze, meant, unfreeze
from starters.meters import Meters
from starters.slack_answers import Answers, Said, window
from starters.slack_commands import HELP, KINDS, WITH_TEXT, find, read, split
from starters.slack_payloads import Command, Press, Remark, Submission, Whence, act_id
from starters.slack_views import listing, shown
from workers.settings import Settings, variable
from workflows.acts import Act, ActKind

VIA = "slack"
_PRESS = "to call {level} too, press Escalate under the incident"
_KINDS = {
    Pressed.ACKNOWLEDGE: ActKind.ACKNOWLEDGE,
    Pressed.HOLD: ActKind.HOLD,
    # And not a hold: that ends by itself, and is lost where no worker runs.
    Pressed.STOP: ActKind.TAKE_OVER,
    Pressed.ESCALATE: ActKind.ESCALATE,
    Pressed.TAKE_OVER: ActKind.TAKE_OVER,
    Pressed.HAND_BACK: ActKind.HAND_BACK,
    Pressed.APPROVE: ActKind.APPROVE,
    Pressed.REJECT: ActKind.REJECT,
}


class Carried(BaseModel):
    """What a window carries from the press to its answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    target: str = ""
    channel: str = ""
    thread: str = ""


class Clerk:
    """Acts for people; what cannot be done is raised, in words for them."""

    def __init__(
        self, client: Client, settings: Settings, answers: Answers, meters: Meters
    ) -> None:
        self._client = client
        self._settings = settings
        self._answers = answers
        self._acts = meters.slack_acts

    async def press(self, press: Press) -> Said | None:
        """Do what a button says; None where a window says it."""
        by = self._person(press.whence)
        target = decode(press.value)
        if press.action not in set(Pressed) or target is None:
            raise Refused(
                "that button is not known here: it may be of another version. "
                "`/incident list` has what is open"
            )
        pressed = Pressed(press.action)
        if pressed is Pressed.RESOLVE:
            await self._ask_why(press, target)
            return None
        aside = ". Hand back when it may go on" if pressed is Pressed.STOP else ""
        what = _bound(press.id, by, target)
        return (await self._act(target.incident, _KINDS[pressed], what, aside=aside))[0]

    async def resolve(self, submission: Submission, carried: Carried) -> Said:
        """Resolve, for the reason that was filled in."""
        by = self._person(submission.whence)
        target = decode(carried.target) if submission.window == Pressed.RESOLVE else None
        if target is None:
            raise Refused("that window is not known here: it may be of another version")
        what = _bound(submission.id, by, target, text=submission.fields["reason"])
        return (await self._act(target.incident, ActKind.RESOLVE, what))[0]

    async def command(self, command: Command) -> Said:
        """Do what a slash command says."""
        by = self._person(command.whence)
        verb, rest = split(command.text)
        if verb in ("", "help"):
            return Said(HELP)
        if verb == "list":
            return await listing(self._client)
        if verb == "show":
            incident, _ = await find(self._client, rest, text=False)
            return await shown(self._client, incident, self._settings.policy)
        if verb in ("freeze", "unfreeze"):
            return await self._freeze(command, by, rest, thaw=verb == "unfreeze")
        kind = KINDS.get(verb)
        if kind is None:
            return Said(f"There is no `{verb[:40]}`.\n{HELP}")
        incident, left = await find(self._client, rest, text=kind in WITH_TEXT)
        wish = read(kind, left)
        what = Act(
            id=command.id,
            by=by,
            via=VIA,
            text=wish.text,
            question=wish.question,
            minutes=wish.minutes,
        )
        if kind is ActKind.ESCALATE:
            policy, confirm = self._settings.policy, _PRESS
            what = await bound(self._client, policy, incident, what, confirm=confirm)
        return (await self._act(incident, kind, what))[0]

    async def note(self, remark: Remark, text: str) -> Said | None:
        """Note what was written in an incident's thread; None where there is nothing to say.

        That it was noted shows in the thread itself.
        """
        whence = remark.whence
        try:
            target = await self._answers.incident_at(whence.channel, whence.thread)
        except Gone:
            raise Refused(
                "the message of this thread is gone, so which incident it is about is not known. "
                "Write `/incident note ID TEXT`"
            ) from None
        if target is None:
            return None  # somebody else's thread
        what = _bound(remark.id, self._person(whence), target, text=text)
        said, outcome = await self._act(target.incident, ActKind.NOTE, what)
        return said if outcome.state is State.RECORDED else None

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
        self._count(outcome)
        return Said(f"{incident}: {outcome.said}{aside}"), outcome

    async def _ask_why(self, press: Press, target: Target) -> None:
        view = window(press.value, target.incident, press.whence)
        try:
            await self._answers.open_window(press.trigger, view)
        except Failed as failed:
            raise Refused(
                f"the window for the reason could not be opened ({failed.message}). "
                f"Write `/incident resolve {target.incident} WHY`"
            ) from failed

    async def _freeze(self, command: Command, by: str, why: str, *, thaw: bool) -> Said:
        do = unfreeze if thaw else freeze
        told = []
        for name in await meant(self._client, self._settings.environment, thaw=thaw):
            what = Act(id=act_id(command.id, name), by=by, via=VIA, text=why)
            try:
                outcome = await do(self._client, self._settings.policy, name, what)
            except NotTaken as refused:  # one that fails does not keep the others from theirs
                told.append(f"{name or 'unnamed'}: not done: {refused}")
                continue
            self._count(outcome)
            told.append(f"{name or 'unnamed'}: {outcome.said}")
        return Said("\n".join(told))

    def _count(self, outcome: Outcome) -> None:
        self._acts.labels("done" if outcome.state is State.DONE else "recorded").inc()


def carried(submission: Submission) -> Carried:
    """Read what the window carries; nothing where it is none of ours."""
    try:
        return Carried.model_validate_json(submission.carried)
    except ValidationError:
        return Carried()


def _bound(name: str, by: str, target: Target, *, text: str = "") -> Act:
    return Act(
        id=name,
        by=by,
        via=VIA,
        text=text,
        question=target.question[:64],
        run=target.run[:64],
        shown=target.shown[:64],
    )
