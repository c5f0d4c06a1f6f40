"""A test page proves that a person can be reached, and only a person's word does."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.errors import NotConfigured, NotYet, Refused, Unavailable
from tests.lifecycle.world import Town, World
from workflows.page_events import PageEvent
from workflows.page_proof import PageProof, Proof, ProofOrder
from workflows.sandbox import runner

QUEUE = "proofs-of-a-test"
DANA = {"by": "dana", "agent": "Dana Doe (PDANA01)", "human": True}


@pytest.fixture
async def proving(town: Town) -> AsyncIterator[Town]:
    client = town.env.client
    async with Worker(client, task_queue=QUEUE, workflows=[PageProof], workflow_runner=runner()):
        yield town


def nobody_yet(_: object) -> None:
    raise NotYet("nobody has acknowledged it", wait=timedelta(seconds=10))


async def begin(town: Town, world: World, **order) -> WorkflowHandle[PageProof, Proof]:
    name = f"page-proof-{uuid.uuid4().hex[:8]}"
    town.worlds[name] = world
    world.answers.setdefault("pagerduty.acknowledged", nobody_yet)
    return await town.env.client.start_workflow(
        PageProof.run, ProofOrder(asked_by="sam", **order), id=name, task_queue=QUEUE
    )


async def happens(proof: WorkflowHandle, happening: str, key: str = "", **who) -> None:
    described = await proof.describe()
    event = PageEvent(
        id=uuid.uuid4().hex,
        happening=happening,
        key=key or f"{proof.id}/{described.run_id}/page-1",
        at=datetime.now(UTC),
        **who,
    )
    await proof.signal(PageProof.page_event, event)


async def ended(town: Town, proof: WorkflowHandle[PageProof, Proof]) -> Proof:
    await town.env.fast_forward(proof)
    return await proof.result()


async def why_not(town: Town, proof: WorkflowHandle[PageProof, Proof]) -> str:
    with pytest.raises(WorkflowFailureError) as failed:
        await ended(town, proof)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "NotProven"
    return failed.value.cause.message


@pytest.mark.parametrize("happening", ["acknowledged", "resolved"])
async def test_a_persons_word_proves_it_and_the_page_is_taken_back(
    proving: Town, world: World, happening: str
) -> None:
    proof = await begin(proving, world)
    await happens(proof, happening, **DANA)
    found = await ended(proving, proof)

    assert found.by == "dana"
    assert 0 <= found.seconds < 60
    [page] = world.orders("pagerduty.page")
    assert page["summary"].startswith("TEST PAGE, nothing is wrong")
    assert (page["level"], page["urgency"]) == ("on-call", "high")
    assert [o["dedup_key"] for o in world.orders("pagerduty.resolve")] == [page["dedup_key"]]


async def test_it_is_proven_too_where_no_webhook_reaches_us(proving: Town, world: World) -> None:
    looks = iter([None] * 5)

    def look(ask):
        for _ in looks:
            nobody_yet(ask)
        return {"by": "Priya P"}

    world.answers["pagerduty.acknowledged"] = look
    found = await ended(proving, await begin(proving, world))
    assert found.by == "Priya P"
    assert 50 <= found.seconds <= 70, "it is asked every ten seconds"


async def test_silence_proves_nothing_and_says_so(proving: Town, world: World) -> None:
    proof = await begin(proving, world, level="cto")
    said = await why_not(proving, proof)
    assert said == "cto did not acknowledge the test page within 15 minutes."
    assert world.count("pagerduty.resolve") == 1, "and nobody finds it ringing in the evening"
    assert len(world.orders("pagerduty.acknowledged")) > 50


@pytest.mark.parametrize(
    "who",
    [
        pytest.param({"agent": "incident-responder"}, id="an integration"),
        pytest.param({}, id="PagerDuty's own clock"),
        pytest.param({**DANA, "key": "another/page"}, id="of another page"),
    ],
)
async def test_nothing_else_proves_it(proving: Town, world: World, who) -> None:
    proof = await begin(proving, world)
    await happens(proof, "acknowledged", **who)
    await happens(proof, "escalated", **DANA)
    assert "did not acknowledge" in await why_not(proving, proof)


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (lambda: NotConfigured("PagerDuty", "a key"), "PagerDuty is not configured: set a key"),
        (lambda: Refused("PagerDuty answered 400: invalid"), "PagerDuty answered 400: invalid"),
        (lambda: Unavailable("PagerDuty: no answer"), "PagerDuty: no answer"),
    ],
    ids=["not set up", "refused", "down"],
)
async def test_a_page_that_is_not_taken_is_not_waited_for(
    proving: Town, world: World, failing, said
) -> None:
    world.fails["pagerduty.page"] = failing
    proof = await begin(proving, world)
    assert await why_not(proving, proof) == f"PagerDuty did not take the test page: {said}"


async def test_where_pagerduty_cannot_be_asked_the_webhook_still_counts_and_silence_says_why(
    proving: Town, world: World
) -> None:
    world.fails["pagerduty.acknowledged"] = lambda: NotConfigured("Who is on call", "a token")
    proof = await begin(proving, world)
    await happens(proof, "acknowledged", **DANA)
    assert (await ended(proving, proof)).by == "dana"

    said = await why_not(proving, await begin(proving, world))
    assert said.endswith("PagerDuty could not be asked: Who is on call is not configured: "
                         "set a token.")  # fmt: skip


async def test_a_page_that_cannot_be_taken_back_was_answered_all_the_same(
    proving: Town, world: World
) -> None:
    world.fails["pagerduty.resolve"] = lambda: Refused("no")
    proof = await begin(proving, world)
    await happens(proof, "acknowledged", **DANA)
    assert (await ended(proving, proof)).by == "dana"
