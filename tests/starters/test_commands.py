import asyncio
import json
import os
import pwd
import uuid

import pytest
from typer.testing import CliRunner

from deploy.console import console
from deploy.local.responder import RESPONDER
from starters.acting import PATIENCE_SECONDS
from starters.session import Exit
from tests.starters.conftest import WHY, working
from workflows.efforts import Queue


async def anyhow(*words):
    result = await asyncio.to_thread(CliRunner().invoke, console(), list(words))
    return result.output


async def critical(run):
    """An incident with two levels above on-call, whom its own clock does not call."""
    words = ("--service", f"svc-{uuid.uuid4().hex[:8]}", "--why", WHY, "--severity", "critical")
    name = json.loads(await run("start", "SomethingOdd", *words, "--json"))["incident"]
    assert "recorded" in await run("ack", name, "--as", "lee")
    return name


async def test_a_person_opens_acknowledges_notes_and_resolves_an_incident(
    run, incident, live, tmp_path
):
    async with working(live.client, tmp_path):
        beginning = incident[:-4]
        assert "acknowledged" in await run("ack", beginning, "--as", "ana")
        assert "noted" in await run("note", incident, "restarted the router", "--as", "ana")
        shown = await run("show", incident)
        assert "restarted the router" in shown
        assert "ana" in shown
        record = json.loads(await run("show", incident, "--json"))
        assert record["people"]["acknowledged_by"] == "ana"
        again = await run("resolve", incident, "--why", "router was off", "--as", "ana")
        assert "resolved" in again
        await live.client.get_workflow_handle(incident).result()
        while incident in await run("list"):  # visibility is written a moment later
            await asyncio.sleep(0.05)


async def test_the_list_shows_what_is_open_and_filters(run, incident):
    everything = json.loads(await run("list", "--json"))
    [mine] = [each for each in everything if each["id"] == incident]
    assert mine["severity"] == "warning"
    assert mine["phase"] == "opening"

    service = mine["service"]
    assert incident in await run("list", "--service", service)
    assert "None fits" in await run("list", "--service", service, "--severity", "critical")
    assert "None fits" in await run("list", "--service", "it's o'clock")


async def test_an_act_that_is_refused_says_why(run, incident, live, tmp_path):
    async with working(live.client, tmp_path):
        said = await run("approve", incident, "--as", "ana", expect=Exit.REFUSED)
        assert "Refused: there is no such question" in said


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["ack"], id="acknowledge"),
        pytest.param(["take-over"], id="take over"),
        pytest.param(["resolve", "--why", "over"], id="resolve"),
        pytest.param(["escalate", "--why", "help"], id="escalate"),
    ],
)
async def test_without_a_worker_an_act_that_can_wait_is_recorded(run, incident, live, words):
    command, *more = words

    said = json.loads(await run(command, incident, *more, "--as", "ana", "--json"))

    assert said["state"] == "recorded, not yet confirmed"
    events = (await live.client.get_workflow_handle(incident).fetch_history()).events
    signals = [e.workflow_execution_signaled_event_attributes for e in events]
    assert "person" in {signal.signal_name for signal in signals}


async def test_an_escalation_that_is_repeated_at_once_calls_nobody_further_up_unless_named(
    run, live, tmp_path, monkeypatch
):
    monkeypatch.setattr("starters.escalating.JUST_NOW_SECONDS", 3600)
    incident = await critical(run)
    words = ("escalate", incident, "--why", "help")
    async with working(live.client, tmp_path):
        assert "engineering-lead is being paged" in await run(*words, "--as", "ana")

        for person in ("ana", "robin"):
            said = await run(*words, "--as", person, expect=Exit.REFUSED)
            assert "Refused: engineering-lead was called" in said
            assert "seconds ago by ana: to call cto too, add --to cto" in said
        lead = (*words, "--as", "ana", "--to", "engineering-lead")
        assert "has been called already" in await run(*lead, expect=Exit.REFUSED)
        record = json.loads(await run("show", incident, "--json"))
        assert record["people"]["level"] == 1

        cto = json.loads(await run(*words, "--as", "ana", "--to", "cto", "--json"))
        assert cto["said"] == "cto is being paged"
        assert "no higher level" in await run(*words, "--as", "ana", expect=Exit.REFUSED)
    await live.client.get_workflow_handle(incident).terminate()


async def test_escalations_that_are_repeated_without_a_worker_call_one_level(run, live, tmp_path):
    incident = await critical(run)
    for person in ("ana", "robin"):
        said = await run("escalate", incident, "--why", "help", "--as", person)
        assert "recorded, not yet confirmed" in said

    async with working(live.client, tmp_path):
        for _ in range(100):
            record = json.loads(await run("show", incident, "--json"))
            if any("escalate was refused" in e["text"] for e in record["timeline"]):
                break
            await asyncio.sleep(0.1)
    assert record["people"]["level"] == 1
    assert record["people"]["called_by"] == "ana"
    await live.client.get_workflow_handle(incident).terminate()


@pytest.mark.parametrize("command", ["approve", "reject", "hold", "hand-back"])
async def test_without_a_worker_an_answer_is_never_kept_for_later(run, incident, live, command):
    said = await run(command, incident, "--as", "ana", expect=Exit.NO_ANSWER)

    # Temporal holds what was asked for a while: nobody can say that it will not be taken.
    assert "the next one may still take it" in said
    assert f"responder show {incident}" in said
    events = (await live.client.get_workflow_handle(incident).fetch_history()).events
    signals = [e.workflow_execution_signaled_event_attributes for e in events]
    assert "person" not in {signal.signal_name for signal in signals}


async def test_a_worker_that_comes_while_one_waits_answers_all_the_same(
    run, incident, live, tmp_path
):
    asked = asyncio.create_task(run("approve", incident, "--as", "ana", expect=Exit.REFUSED))
    await asyncio.sleep(PATIENCE_SECONDS)
    async with working(live.client, tmp_path):
        assert "Refused: there is no such question" in await asked


async def test_who_runs_the_command_is_recorded_beside_who_it_is_said_to_be(run, incident, live):
    await run("ack", incident, "--as", "somebody else")

    events = (await live.client.get_workflow_handle(incident).fetch_history()).events
    [act] = [
        json.loads(e.workflow_execution_signaled_event_attributes.input.payloads[0].data)["act"]
        for e in events
        if e.workflow_execution_signaled_event_attributes.signal_name == "person"
    ]
    assert act["by"] == "somebody else"
    assert act["via"].startswith(f"cli ({pwd.getpwuid(os.geteuid()).pw_name}@")


async def test_what_is_owed_after_an_incident_is_closed_by_its_key(run, live, tmp_path):
    service = f"svc-{uuid.uuid4().hex[:8]}"
    words = ("--service", service, "--why", WHY, "--severity", "critical", "--json")
    name = json.loads(await run("start", "SomethingOdd", *words))["incident"]
    async with working(live.client, tmp_path):
        await run("resolve", name, "--why", "router was off", "--as", "ana")
        for _ in range(200):
            named = await anyhow("done", name, "--as", "ana")
            if "review:" in named:
                break
            await asyncio.sleep(0.1)
        assert all(key in named for key in ("post-mortem:", "actions:", "runbook:"))

        assert "review the incident report: done by ana" in await run(
            "done", name[:-3], "review", "--as", "ana"
        )
        assert "dismissed by ana" in await run(
            "dismiss", name, "runbook", "--why", "nothing new", "--as", "ana"
        )
        said = await run("done", name, "review", expect=Exit.NOT_THERE)
        assert "post-mortem:" in said
        assert "review:" not in said
        await run("done", name, "post-mortem")
        assert "create action items" in await run("done", name)
        await run("done", name, expect=Exit.NOT_THERE)


async def test_without_a_worker_what_is_owed_is_not_known(run, live):
    name = f"Odd-x-{uuid.uuid4().hex[:8]}"
    handle = await live.client.start_workflow(
        "PostIncident", {}, id=f"{name}/after/run-1", task_queue=Queue.INCIDENTS
    )

    assert "not known now" in await run("done", name, expect=Exit.NO_ANSWER)
    await handle.terminate()


async def test_what_was_recorded_without_a_worker_is_done_once_by_the_next(
    run, incident, live, tmp_path
):
    await run("note", incident, "seen at night", "--as", "ana")

    async with working(live.client, tmp_path):
        for _ in range(100):
            record = json.loads(await run("show", incident, "--json"))
            said = [e for e in record["timeline"] if "seen at night" in e["text"]]
            if said:
                break
            await asyncio.sleep(0.1)
        assert len(said) == 1


async def test_without_a_worker_what_temporal_knows_is_shown(run, incident):
    said = await run("show", incident, expect=Exit.NO_ANSWER)

    assert incident in said
    assert "responder worker" in said


async def test_watching_ends_with_the_incident_and_outlives_the_worker(
    run, incident, live, tmp_path
):
    # A process of its own: two commands at once would write into each other's output.
    watching = await asyncio.create_subprocess_exec(
        *RESPONDER, "watch", incident, stdout=asyncio.subprocess.PIPE
    )
    said = await watching.stdout.readline()
    assert b"no worker answers" in said
    async with working(live.client, tmp_path):
        assert b"fires since" in await watching.stdout.readline()
        await run("note", incident, "the router", "--as", "ana")
    async with working(live.client, tmp_path):
        await run("resolve", incident, "--why", "it was the router", "--as", "ana")
        rest, _ = await asyncio.wait_for(watching.communicate(), 60)

    lines = rest.decode().splitlines()
    assert watching.returncode == 0
    assert sum("ana: the router" in line for line in lines) == 1
    assert sum("it was the router" in line for line in lines) >= 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(["show", "Nothing-x"], Exit.NOT_THERE, "responder list", id="none like it"),
        pytest.param(["ack", "x' OR 1=1"], Exit.NOT_THERE, "not an incident's id", id="no id"),
        pytest.param(["resolve", "x"], Exit.USAGE, "--why", id="a resolve without a reason"),
        pytest.param(["hold", "x", "--minutes", "0"], Exit.USAGE, "minutes", id="no time"),
    ],
)
async def test_what_cannot_be_done_says_what_can(run, words, code, says):
    assert says in await run(*words, expect=code)


async def test_an_id_that_begins_like_several_lists_them(run):
    shared = f"Odd{uuid.uuid4().hex[:6]}"
    names = [
        json.loads(await run("start", shared, "--service", s, "--why", WHY, "--json"))["incident"]
        for s in ("one", "two")
    ]

    said = await run("ack", shared, expect=Exit.NOT_THERE)

    assert all(name in said for name in names)


async def test_without_temporal_the_address_is_said_and_what_to_do(monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    result = await asyncio.to_thread(CliRunner().invoke, console(), ["list"])

    assert result.exit_code == Exit.NO_TEMPORAL
    assert "127.0.0.1:1" in result.output
    assert "responder up" in result.output
    assert "Traceback" not in result.output


async def test_wrong_settings_are_said_in_words(run, monkeypatch):
    monkeypatch.setenv("RESPONDER_DOOR__PORT", "many")

    said = await run("list", expect=Exit.USAGE)

    assert "RESPONDER_DOOR__PORT" in said


async def test_registering_can_be_repeated_and_checked(run):
    assert "all search attributes are there" in await run("register")
    assert "all search attributes are there" in await run("register", "--check")


async def test_the_procedures_are_named(run):
    names = [each["name"] for each in json.loads(await run("procedures", "--json"))]

    assert "RedisConnectionFailure" in names
