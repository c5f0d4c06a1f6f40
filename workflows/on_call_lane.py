"""Who is on call, by name: asked beside the response, which never waits for it."""

from __future__ import annotations

from temporalio import workflow

from activities.on_call import AskOnCall, OnCall
from activities.outbox import Channel
from activities.record import Phase
from workflows.case import Case, why
from workflows.channels import Lane
from workflows.deadlines import until
from workflows.efforts import probe, said
from workflows.glance import on_call

_AGAIN_SECONDS = 3600.0
"""A shift may end meanwhile."""
_SOON_SECONDS = 300.0
"""After an answer that could not be had."""
_PROBE_SECONDS = 10.0


class OnCallLane(Lane):
    """Asks when the incident opens, when more people are called, and now and then."""

    name = "PagerDuty's REST API"

    def __init__(self, case: Case) -> None:
        super().__init__(case, Channel())

    @property
    def owes(self) -> bool:
        """Nothing: nobody waits for names."""
        return False

    async def run(self) -> None:
        """Ask for as long as the incident lives."""
        case = self._case
        while True:
            await workflow.wait_condition(lambda: not (case.pausing or self._over))
            level = case.record.people.level
            self.busy = True
            try:
                await self._send()
            except Exception as error:  # noqa: BLE001 (no incident ends for a name)
                self._unknown(why(error))
            finally:
                self.busy = False
            case.changed(root=True)
            again = _SOON_SECONDS if case.record.paging.on_call_unknown else _AGAIN_SECONDS
            await until(
                lambda asked=level: case.record.people.level > asked,  # type: ignore[misc]
                case.after(again),
                "Who is on call may change",
            )

    @property
    def _over(self) -> bool:
        return self._case.record.phase is Phase.RESOLVED

    async def _send(self) -> None:
        case, paging = self._case, self._case.record.paging
        now = await workflow.execute_activity_method(
            OnCall.on_call,
            AskOnCall(levels=("on-call", *case.severity_policy.levels)),
            **said(probe(_PROBE_SECONDS), "Who is on call?"),
        )
        before = paging.on_call
        paging.on_call = {level: list(each) for level, each in now.names.items()}
        paging.on_call_unknown = ""
        if paging.on_call != before:
            case.note("page", f"on call is {on_call(case.record) or 'unknown'}")

    def _unknown(self, reason: str) -> None:
        """Forget the names of an hour ago: they may be wrong by now."""
        paging = self._case.record.paging
        if not paging.on_call_unknown:
            self._case.note("problem", f"who is on call is not known: {reason}")
        paging.on_call, paging.on_call_unknown = {}, reason

    def _alert(self, said: str) -> None:
        self._case.note("problem", said)
