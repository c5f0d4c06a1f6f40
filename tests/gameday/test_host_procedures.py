"""The plans for the machine, made of what is truly found there, and truly carried out."""

from datetime import UTC, datetime

import pytest

from activities.alerts import Alert, AlertStatus
from activities.changes import READ
from activities.errors import Failed
from activities.record import Reading
from deploy.gameday.faults import CRASH
from deploy.gameday.machine import LOGS
from deploy.gameday.platform import Platform
from tests.activities.attempts import run
from tests.gameday.watching import fires, rests, until, well
from workers.composition import compose
from workers.settings import Settings
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Evidence, activity_name


@pytest.fixture(scope="module")
async def running(tmp_path_factory):
    """A platform of this module's own: how often its instances were restarted counts."""
    async with Platform(tmp_path_factory.mktemp("platform")) as platform:
        await until(well, platform)
        yield platform


@pytest.fixture(autouse=True)
async def mended(platform):
    yield
    platform.lighten()
    platform.remove_dump()
    if platform.faults.text(CRASH):
        await platform.mend_crash()


@pytest.fixture
async def activities(running):
    """Every activity of a responder for this platform, by its name."""
    settings = Settings(
        prometheus={"url": running.prometheus_url},
        postgres={"dsn": running.postgres_dsn},
        host={
            "address": running.ssh.host,
            "port": running.ssh.port,
            "user": running.ssh.user,
            "key_file": running.ssh.client_key,
            "known_hosts_file": running.ssh.known_hosts,
            "deploy_log": running.deploy_log,
        },
        processes={
            "health_url": running.health_url,
            "ramp_seconds": 0.2,
            "settle_seconds": 0.2,
        },
        disk={"log_folder": f"/{LOGS}", "archive_folder": "/mnt/archive"},
        given={
            "fast_window": "6s",
            "baseline_offset": "12s",
            "load_high_ratio": 50,
            "runaway_percent": 40,
            "pool_size": 4,
        },
    )
    async with compose(settings) as composition:
        yield settings.given, {activity_name(a): a for all_ in composition.values() for a in all_}


async def planned(activities, name):
    """Ask every probe as an incident does, and the procedure for its plan."""
    given, by_name = activities
    [kind] = [each for each in PROCEDURES if each.__name__ == name]
    procedure, readings = kind(given), []
    for probe in procedure.probes():
        reading = Reading(key=probe.key, why=probe.why)
        try:
            answer = await run(by_name[probe.activity], probe.question(given))
            reading.answer = answer.model_dump(mode="json")
        except Failed as failed:
            reading.failed = failed.message
        readings.append(reading)
    now = datetime.now(UTC)
    alert = Alert(fingerprint="9c1f0a77de31b2aa", name=name, status=AlertStatus.FIRING,
                  starts_at=now, labels={"alertname": name})  # fmt: skip
    return procedure.plan(alert, Evidence(readings, now))


async def taken(activities, step):
    """Take a step as an incident does: what is there before is read, then the change is made."""
    _, by_name = activities
    before = await run(by_name[step.activity + READ], step.order)
    done = await run(by_name[step.activity], step.order, before)
    again = await run(by_name[step.activity], step.order, before, attempt=2)
    assert done.changed, done.said
    return done, again


async def test_what_stands_still_is_restarted(platform, activities):
    await platform.hang_api()
    await until(fires, platform, "APIDown")

    plan = await planned(activities, "APIDown")

    assert [step.activity for step in plan.steps] == ["processes.rolling_restart"], plan
    assert plan.steps[0].why == "both sides see it down"
    done, _ = await taken(activities, plan.steps[0])
    assert "all at once, for none was healthy" in done.said
    await until(rests, platform, "APIDown")
    after = await planned(activities, "APIDown")
    assert after.steps == ()
    assert "every instance answers" in after.cause


async def test_the_one_that_runs_away_is_restarted_alone(platform, activities):
    await platform.run_away()
    await until(fires, platform, "HighCPUUsage")

    plan = await planned(activities, "HighCPUUsage")

    assert plan.steps[0].activity == "processes.restart_instance", plan
    assert plan.steps[0].order.instance == 0
    assert any(each.startswith("busiest threads: ") for each in plan.findings)
    await taken(activities, plan.steps[0])
    await until(rests, platform, "HighCPUUsage")


async def test_a_leak_is_seen_and_ended_by_a_restart(platform, activities):
    await platform.leak_memory()
    await until(fires, platform, "HighMemoryUsage")

    plan = await planned(activities, "HighMemoryUsage")

    assert [step.activity for step in plan.steps] == ["processes.rolling_restart"], plan
    assert "a leak" in plan.cause
    assert any("do not fit into" in each for each in plan.findings)
    await taken(activities, plan.steps[0])
    await until(rests, platform, "HighMemoryUsage")


async def test_a_full_disk_is_archived_cleared_and_kept_from_filling_again(platform, activities):
    await platform.flood_logs()
    await until(fires, platform, "DiskSpaceLow")

    plan = await planned(activities, "DiskSpaceLow")

    assert [step.activity for step in plan.steps] == [
        "host.archive_logs", "host.clear_logs", "host.rotate_logs",
    ], plan  # fmt: skip
    for step in plan.steps:
        await taken(activities, step)
    await until(rests, platform, "DiskSpaceLow")
    after = await planned(activities, "DiskSpaceLow")
    assert after.steps == ()
    assert any("rotated already, at 50M" in each for each in after.findings) or (
        "sees at least 10% left" in after.cause
    )


# The last one: whoever was started so often looks like a crash loop for a while.
async def test_what_crashes_over_and_over_is_left_to_people(platform, activities):
    await platform.crash_api()
    await until(fires, platform, "APIDown")

    plan = await planned(activities, "APIDown")
    await platform.mend_crash()

    assert plan.steps == ()
    assert "crashes over and over" in plan.cause
    assert any("Cannot find module './billing'" in each for each in plan.findings)
    await until(rests, platform, "APIDown")
