"""The engineer on call of a game day: whoever looks on at the terminal."""

from __future__ import annotations

import asyncio
import uuid

from temporalio.client import Client

from activities.people import Question
from activities.record import Record
from deploy.gameday import terminal
from deploy.gameday.outside import ENGINEER
from deploy.gameday.show import Show
from starters.acting import NotRecorded, NotTaken, act
from workflows.acts import Act, ActKind
from workflows.glance import clock

_TRIES = 5


class Engineer:
    """Acknowledges, and answers what is asked: as --yes says, or as is typed."""

    def __init__(self, client: Client, show: Show, *, yes: bool) -> None:
        self._client, self._show, self._yes = client, show, yes
        self._acknowledged = False
        self._question = ""
        self._answering: asyncio.Task[None] | None = None
        self.rejected = False
        """Whether anything was refused."""

    async def take_part(self, record: Record) -> None:
        """Do what the record asks of people; what is typed is not waited for."""
        if record.paged_at is not None and not self._acknowledged:
            self._acknowledged = True
            await self._act(record, ActKind.ACKNOWLEDGE)
        if self._answering is not None and self._answering.done():
            await self._answering  # an error of it is ours
            self._answering = None
        question = record.question
        if question is None or not self.asked(record):
            self._withdraw()
        elif question.id != self._question:
            self._withdraw()
            self._question = question.id
            self._answering = asyncio.create_task(self._answer(record, question))

    @staticmethod
    def asked(record: Record) -> bool:
        """Tell whether an answer is waited for."""
        return record.question is not None and not record.question.answer

    def leave(self) -> None:
        """Stop listening to what is typed."""
        if self._answering is not None:
            self._answering.cancel()

    def _withdraw(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None
            self._say("The question is not open any more.")

    async def _answer(self, record: Record, question: Question) -> None:
        self._show.say(f"You are asked: {question.text}?", "bold yellow", ENGINEER)
        for line in question.details:
            self._say(line)
        approved = await self._decide(question)
        self.rejected = self.rejected or not approved
        kind = ActKind.APPROVE if approved else ActKind.REJECT
        if not await self._act(record, kind, question.id):
            self._question = ""  # as long as it is open, it is asked again

    async def _decide(self, question: Question) -> bool:
        if self._yes:
            self._say("--yes answers: approve")
            return True
        if not terminal.attended():
            self._say("nobody is at the terminal, so: reject (--yes approves)")
            return False
        self._say(f"Silence until {clock(question.expires_at)} means no.")
        return await terminal.approves(self._say)

    async def _act(self, record: Record, kind: ActKind, question: str = "") -> bool:
        # With one id for all tries: whichever arrives, it is one act.
        what = Act(id=uuid.uuid4().hex, by=ENGINEER, via="cli", question=question)
        self._show.say(f"$ responder {kind.value} {record.id} --as {ENGINEER}", "bold", ENGINEER)
        for _ in range(_TRIES):
            try:
                await act(self._client, record.id, kind, what)
            except NotRecorded as busy:
                self._say(str(busy))
            except NotTaken as refused:
                self._say(str(refused))
                return True
            else:
                return True
        return False

    def _say(self, text: str) -> None:
        self._show.say(text, "yellow", ENGINEER)
