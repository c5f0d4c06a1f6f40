"""Our own status page: proposed once, asked about always, then kept up by a lane of its own.

It is the last step of a critical ladder: what is mended before needs no public word, and no
mitigation waits for one. What it then says follows the incident, without asking again.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.public_page import PublicPage, PublicStatus, Publish, UpdatePublished
from activities.record import Asks, Phase, PlannedStep, Record
from activities.words import Risk
from workflows.case import Case, kind_of, why
from workflows.channels import PASSING, Lane
from workflows.efforts import MESSAGE, Queue, said
from workflows.glance import impact, words
from workflows.headline import brief

PUBLISH = "public_page.publish"
_TARGET = "the status page"
_LATER = "its subscribers are told; that it works again and is over is added without asking"
_WELL = frozenset({Phase.SETTLING, Phase.UNDOING})
_BEGAN: PublicStatus = "investigating"


def proposal(case: Case) -> list[PlannedStep]:
    """Propose to publish the incident, where the policy wants it and nobody was asked before."""
    record, wanted = case.record, case.policy.public_from
    if wanted is None or record.severity.rank < wanted.rank or record.facts is None:
        return []
    asked = any(step.activity == PUBLISH for step in record.steps)
    # A plan without a step, where some were taken, is not made longer by this one.
    if asked or (not record.ladder and record.past_steps):
        return []
    name = f"{brief(record)}"[:200]
    body = (f"{impact(record)} We are working on it, and say here when it has changed.")[:2_000]
    return [
        PlannedStep(
            key=f"{PUBLISH}@{_TARGET}",
            activity=PUBLISH,
            order=Publish(key=key(record), name=name, body=body).model_dump(mode="json"),
            target=_TARGET,
            why="no step has helped so far, and users should hear from us",
            effect=f"publish on the status page: “{name}”",
            details=[
                f"Title: {name}",
                f"Text: {body}",
                _LATER,
            ],
            # A word that was read cannot be taken back.
            risk=Risk.DESTRUCTIVE,
            asks=Asks.ALWAYS,
            once=True,
            mends=False,
            apply_seconds=60,
        )
    ]


def key(record: Record) -> str:
    """Tell this incident from every other, in few characters."""
    return f"{record.id[:150]}/{record.run}"


def owed(record: Record) -> PublicStatus | None:
    """Say what the page has to show that it does not; None is nothing."""
    published = any(step.activity == PUBLISH and step.in_place for step in record.steps)
    over = record.phase is Phase.RESOLVED
    if not published or (record.resolution is not None and not over):
        return None
    status: PublicStatus = _BEGAN
    if over:
        status = "resolved"
    elif record.phase in _WELL:
        status = "monitoring"
    return None if status == (record.public.shown or _BEGAN) else status


def text(record: Record, status: PublicStatus) -> str:
    """Write the update, as users read it."""
    if status == "monitoring":
        return "It works again. We are watching whether it stays so."
    if status == "resolved":
        end = record.resolution.at if record.resolution else workflow.now()
        return f"This is over. It lasted {words((end - record.starts_at).total_seconds())}."
    return "It is back, and we are working on it."


class PublicPageLane(Lane):
    """Keeps what was published in step with the incident."""

    name = "The status page"

    def __init__(self, case: Case) -> None:
        super().__init__(case, case.record.public)

    @property
    def owes(self) -> bool:
        """Whether the page shows an older state than the record."""
        return owed(self._case.record) is not None

    async def _send(self) -> None:
        case, record = self._case, self._case.record
        status = owed(record)
        if status is None:
            return
        order = UpdatePublished(
            key=key(record),
            body=text(record, status),
            status=status,
            reopens=record.public.shown == "resolved",
        )
        effort = said(MESSAGE, f"Say on the status page: {status}")
        effort["task_queue"] = Queue.CHANGES
        try:
            await workflow.execute_activity_method(PublicPage.update, order, **effort)
        except ActivityError as error:
            if kind_of(error) in PASSING:
                raise
            # Not tried again: what it shows next is.
            record.public.shown = status
            left = f"please write “{status}” on the status page yourselves: {why(error)}"
            record.findings += [left] if left not in record.findings else []
            case.note("problem", left, tell=True)
            return
        record.public.shown = status
        case.note("message", f"the status page says: {status}", tell=True)

    def _alert(self, said: str) -> None:
        self._case.tell(said)
