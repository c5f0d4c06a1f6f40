"""What changed shortly before: several sources told as one history, each failing one said."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from activities.deployments import DeployLog, Deployments, RecentReleases, Release, Told, merge
from activities.errors import NotConfigured, Refused, Throttled, Unavailable
from activities.github import GitHub
from activities.host import Host, HostNames
from activities.prometheus_api import Answered
from activities.supervisor import Releases
from deploy.gameday.standins.faults import hanging, outage
from deploy.gameday.standins.github import GitHubStandIn
from tests.activities.attempts import run
from tests.activities.scripted_host import scripted_host

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOKEN = "ghp_0123456789thisMustNeverBeSeen"
SHA = {name: f"{name}{'0' * 30}{name}"[:40] for name in ("a1b2c3d4", "5b1c0de7", "9f0aa312")}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Source:
    def __init__(self, *releases: Release, lacks: str = "", fails: Exception | None = None) -> None:
        self.title = "a source"
        self._told, self._fails = Told(releases, lacks), fails

    async def releases(self, most: int) -> Told:
        if self._fails:
            raise self._fails
        return self._told


class Supervisor:
    app, host = "pravado-api", "api-1"

    def __init__(self, found: Releases | Exception) -> None:
        self._found = found

    async def releases(self) -> Releases:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


class Measured:
    """Prometheus, as far as a history asks it."""

    def __init__(self, *values: float | None, fails: Exception | None = None) -> None:
        self._values, self._fails = values, fails
        self.asked: list[tuple[datetime, datetime]] = []

    async def over(self, expression: str, start: datetime, end: datetime, step: float) -> Answered:
        self.asked.append((start, end))
        if self._fails:
            raise self._fails
        at = start.timestamp()
        values = [[at + n * step, str(value)] for n, value in enumerate(self._values)]
        return Answered("matrix", [{"metric": {}, "values": values}], ())


def release(name: str, minutes: float, by: str = "log", **more) -> Release:
    return Release(name=name, at=ago(minutes), told_by=(by,), **more)


async def history(*sources, ask=None, **parts):
    return await run(Deployments(sources, **parts).recent, ask or RecentReleases())


async def test_the_log_on_the_host_is_one_source(tmp_path):
    lines = [
        {"at": ago(60).isoformat(), "release": "v1", "author": "ana", "migrations": True},
        {"at": ago(9).isoformat(), "release": "v2", "author": "marek", "commit": "a1b2c3d4",
         "migrations": False, "schema_changed": False, "environment_changed": True,
         "healthy_minutes": 40},
    ]  # fmt: skip
    async with scripted_host(tmp_path) as host:
        host.deployments = "".join(json.dumps(line) + "\n" for line in lines) + "half a li\n"
        log = DeployLog(Host(host.ssh, HostNames(deployments="/var/log/deployments.log")))

        found = await history(log)

    newest, older = found.releases
    assert (newest.name, newest.author, newest.healthy_minutes) == ("v2", "marek", 40.0)
    assert newest.changes == ("v2 has a change of the environment",)
    assert older.changes == (
        "v1 has migrations",
        "whether v1 has a change of the schema or a change of the environment is not told",
    )
    assert found.unread == ("the log of deployments: 1 of its last lines cannot be read",)


async def test_a_source_that_fails_is_said_and_hides_no_other():
    broken = Source(fails=Unavailable("GitHub answered 503"))

    found = await history(broken, Source(release("v1", 9)))

    assert [each.name for each in found.releases] == ["v1"]
    assert found.unread == ("a source: GitHub answered 503",)


async def test_a_source_that_is_late_is_said_too(monkeypatch):
    class Late(Source):
        async def releases(self, most: int) -> Told:
            await asyncio.sleep(30)
            raise AssertionError

    monkeypatch.setattr("activities.deployments._SECONDS", 0.05)

    found = await history(Late(), Source(release("v1", 9)))

    assert found.unread == ("a source: no answer within 0.05 s",)


async def test_where_every_source_fails_the_question_fails():
    with pytest.raises(Unavailable, match="one; a source: two"):
        await history(Source(fails=Refused("one")), Source(fails=Refused("two")))


async def test_no_deployment_at_all_is_an_answer_also_where_the_host_is_silent():
    found = await history(Source(), supervisor=Supervisor(Unavailable("no way in")))

    assert found.releases == ()
    assert found.unread == ("which release runs: no way in",)


async def test_without_sources_it_is_not_configured():
    with pytest.raises(NotConfigured, match="deploy_log or github"):
        await history()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            [release("v2", 9, commit="a1b2c3d"),
             release("main", 8, "github", commit=SHA["a1b2c3d4"], migrations=True, author="ana")],
            [("v2", "ana", True, ("log", "github"))],
            id="the same commit, abbreviated",
        ),
        pytest.param(
            [release("v2", 9, migrations=False), release("v2", 8, "github", migrations=True)],
            [("v2", "", True, ("log", "github"))],
            id="they contradict each other: who says that something changed is believed",
        ),
        pytest.param(
            [release("v2", 9, migrations=False), release("v2", 8, "github")],
            [("v2", "", False, ("log", "github"))],
            id="what one does not tell the other does",
        ),
        pytest.param(
            [release("v2", 9), release("v2", 400)],
            [("v2", "", None, ("log",)), ("v2", "", None, ("log",))],
            id="one source tells of it twice: it was deployed twice",
        ),
        pytest.param(
            [release("v2", 9, commit="a1b2"), release("v3", 5, "github", commit="a1b2c3d4")],
            [("v3", "", None, ("github",)), ("v2", "", None, ("log",))],
            id="four characters make no commit",
        ),
        pytest.param(
            [release("v1", 90), release("v2", 9)],
            [("v2", "", None, ("log",)), ("v1", "", None, ("log",))],
            id="newest first, in whatever order they are told",
        ),
    ],
)  # fmt: skip
def test_what_several_tell_of_one_release_becomes_one(told, expected):
    merged = merge(told)

    assert [(r.name, r.author, r.migrations, r.told_by) for r in merged] == expected


async def test_what_runs_and_what_could_run_comes_from_who_keeps_the_releases():
    kept = Releases(running="v3", ready=("v2", "v3"), left=("v1",), rolling="a rollout")
    sources = Source(release("v3", 9), release("v2", 90), release("v1", 900), release("v0", 9000))

    found = await history(sources, supervisor=Supervisor(kept))

    assert (found.running, found.rolling) == ("v3", "a rollout")
    assert [(r.name, r.ready, r.left) for r in found.releases] == [
        ("v3", True, False), ("v2", True, False), ("v1", False, True), ("v0", False, False),
    ]  # fmt: skip


async def test_how_a_release_ran_is_counted_from_its_deployment_to_the_next():
    measured = Measured(*[1.0] * 35, *[0.0] * 2)
    ask = RecentReleases(well="well")

    found = await history(
        Source(release("v2", 9), release("v1", 60 * 24)), ask=ask, prometheus=measured
    )

    newest, older = found.releases
    assert newest.healthy_minutes is None, "it still runs: nobody knows how it will have been"
    assert (older.healthy_minutes, older.unhealthy_minutes) == (35.0, 2.0)
    assert measured.asked == [(ago(9) - timedelta(hours=8), ago(9))], "its last hours"


@pytest.mark.parametrize(
    ("measured", "unread"),
    [
        (Measured(), ()),
        (Measured(fails=Unavailable("Prometheus is away")), ("how v1 ran: Prometheus is away",)),
        (None, ()),
    ],
    ids=["no traffic", "Prometheus is away", "no Prometheus"],
)
async def test_how_it_ran_is_not_known_rather_than_well(measured, unread):
    ask = RecentReleases(well="well")

    found = await history(Source(release("v2", 9), release("v1", 90)), ask=ask, prometheus=measured)

    assert found.releases[1].healthy_minutes is None
    assert found.unread == unread


async def test_what_the_log_has_measured_is_not_measured_again():
    measured = Measured(0.0)
    told = Source(release("v2", 9), release("v1", 90, healthy_minutes=70.0))

    found = await history(told, ask=RecentReleases(well="well"), prometheus=measured)

    assert found.releases[1].healthy_minutes == 70.0
    assert measured.asked == []


@pytest.fixture
async def github() -> AsyncIterator[tuple[GitHubStandIn, GitHub]]:
    async with (
        GitHubStandIn("pravado/api", TOKEN) as standin,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        yield standin, GitHub(http, "pravado/api", SecretStr(TOKEN), url=standin.url)


def three(standin: GitHubStandIn, last: tuple[str, ...] = ("success",)) -> None:
    standin.deploy(SHA["5b1c0de7"], "v1", ago(900))
    standin.deploy(SHA["9f0aa312"], "v2", ago(90), states=("success", "inactive"), creator="marek")
    standin.deploy(SHA["a1b2c3d4"], "v3", ago(9), states=last)
    standin.change(SHA["5b1c0de7"], SHA["9f0aa312"], "src/app.ts", "README.md")
    standin.change(SHA["9f0aa312"], SHA["a1b2c3d4"], "db/migrations/7_plans.ts", ".env.example")


async def test_github_tells_who_deployed_what_and_which_files_changed(github):
    standin, adapter = github
    three(standin)

    newest, middle, oldest = (await adapter.releases(5)).releases

    assert (newest.name, newest.author, newest.at) == ("v3", "ana", ago(9))
    assert newest.commit == SHA["a1b2c3d4"]
    kinds = (newest.migrations, newest.schema_changed, newest.environment_changed)
    assert kinds == (True, False, True)
    assert (middle.author, middle.changes) == ("marek", ())
    assert oldest.migrations is None, "there is nothing to compare the oldest with"
    assert not newest.under_way


@pytest.mark.parametrize("state", ["in_progress", "queued", "pending"])
async def test_a_rollout_that_has_not_ended_is_under_way(github, state):
    standin, adapter = github
    three(standin, last=("queued", state))

    found = await history(adapter)

    assert found.rolling == "v3 is being rolled out"


async def test_a_deployment_without_a_status_is_not_held_for_ended(github):
    standin, adapter = github
    three(standin, last=())

    assert (await adapter.releases(5)).releases[0].under_way


async def test_one_that_failed_was_never_there_and_what_follows_is_compared_across_it(github):
    standin, adapter = github
    standin.deploy(SHA["5b1c0de7"], "v1", ago(900))
    standin.deploy(SHA["9f0aa312"], "v2", ago(90), states=("in_progress", "failure"))
    standin.deploy(SHA["a1b2c3d4"], "v3", ago(9))
    standin.change(SHA["5b1c0de7"], SHA["a1b2c3d4"], "prisma/schema.prisma")

    newest, oldest = (await adapter.releases(5)).releases

    assert (newest.name, oldest.name) == ("v3", "v1")
    assert newest.schema_changed is True


@pytest.mark.parametrize(
    "prepare",
    [
        lambda standin: standin.fail(outage(method="compare", times=9)),
        lambda standin: standin.change(
            SHA["9f0aa312"], SHA["a1b2c3d4"], *(f"src/{n}.ts" for n in range(400))
        ),
    ],
    ids=["the comparison fails", "more files than GitHub lists"],
)
async def test_what_cannot_be_compared_is_not_held_for_unchanged(github, prepare):
    standin, adapter = github
    three(standin)
    prepare(standin)

    assert (await adapter.releases(5)).releases[0].migrations is None


async def test_what_the_deployment_says_of_itself_counts_and_a_found_change_counts_more(github):
    standin, adapter = github
    standin.deploy(SHA["9f0aa312"], "v2", ago(90))
    standin.deploy(SHA["a1b2c3d4"], "v3", ago(9), payload={"migrations": False, "schema": True})
    standin.change(SHA["9f0aa312"], SHA["a1b2c3d4"], "migrations/9.sql")

    newest = (await adapter.releases(5)).releases[0]

    assert (newest.migrations, newest.schema_changed) == (True, True)


async def test_an_exhausted_hour_is_waited_for_until_it_begins_anew(github):
    standin, adapter = github
    standin.left, standin.reset = 0, int(datetime.now(UTC).timestamp()) + 120

    with pytest.raises(Throttled) as throttled:
        await adapter.releases(5)

    assert timedelta(seconds=100) < throttled.value.next_retry_delay <= timedelta(seconds=120)


async def test_another_repository_is_said_without_the_token(github):
    standin, _ = github
    async with httpx.AsyncClient(trust_env=False) as http:
        adapter = GitHub(http, "pravado/other", SecretStr(TOKEN), url=standin.url)
        with pytest.raises(Refused, match="not there, or the token may not see it") as refused:
            await adapter.releases(5)
    assert TOKEN not in str(refused.value)


async def test_a_silent_github_costs_no_more_than_its_time(github):
    standin, _ = github
    standin.fail(hanging(30, method="deployments"))
    async with httpx.AsyncClient(trust_env=False) as http:
        slow = GitHub(http, "pravado/api", SecretStr(TOKEN), url=standin.url, seconds=0.1)
        with pytest.raises(Unavailable, match="did not answer within"):
            await slow.releases(5)
