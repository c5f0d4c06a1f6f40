import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from activities.alerts import Alert, AlertStatus
from activities.record import AlertState, Entry, PlannedStep, Record, Resolution, StepState
from activities.words import Risk
from deploy.console import console
from deploy.gameday import scorecard
from deploy.gameday.performance import Performed
from deploy.gameday.scenarios import SCENARIOS
from deploy.gameday.scorecard import Score, markdown, score, table
from deploy.gameday.verdict import otherwise

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REDIS = SCENARIOS["redis"]


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def step(key: str, state: StepState) -> PlannedStep:
    return PlannedStep(
        key=key, activity=key, order={}, target="redis", why="", effect="", risk=Risk.REVERSIBLE,
        state=state,
    )  # fmt: skip


def record(*texts: str, alert: str = REDIS.alert) -> Record:
    fired = Alert(
        fingerprint="f", name=alert, status=AlertStatus.FIRING, starts_at=after(4), labels={}
    )
    return Record(
        id="RedisConnectionFailure-redis-1",
        run="run",
        indicator="RedisConnectionFailure",
        service="redis",
        opened_at=after(5),
        alerts={"f": AlertState(alert=fired, firing=True, first_seen=after(5))},
        paged_at=after(5.5),
        mitigated_at=after(12.25),
        resolution=Resolution(how="recovered", reason="good looks", at=after(30)),
        past_steps=[step("a@redis", StepState.UNHELPFUL), step("b@redis", StepState.SKIPPED)],
        ladder=[step("c@redis", StepState.UNDONE), step("d@redis", StepState.PLANNED)],
        timeline=[Entry(at=AT, kind="phase", text=text) for text in texts],
    )


def test_times_are_after_the_fault_and_only_what_was_done_is_a_step():
    scored = score(Performed(REDIS, (), (), record(), AT, messages=7, pages=1))

    assert scored == Score(
        scenario="redis",
        alert="RedisConnectionFailure",
        detected=4.0,
        paged=5.5,
        mitigated=12.2,
        resolved=30.0,
        steps=("a@redis", "c@redis"),
        by_people=False,
        messages=7,
        pages=1,
        left_as_found=True,
    )
    assert scored.well


def test_what_is_not_well_is_shown_with_its_reason_and_without_times_that_never_came():
    scored = score(Performed(REDIS, ("no incident came of it",), ("PING answers nothing",)))
    page = markdown([scored], pace=0.025, at=AT)
    terminal = Console(width=80)
    with terminal.capture() as shown:
        terminal.print(table([scored]))

    assert (scored.well, scored.left_as_found, scored.detected) == (False, False, None)
    assert "0 of 1 scenarios went well" in page
    assert (
        "| redis | RedisConnectionFailure | - | - | - | - | none | no | 0 | 0 | NO | NO |" in page
    )
    assert "- redis: no incident came of it" in page
    assert "✗ redis" in shown.get()
    assert shown.get().count("-") >= 4


@pytest.mark.parametrize(
    ("found", "people", "wrong"),
    [
        pytest.param(record(), False, [], id="as it should be"),
        pytest.param(record("handed to people: no step is left"), True, [], id="left to people"),
        pytest.param(record(alert="APIDown"), False,
                     ["RedisConnectionFailure was not raised, but APIDown"],
                     id="another alert than the scenario is about"),
        pytest.param(record(), True,
                     ["it was not handed to people: something helped that must not"],
                     id="something helped where nothing should"),
        pytest.param(None, True, [], id="no incident is said elsewhere"),
    ],
)  # fmt: skip
def test_a_scenario_that_went_another_way_is_not_well(found, people, wrong):
    assert otherwise(found, REDIS.alert, people=people) == wrong


class Days:
    """Stands in for days: which were begun, and which went on."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    def __call__(self, folder, *, pace):
        days = self

        class Day:
            async def __aenter__(self):
                days.begun.append(folder.name)
                return self

            async def __aexit__(self, *_):
                days.ended.append(folder.name)

        return Day()


async def test_a_day_goes_on_as_long_as_it_is_left_as_it_was_found(monkeypatch, tmp_path):
    days, went = Days(), iter([True, False, True, True])

    async def played(scenario, day, folder, pace):
        return Score(scenario.name, scenario.alert, wrong=() if next(went) else ("it broke",))

    monkeypatch.setattr(scorecard, "Day", days)
    monkeypatch.setattr(scorecard, "_played", played)
    scores: list[Score] = []

    await scorecard.play([REDIS] * 4, tmp_path, Console(quiet=True), scores, pace=0.02)

    assert [one.well for one in scores] == [True, False, True, True]
    assert days.begun == days.ended == ["day-1", "day-3"]


async def test_a_scenario_that_cannot_be_played_is_not_well_and_the_next_one_is_played(
    monkeypatch, tmp_path
):
    class Broken:
        def __init__(self, *_, **__) -> None: ...

        async def perform(self, *_):
            raise TimeoutError("The fault did not show within 15 s.")

    class Stack:
        async def client(self): ...

    monkeypatch.setattr(scorecard, "Performance", Broken)
    day = type("Day", (), {"stack": Stack()})()

    scored = await scorecard._played(REDIS, day, tmp_path, 0.02)

    assert scored.wrong == (
        "it could not be played: TimeoutError: The fault did not show within 15 s.",
    )


@pytest.mark.parametrize(
    ("wrong", "status"), [((), 0), (("it broke",), 1)], ids=["all well", "one not well"]
)
def test_it_ends_by_how_it_went_and_keeps_what_it_measured(monkeypatch, tmp_path, wrong, status):
    async def play(chosen, folder, told, scores, *, pace):
        scores += [Score(one.name, one.alert, wrong=wrong) for one in chosen]

    monkeypatch.setattr(scorecard, "play", play)
    results = tmp_path / "results"

    done = CliRunner().invoke(
        console(), ["gameday", "redis", "--data", str(tmp_path), "--results", str(results)]
    )

    assert done.exit_code == status
    [kept] = json.loads((results / "gameday.json").read_text())["scores"]
    assert (kept["scenario"], kept["wrong"]) == ("redis", list(wrong))
    assert "| redis |" in (results / "gameday.md").read_text()


def test_a_scenario_that_is_not_there_is_a_wrong_call():
    done = CliRunner().invoke(console(), ["gameday", "redis", "earthquake"])

    assert done.exit_code == 2
    assert "There is no earthquake; there are" in done.stderr
