import asyncio
import os
import pty
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from activities.record import Phase, PlannedStep, Reading, Record, Resolution, StepState
from activities.words import Risk
from deploy.console import console
from deploy.gameday import terminal
from deploy.gameday.day import PACE, Day
from deploy.gameday.gist import gist
from deploy.gameday.performance import Performance
from deploy.gameday.scenarios import SCENARIOS
from deploy.gameday.show import Show
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.slack_state import Message
from deploy.gameday.verdict import shortcomings
from deploy.local.data import taken
from deploy.local.processes import NotReady

AT = datetime(2026, 1, 31, 3, tzinfo=UTC)


def recovered(written: Path, **changed) -> Record:
    written.write_text("all of it")
    record = Record(
        id="RedisConnectionFailure-redis-1f2e3d4c",
        run="run",
        indicator="RedisConnectionFailure",
        service="redis",
        opened_at=AT,
        phase=Phase.RESOLVED,
        resolution=Resolution(how="recovered", reason="30 good looks", at=AT),
        report=[str(written)],
    )
    return record.model_copy(update=changed)


def step(state: StepState) -> PlannedStep:
    return PlannedStep(
        key="scale",
        activity="processes.scale",
        order={},
        target="api",
        why="load",
        effect="scale the API to 5",
        risk=Risk.REVERSIBLE,
        undo=True,
        state=state,
    )


def test_a_recovered_incident_with_its_report_is_well(tmp_path):
    record = recovered(tmp_path / "report.md", ladder=[step(StepState.UNDONE)])
    assert shortcomings(record) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"phase": Phase.WATCHING, "resolution": None, "report": []},
            ["the incident is not resolved, it is in people's hands"],
            id="an incident that people still have is not over",
        ),
        pytest.param(
            {"resolution": Resolution(how="resolved by a person", reason="by hand", at=AT)},
            ["it ended otherwise than by recovery: resolved by a person (by hand)"],
            id="a person's word is not recovery",
        ),
        pytest.param(
            {"ladder": [step(StepState.HELPED)]},
            ["still temporary: scale the API to 5"],
            id="what was not undone is told",
        ),
        pytest.param({"report": []}, ["no report was written"], id="there must be a report"),
        pytest.param(
            {"report": ["/nowhere/report.md"]},
            ["the report /nowhere/report.md is not there"],
            id="a report that is named must be there",
        ),
    ],
)
def test_what_is_missing_at_the_end_is_told(tmp_path, changed, said):
    assert shortcomings(recovered(tmp_path / "report.md", **changed)) == said


def test_an_empty_report_an_open_incident_and_a_sick_platform_are_told(tmp_path):
    record = recovered(tmp_path / "report.md")
    (tmp_path / "report.md").write_text("")

    wrong = shortcomings(record, unwell=["PING answers nothing"], still_open=["APILatency-api-1"])

    assert wrong == [
        f"the report {tmp_path / 'report.md'} is empty",
        "the incident APILatency-api-1 is still open",
        "the platform is not healthy: PING answers nothing",
    ]


def test_a_fault_that_nobody_noticed_is_not_well():
    assert shortcomings(None) == ["no incident came of it"]


def test_the_list_names_every_scenario_with_its_alert():
    done = CliRunner().invoke(console(), ["demo", "--list"])

    assert done.exit_code == 0
    for scenario in SCENARIOS.values():
        assert f"{scenario.name:12} {scenario.alert}" in done.output


def test_an_unknown_scenario_is_a_wrong_call():
    done = CliRunner().invoke(console(), ["demo", "earthquake"])

    assert done.exit_code == 2
    assert f"There is no 'earthquake'; there are {', '.join(SCENARIOS)}." in done.stderr


def test_a_folder_in_use_is_told_in_a_sentence(tmp_path):
    with taken(tmp_path):
        done = CliRunner().invoke(console(), ["demo", "--data", str(tmp_path)])

    assert done.exit_code == 1
    assert f"{tmp_path} is in use by another responder (process {os.getpid()})" in done.stderr


def test_what_does_not_start_is_told_in_a_sentence_and_its_logs_are_left(monkeypatch, tmp_path):
    async def broken(*_, **__):
        raise NotReady("Temporal ended with exit code 1 before it was ready.")

    monkeypatch.setattr(Day, "__aenter__", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    done = CliRunner().invoke(console(), ["demo"])

    assert done.exit_code == 1
    assert done.stderr == "Temporal ended with exit code 1 before it was ready.\n"
    [left] = tmp_path.glob("responder-demo-*")
    assert f"All data and logs are left in {left}" in done.output


def test_slower_waits_are_given_more_time():
    show = Show(Console())
    slow, quick = (Performance(SCENARIOS["redis"], show, pace=it) for it in (1.0, PACE))
    assert slow.patience_seconds > 3600
    assert 120 < quick.patience_seconds < 300


async def test_a_day_reads_no_settings_but_its_own(tmp_path):
    day = Day(tmp_path)
    async with day.outside:
        day.platform = day._platform()

        assert Path(day._environment()["RESPONDER_CONFIG"]).parent == tmp_path


@pytest.mark.parametrize(
    ("typed", "approved", "told"),
    [
        pytest.param(["y\n"], True, 1, id="y is yes"),
        pytest.param(["no\n"], False, 1, id="no is no"),
        pytest.param(["\n", "perhaps\n", "YES\n"], True, 3, id="what is neither is asked again"),
        pytest.param(["\x04"], False, 2, id="the end of the input is a no, and is told"),
    ],
)
async def test_a_person_is_asked_at_a_terminal(typed, approved, told):
    person, ours = pty.openpty()
    said = []
    asking = asyncio.create_task(terminal.approves(said.append, ours))
    for line in typed:
        await asyncio.sleep(0)
        os.write(person, line.encode())
        async with asyncio.timeout(60):
            seen = len(said)
            while len(said) == seen and not asking.done():
                await asyncio.sleep(0.01)

    assert await asking is approved
    assert len(said) == told
    os.close(person)
    os.close(ours)


async def test_a_question_that_nobody_answers_can_be_left():
    person, ours = pty.openpty()
    asking = asyncio.create_task(terminal.approves(lambda _: None, ours))
    await asyncio.sleep(0.05)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not asyncio.get_running_loop().remove_reader(ours)
    os.close(person)
    os.close(ours)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param({"value": 1.442174, "warnings": [], "note": ""}, "1.44", id="a number"),
        pytest.param({"value": None, "note": "no data"}, "no data", id="no data"),
        pytest.param(
            {
                "series": [
                    {"labels": {"route": f"/{n}"}, "value": value}
                    for n, value in enumerate((1.44, 1.33, None, 0.2))
                ],
                "truncated": 0,
            },
            "/0 1.44, /1 1.33, /2 not known and 1 more",
            id="series by their labels, the first of them",
        ),
        pytest.param(
            {"sessions": [{"pid": 1}, {"pid": 2}], "left_out": 4, "blind": False},
            "2 sessions, left out 4",
            id="lists are counted, what is not so is not told",
        ),
        pytest.param({"finding": "refused", "said": "no route."}, "refused, no route", id="words"),
        pytest.param({}, "nothing was found", id="nothing"),
    ],
)
def test_an_answer_is_told_as_people_would(answer, said):
    assert gist(Reading(key="k", why="w", answer=answer)) == said


def test_what_could_not_be_read_says_why():
    reading = Reading(key="k", why="w", failed="no route to host")
    assert gist(reading) == "could not be read: no route to host"


def test_a_picture_in_slack_is_told_as_a_chart_and_once(capsys):
    slack, pagerduty = SlackStandIn("token"), PagerDutyStandIn([])
    file = {"name": "chart.png", "title": "The API answers slowly"}
    slack.state.messages = [
        Message(channel="C0INCIDENTS", ts="1", user="U", text="WARNING:\nit is slow"),
        Message(channel="C0INCIDENTS", ts="2", thread_ts="1", user="U", text="", files=[file]),
    ]
    show = Show(Console(width=100))

    show.messages(slack, pagerduty)
    show.messages(slack, pagerduty)

    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [[who, told.strip()] for who, told in lines] == [
        ["Slack", "#incidents WARNING: it is slow"],
        ["Slack", "↳ a chart: The API answers slowly"],
    ]
