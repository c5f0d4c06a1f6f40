"""What a person says of a whole environment, from the command line."""

import asyncio
import json
import uuid

import pytest
from typer.testing import CliRunner

from deploy.console import console
from starters.session import Exit
from tests.starters.test_commands import working

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
