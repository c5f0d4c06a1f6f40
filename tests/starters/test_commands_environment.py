"""What a person says of a whole environment, from the command line."""

import asyncio
import json
import uuid

import pytest
from typer.testing import CliRunner

from activities.autonomy import Earning, WhichLevel, ledger_id
from activities.words import Risk
from deploy.console import console
from starters.session import Exit
from tests.starters.test_commands import working
from workflows.autonomy import Autonomy
from workflows.efforts import Queue

STEP = "processes.scale@pravado-api"
WHY = "moving the database by hand"


@pytest.fixture
async def somewhere(live):
    name = f"env-{uuid.uuid4().hex[:8]}"
    yield name
    await live.client.get_workflow_handle(f"coordinator-{name}").terminate("the test is over")


@pytest.fixture
def run(live, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", live.client.service_client.config.target_host)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("RESPONDER_POLICY__PEOPLE", '{"ana": {}, "mallory": {"responder": false}}')

    async def invoke(*words, expect=Exit.DONE):
        result = await asyncio.to_thread(CliRunner().invoke, console(), list(words))
        assert result.exit_code == expect, f"{result.output}\n{result.exception!r}"
        return result.stdout if "--json" in words else result.output

    return invoke


async def test_a_freeze_is_recorded_without_a_worker_and_seen_as_soon_as_one_runs(
    run, somewhere, live, tmp_path
):
    words = ("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")
    assert "recorded, not yet confirmed" in await run(*words)
    assert somewhere not in await run("list")

    async with working(live.client, tmp_path):
        again = await run(*words[:2], "again", *words[3:], "--json")
        [done] = json.loads(again)["done"]
        assert done["environment"] == somewhere
        assert done["state"] == "done"
        listed = await run("list")
        assert f"{somewhere} is frozen by ana since" in listed
        assert "again" in listed, "a person's newest reason counts"
        json.loads(await run("list", "--json", "--service", "none"))

        assert "It was frozen by ana" in await run(
            "unfreeze", "--why", "moved", "--environment", somewhere, "--as", "ana"
        )
        assert f"{somewhere} is frozen" not in await run("list")


async def test_an_open_incident_shows_who_has_frozen_it_and_goes_on_when_it_is_lifted(
    run, somewhere, live, tmp_path
):
    said = await run(
        "start", "SomethingOdd", "--service", f"svc-{somewhere}", "--why", "odd",
        "--environment", somewhere, "--as", "ana", "--json",
    )  # fmt: skip
    incident = json.loads(said)["incident"]
    async with working(live.client, tmp_path):
        await run("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")
        for _ in range(200):
            shown = await run("show", incident)
            if "frozen by ana since" in shown:
                break
            await asyncio.sleep(0.05)
        assert WHY in shown
        assert f"responder unfreeze --environment {somewhere}" in shown
        await run("unfreeze", "--as", "ana", "--environment", somewhere)
        await run("resolve", incident, "--why", "was nothing", "--as", "ana")


async def test_all_that_is_known_is_frozen_where_no_environment_is_named(
    run, somewhere, live, tmp_path, monkeypatch
):
    monkeypatch.setenv("RESPONDER_ENVIRONMENT", somewhere)
    async with working(live.client, tmp_path):
        done = json.loads(await run("freeze", "--why", WHY, "--as", "ana", "--json"))["done"]
        assert somewhere in [each["environment"] for each in done]
        assert len(done) == len({each["environment"] for each in done})
        lifted = json.loads(await run("unfreeze", "--as", "ana", "--json"))["done"]
        assert [each["environment"] for each in lifted] == [each["environment"] for each in done]


async def test_who_may_not_is_refused_and_nothing_is_frozen(run, somewhere, live):
    await run("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")
    words = ("unfreeze", "--environment", somewhere, "--as", "mallory")
    assert "does not have the responder role" in await run(*words, expect=Exit.REFUSED)
    assert "say why" in await run("freeze", "--why", " ", "--as", "ana", expect=Exit.USAGE)


async def test_who_may_not_is_refused_in_the_same_words_from_a_machine_without_settings(
    run, somewhere, live, tmp_path, monkeypatch
):
    words = ("unfreeze", "--environment", somewhere, "--as")
    async with working(live.client, tmp_path):
        await run("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")
        at_the_door = await run(*words, "mallory", expect=Exit.REFUSED)
        monkeypatch.delenv("RESPONDER_POLICY__PEOPLE")

        assert await run(*words, "mallory", expect=Exit.REFUSED) == at_the_door
        assert "is frozen by ana" in await run("list")
        assert "unfrozen" in await run(*words, "ana")


async def test_without_a_worker_an_unfreeze_is_not_recorded_and_says_how_to_look(run, somewhere):
    await run("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")

    words = ("unfreeze", "--environment", somewhere, "--as", "ana")
    said = await run(*words, expect=Exit.NO_ANSWER)

    assert "no worker answered" in said
    assert "`responder list`" in said


async def test_the_week_is_told_without_a_worker(run, somewhere, live, tmp_path):
    await run("freeze", "--why", WHY, "--environment", somewhere, "--as", "ana")
    async with working(live.client, tmp_path):
        said = await run(
            "start", "SomethingOdd", "--service", f"svc-{somewhere}", "--why", "odd",
            "--environment", somewhere, "--as", "ana", "--json",
        )  # fmt: skip
        incident = json.loads(said)["incident"]
        await run("note", incident, "restarted the router", "--as", "ana")
        await run("resolve", incident, "--why", "router was off", "--as", "ana")
        await live.client.get_workflow_handle(incident).cancel()
        await asyncio.wait_for(live.client.get_workflow_handle(incident).result(), 30)

    for _ in range(100):
        week = json.loads(await run("summary", "--week", "--environment", somewhere, "--json"))
        if week["incidents"]:
            break
        await asyncio.sleep(0.1)
    [told] = week["incidents"]
    assert told["how"] == "resolved by a person: router was off"
    assert "ana: restarted the router" in told["people"]
    shown = await run("summary", "--days", "1", "--environment", somewhere)
    assert "people: ana: restarted the router" in shown


async def test_what_steps_have_earned_is_listed_and_promoted(run, somewhere, live, tmp_path):
    words = ("--environment", somewhere)
    await run("freeze", "--why", WHY, *words, "--as", "ana")
    assert "No step is known yet" in await run("autonomy", *words)
    async with working(live.client, tmp_path):
        await seen(live.client, somewhere)
        listed = json.loads(await run("autonomy", *words, "--json"))
        assert not listed["enabled"]
        assert listed["steps"][STEP]["level"] == "ask"
        assert STEP in await run("autonomy", *words)
        refused = ("autonomy", "promote", STEP, *words, "--as", "ana")
        assert "may not decide about reversible steps" in await run(*refused, expect=Exit.REFUSED)
        assert "ask is now propose" in await run(
            "autonomy", "demote", STEP, *words, "--why", "it hurts", "--as", "ana"
        )
        assert "it hurts (ana)" in await run("autonomy", *words)
    assert "No worker answer" in await run("autonomy", *words, expect=Exit.NO_ANSWER)
    await live.client.get_workflow_handle(ledger_id(somewhere)).terminate("the test is over")


async def seen(client, somewhere):
    """A step that an incident has asked about."""
    ask = WhichLevel(
        environment=somewhere, step=STEP, risk=Risk.REVERSIBLE, earning=Earning(enabled=True)
    )
    handle = await client.start_workflow(
        Autonomy.run, args=[None], id=ledger_id(somewhere), task_queue=Queue.INCIDENTS
    )
    await handle.execute_update(Autonomy.level, ask)
