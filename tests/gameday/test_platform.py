"""Every fault truly shows, and what an operator may do about it truly helps."""

import httpx
import psycopg

from deploy.gameday.nightly_report import NAME
from deploy.gameday.switches import SWITCHES
from tests.gameday.watching import (
    TOKEN,
    alerts,
    failures,
    fires,
    listens,
    ordered,
    rests,
    statuses,
    told,
    unit,
    until,
)


async def test_a_killed_redis_stays_down_until_it_is_restarted(platform, door):
    async with httpx.AsyncClient(base_url=platform.api_url, trust_env=False) as client:
        await client.get("/api/orgs")
    killed = await platform.kill_redis()

    await until(fires, platform, "RedisConnectionFailure")
    assert (await alerts(platform))["RedisConnectionFailure"] == {
        "alertname": "RedisConnectionFailure",
        "severity": "critical",
        "service": "redis",
        "team": "backend",
        "responder": "true",
    }
    assert await unit(platform) == {
        "ActiveState": "failed",
        "SubState": "failed",
        "Result": "signal",
        "MainPID": "0",
    }
    assert await statuses(platform, "/api/orgs", "/healthz") == [503, 200]
    assert any("503" in reason for reason in await platform.healthy())
    await until(told, door, "RedisConnectionFailure", "firing")

    await ordered(platform, "sudo -n systemctl restart redis")
    restarted = await unit(platform)
    assert restarted["ActiveState"] == "active"
    assert restarted["MainPID"] != str(killed)
    await until(rests, platform, "RedisConnectionFailure")
    await until(told, door, "RedisConnectionFailure", "resolved")
    assert door.tokens == {f"Bearer {TOKEN}"}


async def test_a_redis_that_cannot_start_is_lived_without_in_memory(platform):
    await platform.break_redis_for_good()
    failed = await platform.ssh.run("sudo -n systemctl restart redis")
    assert (failed.exit_status, (await unit(platform))["Result"]) == (1, "exit-code")
    assert "Job for redis.service failed" in failed.stderr

    switch = "env USE_IN_MEMORY_CACHE={} pm2 reload pravado-api --update-env"
    await ordered(platform, switch.format("true"))

    async def served():
        return {200} ^ set(await statuses(platform, *["/api/orgs", "/api/users/3"] * 4))

    await until(served)
    assert any("USE_IN_MEMORY_CACHE=true" in reason for reason in await platform.healthy())
    await until(fires, platform, "RedisConnectionFailure")

    platform.mend_redis()
    await ordered(platform, "sudo -n systemctl restart redis")
    await ordered(platform, switch.format("false"))
    await until(rests, platform, "RedisConnectionFailure")


async def test_a_spike_queues_on_two_instances_and_not_on_five(platform):
    platform.spike(4)
    await until(fires, platform, "HighAPILatency")
    await ordered(platform, "pm2 scale pravado-api 5")
    await until(rests, platform, "HighAPILatency")
    environments = [entry["pm2_env"]["env"] for entry in await platform.ssh.jlist()]
    assert len(environments) == 5
    assert all(environment.items() >= SWITCHES.items() for environment in environments)

    platform.calm()
    await ordered(platform, "pm2 scale pravado-api 2")
    assert len(await platform.ssh.jlist()) == 2


async def test_leaked_sessions_fill_the_database_until_the_responder_ends_them(platform):
    await platform.leak_connections()
    await until(fires, platform, "HighDatabaseConnections")

    connection = await psycopg.AsyncConnection.connect(platform.postgres_dsn, autocommit=True)
    async with connection:
        states = await connection.execute(
            "SELECT state, count(*) FROM pg_stat_activity WHERE application_name = %s"
            " GROUP BY state ORDER BY state",
            (NAME,),
        )
        assert dict(await states.fetchall()) == {"active": 17, "idle in transaction": 17}
        await connection.execute(
            "SELECT CASE state WHEN 'active' THEN pg_cancel_backend(pid)"
            " ELSE pg_terminate_backend(pid) END FROM pg_stat_activity"
            " WHERE application_name = %s",
            (NAME,),
        )
    await until(rests, platform, "HighDatabaseConnections")


async def test_a_killed_instance_is_started_again(platform):
    before = {entry["pm_id"]: entry for entry in await platform.ssh.jlist()}
    killed = await platform.kill_api_instance()

    async def back():
        entry = (await platform.ssh.jlist())[0]
        again = entry["pm2_env"]["restart_time"] == before[0]["pm2_env"]["restart_time"] + 1
        return [] if again and entry["pid"] not in {0, killed} else [entry["pid"]]

    await until(back)


async def test_instances_restarted_one_after_the_other_cost_the_users_nothing(platform):
    before = await platform.ssh.jlist()
    failed = failures(platform)
    for number in (1, 0):
        await ordered(platform, f"pm2 restart {number}")
        [entry] = [it for it in await platform.ssh.jlist() if it["pm_id"] == number]
        await until(listens, entry["pm2_env"]["env"]["PORT"])
    after = await platform.ssh.jlist()
    for old, new in zip(before, after, strict=True):
        assert old["pid"] != new["pid"]
        assert new["pm2_env"]["restart_time"] == old["pm2_env"]["restart_time"] + 1
        assert new["pm2_env"]["pm_uptime"] > old["pm2_env"]["pm_uptime"]
    assert "listening" in await ordered(platform, "pm2 logs pravado-api --lines 50 --nostream")
    assert failures(platform) == failed


async def test_restarts_of_an_earlier_game_day_are_forgotten(platform):
    await ordered(platform, "pm2 restart 0")
    assert (await platform.ssh.jlist())[0]["pm2_env"]["restart_time"] > 0
    await platform.forget_restarts()
    assert [e["pm2_env"]["restart_time"] for e in await platform.ssh.jlist()] == [0, 0]
