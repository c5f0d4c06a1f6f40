"""kill -9 of the worker at each step of a person: nothing of it is lost, nothing is done twice."""

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.alerts import Notice, incident_id
from activities.record import Record, StepState
from deploy.gameday.standins.pagerduty_webhooks import User, incident, payload, signed
from deploy.local.processes import Child, bare, free_port
from deploy.local.responder import Door
from deploy.local.temporal import Temporal
from starters.acting import NotRecorded, NotTaken, NotThere, Outcome, State, act
from starters.finding import NoWorker, record_of
from starters.freezing import freeze
from starters.opening import attributes
from starters.pagerduty_door import PATH
from tests.lifecycle.working import Journal
from tests.lifecycle.world import POLICY, alert, told
from workflows.acts import FALLS_BACK, Act, ActKind
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.opening import Opening

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

BY = "dana"
SECRET = "the-secret-of-this-subscription"
WHY = "the router was it"


@dataclass(frozen=True)
class Step:
    """What a person does, and what it comes to."""

    kind: ActKind
    true: Callable[[Record], bool]
    first: tuple[ActKind, ...] = ()
    """What the same person has done before."""


STEPS = {
    "acknowledge": Step(ActKind.ACKNOWLEDGE, lambda r: r.people.acknowledged_by == BY),
    "approve": Step(ActKind.APPROVE, lambda r: r.ladder[0].state not in _UNTOUCHED),
    "reject": Step(ActKind.REJECT, lambda r: r.ladder[0].state is StepState.SKIPPED),
    "hold": Step(ActKind.HOLD, lambda r: r.people.held_by == BY),
    "take over": Step(ActKind.TAKE_OVER, lambda r: r.people.taken_over_by == BY),
    "hand back": Step(
        ActKind.HAND_BACK, lambda r: not r.people.taken_over_by, first=(ActKind.TAKE_OVER,)
    ),
    "resolve": Step(ActKind.RESOLVE, lambda r: r.resolution is not None),
    "escalate": Step(ActKind.ESCALATE, lambda r: r.people.level == 1),
    "note": Step(ActKind.NOTE, lambda r: any(WHY in entry.text for entry in r.timeline)),
    "freeze": Step(ActKind.FREEZE, lambda r: r.people.frozen),
}
_UNTOUCHED = {StepState.PLANNED, StepState.ASKED}


class Person:
    """One person at one incident, who does one thing and wants to know that it was done."""

    def __init__(self, client: Client, step: Step, journal: Journal) -> None:
        self.step, self._client, self._journal = step, client, journal
        self._environment = f"env-{uuid.uuid4().hex[:8]}"
        self._alert = alert("HighDrill", severity="critical", environment=self._environment)
        self.incident = incident_id(self._alert)
        self._act = self._new()

    async def comes(self) -> None:
        """The incident opens, asks, and the person has done what comes before."""
        await self._client.start_workflow(
            Incident.run,
            Opening(policy=POLICY, first=self._alert),
            id=self.incident,
            task_queue=Queue.INCIDENTS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alerts",
            start_signal_args=[Notice(alerts=(self._alert,))],
            search_attributes=attributes(self._alert, "test"),
        )
        await self.sees(lambda record: record.question is not None)
        for kind in self.step.first:
            await act(self._client, self.incident, kind, self._new())
            await self.sees(next(s.true for s in STEPS.values() if s.kind is kind))

    async def does(self) -> Outcome:
        """Do it; done again it is the same act, as when Slack delivers it twice."""
        if self.step.kind is ActKind.FREEZE:
            return await freeze(self._client, POLICY, self._environment, self._act)
        return await act(self._client, self.incident, self.step.kind, self._act)

    async def sees(self, what: Callable[[Record], bool]) -> Record:
        """Wait until the incident is so."""
        last = "no worker answered"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while True:
                    with contextlib.suppress(NoWorker):
                        record = await record_of(self._client, self.incident)
                        if what(record):
                            return record
                        last = told(record)
                    await asyncio.sleep(0.05)
        raise AssertionError(f"it never came true of {self.step.kind}\n{last}")

    async def wrong(self) -> list[str]:
        """What is lost, or was done twice."""
        record = await self.sees(self.step.true)
        mine = [entry.text for entry in record.timeline if entry.by == BY]
        found = []
        # Of a resolve also what has become of the incident.
        if len(mine) != len(self.step.first) + 1 + (self.step.kind is ActKind.RESOLVE):
            found.append(f"{self.step.kind}: the timeline says of {BY}: {mine}")
        if self.step.kind is ActKind.ESCALATE:
            await self.sees(lambda _: bool(self._called()))
        if len(self._called()) != (self.step.kind is ActKind.ESCALATE):
            found.append(f"{self.step.kind}: the next level is called by {self._called()}")
        if self.step.kind is ActKind.APPROVE:
            # A second attempt brings the same order, and finds that it is done.
            await self.sees(lambda _: bool(self._changes()))
        if len(self._changes()) != (self.step.kind is ActKind.APPROVE):
            found.append(f"{self.step.kind}: changed {self._changes()}")
        return found

    def _called(self) -> set[str]:
        """Keys of the pages to the next level: sent twice it is one page where it has one key."""
        paged = self._journal.of(self.incident, "pagerduty.page")
        return {page["dedup_key"] for [page] in paged if page["level"] == "engineering-lead"}

    def _changes(self) -> set[str]:
        names = ("processes.scale", "host.restart_service")
        return {f"{n} {order}" for n in names for order in self._journal.of(self.incident, n)}

    def _new(self) -> Act:
        return Act(id=uuid.uuid4().hex, by=BY, via="cli", text=WHY)


class Shift:
    """A Temporal server, a worker that can be killed, and a person for each step."""

    def __init__(self, client: Client, worker: Child, journal: Journal) -> None:
        self.client, self.worker, self.journal = client, worker, journal

    async def people(self) -> list[Person]:
        everybody = [Person(self.client, step, self.journal) for step in STEPS.values()]
        await asyncio.gather(*(person.comes() for person in everybody))
        return everybody

    async def dies(self) -> None:
        await self.worker.kill()

    async def rises(self) -> None:
        await self.worker.start()


@pytest.fixture(scope="module")
async def shift(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shift]:
    folder = tmp_path_factory.mktemp("shift")
    async with Temporal(folder / "temporal") as temporal:
        worker = Child(
            "the worker",
            [sys.executable, "-m", "tests.lifecycle.working", temporal.address, folder / "journal"],
            log=folder / "worker.log",
        )
        async with worker:
            yield Shift(await temporal.connect(), worker, Journal(folder / "journal"))


async def tried(person: Person) -> Outcome | NotTaken:
    try:
        return await person.does()
    except NotTaken as error:
        return error


async def answered(person: Person) -> None:
    """Do it until a worker has said that it is done."""
    while True:
        answer = await tried(person)
        if isinstance(answer, Outcome) and answer.state is State.DONE:
            return
        if isinstance(answer, NotThere) and person.step.kind is ActKind.RESOLVE:
            return  # it has been resolved and closed meanwhile
        assert isinstance(answer, Outcome | NotRecorded), answer


async def all_wrong(people: list[Person]) -> list[str]:
    found = await asyncio.gather(*(person.wrong() for person in people))
    return [each for one in found for each in one]


async def test_what_people_do_while_no_worker_runs_is_kept_or_said_not_to_be(shift: Shift) -> None:
    people = await shift.people()
    await shift.dies()
    said = await asyncio.gather(*(tried(person) for person in people))
    await shift.rises()

    for person, answer in zip(people, said, strict=True):
        if person.step.kind in FALLS_BACK:
            assert isinstance(answer, Outcome), answer
            assert answer.state is State.RECORDED
        else:
            assert isinstance(answer, NotRecorded), answer
            await answered(person)
    assert await all_wrong(people) == []


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 60])
async def test_a_kill_amid_an_act_neither_loses_it_nor_does_it_twice(
    shift: Shift, milliseconds: int
) -> None:
    people = await shift.people()
    acts = [asyncio.create_task(tried(person)) for person in people]
    await asyncio.sleep(milliseconds / 1000)
    await shift.dies()
    await asyncio.gather(*acts)
    await shift.rises()

    # All of them again: some were not recorded, of some the answer was lost.
    await asyncio.gather(*(answered(person) for person in people))
    assert await all_wrong(people) == []


async def test_what_was_answered_outlives_a_kill_at_that_moment(shift: Shift) -> None:
    people = await shift.people()
    await asyncio.gather(*(answered(person) for person in people))
    await shift.dies()
    await shift.rises()

    assert await all_wrong(people) == []


@pytest.mark.parametrize("milliseconds", [0, 5, 20])
async def test_an_acknowledgement_in_pagerduty_outlives_a_kill_of_the_door_and_counts_once(
    shift: Shift, tmp_path: Path, milliseconds: int
) -> None:
    person = Person(shift.client, STEPS["acknowledge"], shift.journal)
    await person.comes()
    [[page], *_] = shift.journal.of(person.incident, "pagerduty.page")
    there = incident(7, page["dedup_key"], "acknowledged", "API")
    event = json.dumps(payload("acknowledged", there, agent=User("PDANA01", "Dana").reference))
    headers = signed(event.encode(), [SECRET])
    env = {
        **bare(),
        "TEMPORAL_ADDRESS": shift.client.service_client.config.target_host,
        "RESPONDER_ALERTMANAGER__TOKEN": "a-token-of-a-door-that-dies",
        "RESPONDER_PAGERDUTY__WEBHOOK_SECRETS": json.dumps([SECRET]),
        "RESPONDER_PAGERDUTY__PEOPLE": json.dumps({"pdana01": BY}),
    }
    async with (
        Door(free_port(), log=tmp_path / "door.log", env=env) as door,
        httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=10) as pagerduty,
    ):

        async def delivers() -> int:
            answer = await pagerduty.post(PATH, content=event, headers=headers)
            return answer.status_code

        first = asyncio.create_task(delivers())
        await asyncio.sleep(milliseconds / 1000)
        await door.kill()
        await asyncio.wait([first])
        await door.start()
        # What was not answered comes again; and it may come twice anyway.
        again = [await delivers(), await delivers()]

    assert again == [HTTPStatus.ACCEPTED, HTTPStatus.ACCEPTED]
    if first.exception() is None:
        assert first.result() == HTTPStatus.ACCEPTED
    assert await person.wrong() == []
