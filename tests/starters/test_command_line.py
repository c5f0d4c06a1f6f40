"""What scripts and shells rely on: exit statuses, JSON, completion, filters, and the doctor."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from deploy.console import console
from deploy.gameday.standins.status_pages import StatusPagesStandIn
from deploy.local.programs import temporal
from deploy.local.responder import RESPONDER
from starters.session import Exit
from tests.starters.conftest import working
from workflows.case import SEARCH_ATTRIBUTES
from workflows.efforts import Queue

PAGE = (Path(__file__).resolve().parents[2] / "docs/command-line.md").read_text()


def service_of(incident):
    return "svc-" + incident.partition("svc_")[2][:8]


def documented(command):
    """The fields that the page names for a command."""
    rows = PAGE.partition("## JSON")[2].splitlines()
    [row] = [line for line in rows if line.startswith("|") and f"`{command}`" in line]
    return re.findall(r"`(\w+)`", row.split("|")[2])


@pytest.mark.parametrize("status", list(Exit), ids=lambda status: status.name.lower())
def test_every_exit_status_is_in_the_help_and_on_the_page(status):
    said = " ".join(CliRunner().invoke(console(), ["--help"]).output.split())

    assert re.search(rf"[:;] {status.value} \w", said)
    assert f"\n| {status.value} | " in PAGE


async def test_the_exit_status_says_what_became_of_an_act(
    run,
    incident,
    live,
    tmp_path,
    monkeypatch,
):
    await run("approve", incident, "--as", "ana", expect=Exit.NO_ANSWER)
    await run("note", incident, "kept", "--as", "ana", expect=Exit.DONE)
    async with working(live.client, tmp_path):
        await run("ack", incident, "--as", "ana", expect=Exit.DONE)
        await run("approve", incident, "--as", "ana", expect=Exit.REFUSED)
    await run("ack", "Nothing-x", expect=Exit.NOT_THERE)
    await run("explain", "Nothing", expect=Exit.NOT_THERE)
    await run("list", "--phase", "sleeping", expect=Exit.USAGE)
    await run("ack", incident, "--as", "x" * 201, expect=Exit.USAGE)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")
    await run("list", expect=Exit.NO_TEMPORAL)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    await run("doctor", expect=Exit.FAILED)


async def test_json_has_the_fields_that_are_documented_and_no_others(
    run,
    incident,
    live,
    tmp_path,
):
    [listed] = [each for each in json.loads(await run("list", "--json")) if each["id"] == incident]
    assert list(listed) == documented("list")

    async with working(live.client, tmp_path):
        for words in (["ack"], ["hold"], ["take-over"], ["hand-back"], ["note", "x"]):
            act, *more = words
            said = json.loads(await run(act, incident, *more, "--as", "ana", "--json"))
            assert list(said) == documented("ack")
        shown = json.loads(await run("show", incident, "--json"))
        assert {"id", "phase", "severity", "people", "ladder", "timeline"} <= shown.keys()
        assert set(documented("show")) - {"steps"} <= shown.keys()

    for each in json.loads(await run("procedures", "--json")):
        assert set(documented("procedures")) <= each.keys()
    explained = json.loads(await run("explain", "HighAPILatency", "--json"))
    assert set(documented("explain")) <= explained.keys()
    found = json.loads(await run("doctor", "--json", expect=Exit.FAILED))
    fields = [name for name in documented("doctor") if name not in {"ok", "wrong"}]
    assert all(list(each) == fields for each in found)


def _doctors():
    return [
        name for name in documented("doctor") if name not in {"ok", "wrong", "not", "configured"}
    ]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--alert", "SomethingOdd"], id="alert"),
        pytest.param(["--indicator", "SomethingOdd"], id="indicator"),
        pytest.param(["--severity", "warning"], id="severity"),
        pytest.param(["--phase", "opening"], id="phase"),
        pytest.param(["--all"], id="all"),
    ],
)
async def test_the_list_has_what_fits_its_filters(run, incident, words):
    service = service_of(incident)

    assert incident in await run("list", "--service", service, *words)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--alert", "Something"], id="another alert that begins like it"),
        pytest.param(["--severity", "critical"], id="another severity"),
        pytest.param(["--phase", "settling"], id="another phase"),
        pytest.param(["--environment", "staging"], id="another environment"),
    ],
)
async def test_the_list_leaves_out_what_does_not_fit(run, incident, words):
    assert "None fits" in await run("list", *words)


async def test_mine_are_those_that_i_have(run, incident, live, tmp_path):
    service = service_of(incident)
    async with working(live.client, tmp_path):
        assert "None fits" in await run("list", "--service", service, "--mine", "--as", "ana")
        await run("ack", incident, "--as", "ana")
        assert incident in await run("list", "--service", service, "--mine", "--as", "ana")
        assert "None fits" in await run("list", "--service", service, "--mine", "--as", "bo")


async def test_without_a_worker_nobody_knows_which_are_mine(run, incident):
    words = ("--service", service_of(incident), "--mine", "--as", "ana")

    assert "No worker answers" in await run("list", *words, expect=Exit.NO_ANSWER)


async def test_those_that_are_over_are_only_listed_where_all_are_asked_for(run, incident, live):
    await live.client.get_workflow_handle(incident).terminate()
    service = service_of(incident)

    for _ in range(100):
        if incident not in (said := await run("list", "--service", service)):
            break
    assert "None fits" in said
    assert incident in await run("list", "--service", service, "--all")
    assert incident in await run("list", "--service", service, "--closed")


async def complete(shell, line, **environment):
    words = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    process = await asyncio.create_subprocess_exec(
        *RESPONDER,
        env={**os.environ, **words, "_RESPONDER_COMPLETE": f"complete_{shell}", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert error == b""
    return out.decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_a_shell_completes_the_id_of_an_incident(run, incident, shell):
    assert incident in await complete(shell, f"responder show {incident[:-4]}")


async def test_a_shell_completes_alerts_options_and_commands(run):
    assert "HighAPILatency" in await complete("bash", "responder explain HighAPI")
    assert "--minutes" in await complete("bash", "responder hold x --mi")
    assert "doctor" in await complete("bash", "responder doc")


async def test_a_shell_hears_nothing_where_temporal_is_away():
    assert await complete("bash", "responder ack So", TEMPORAL_ADDRESS="127.0.0.1:1") == "\n"


async def test_the_doctor_names_each_queue_without_a_worker_and_is_well_with_all(
    run,
    live,
    tmp_path,
    monkeypatch,
):
    async with StatusPagesStandIn() as pages:
        monkeypatch.setenv("RESPONDER_STATUS_PAGES__URLS", json.dumps(pages.urls()))
        monkeypatch.setenv("RESPONDER_REPORTS__FOLDER", str(tmp_path))
        async with working(live.client, tmp_path):
            async with asyncio.timeout(30):
                while "no worker asks" in (said := await run("doctor", expect=None)):
                    await asyncio.sleep(0.2)
            assert "0 wrong" in said
            found = json.loads(await run("doctor", "--json"))
            [temporal] = [each for each in found if each["integration"] == "Temporal"]
            assert (temporal["state"], temporal["todo"]) == ("ok", [])


async def test_the_doctor_says_which_queue_nobody_works_on_and_what_it_costs(run, monkeypatch):
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as unused:  # nobody works there: who ends a worker leaves its name for minutes
        address = unused.client.service_client.config.target_host
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        said = " ".join((await run("doctor", expect=Exit.FAILED)).split())

    assert "no worker asks for work on `changes`, so that no step is taken" in said
    assert "`responder worker --queue changes` runs one" in said
    assert SEARCH_ATTRIBUTES[0].name not in said


async def test_the_doctor_says_that_a_namespace_is_not_there(run, monkeypatch):
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")

    said = " ".join((await run("doctor", expect=Exit.FAILED)).split())

    assert "Temporal has no namespace 'elsewhere': TEMPORAL_NAMESPACE names another" in said


def test_there_is_a_consequence_for_each_queue():
    from workers.checks.temporal import _LOST

    assert set(_LOST) == set(Queue)
