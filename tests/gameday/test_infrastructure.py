"""Every fault of the machine truly shows, and what an operator may do about it truly helps."""

import pytest

from activities import host_commands
from deploy.gameday import burdens, machine
from deploy.gameday.faults import CRASH
from tests.gameday.watching import alerts, fires, ordered, rests, until

LOGS = f"/{machine.LOGS}"


@pytest.fixture(autouse=True)
async def mended(platform):
    yield
    platform.lighten()
    platform.remove_dump()
    platform.furnish()
    if platform.faults.text(CRASH):
        await platform.mend_crash()


async def instances(platform):
    return [(entry["pid"], entry["pm2_env"]["status"]) for entry in await platform.ssh.jlist()]


async def test_instances_that_stand_still_answer_nobody_until_they_are_restarted(platform):
    await platform.hang_api()
    await until(fires, platform, "APIDown")
    assert {status for _, status in await instances(platform)} == {"online"}
    [entry, *_] = await platform.ssh.jlist()
    health = host_commands.local_health(int(entry["pm2_env"]["env"]["PORT"]), "/healthz", 0.5)
    assert (await platform.ssh.run(health.line)).exit_status == 28

    await ordered(platform, "pm2 restart pravado-api")
    await until(rests, platform, "APIDown")
    assert (await platform.ssh.run(health.line)).stdout == "200"


async def test_instances_that_crash_as_they_start_are_not_cured_by_a_restart(platform):
    await platform.crash_api()
    await until(fires, platform, "APIDown")
    await ordered(platform, "pm2 restart pravado-api")
    assert "Cannot find module" in await ordered(
        platform, "pm2 logs pravado-api --lines 100 --nostream"
    )

    await platform.mend_crash()
    await until(rests, platform, "APIDown")


async def test_a_runaway_keeps_the_processors_busy_until_it_alone_is_restarted(platform):
    await platform.run_away()
    (runaway, _), (other, _) = await instances(platform)
    await until(fires, platform, "HighCPUUsage")
    top = await ordered(platform, host_commands.busiest().line)
    [row] = [line.split() for line in top.splitlines() if line.split()[:1] == [str(runaway)]]
    assert float(row[8]) > 30
    assert "HighAPILatency" not in await alerts(platform), "it holds up nobody else"

    await ordered(platform, "pm2 restart 0")
    await until(rests, platform, "HighCPUUsage")
    assert (await instances(platform))[1][0] == other
    await until(forgotten, platform, burdens.SPIN)


async def test_a_leak_fills_the_memory_until_the_instances_are_restarted(platform):
    await platform.leak_memory()
    await until(fires, platform, "HighMemoryUsage")
    listed = await ordered(platform, host_commands.largest_processes().line)
    assert int(listed.splitlines()[0].split()[3]) > 400 * 1024
    assert str((await instances(platform))[0][0]) in listed.split()

    await ordered(platform, "pm2 restart pravado-api")
    await until(rests, platform, "HighMemoryUsage")
    await until(forgotten, platform, burdens.LEAK)


async def test_a_flood_of_logs_fills_the_disk_until_they_are_flushed(platform):
    await platform.flood_logs()
    await until(fires, platform, "DiskSpaceLow")
    assert any("of / is used" in reason for reason in await platform.healthy())
    await until(forgotten, platform, burdens.FLOOD)
    logged = [entry["pm2_env"]["pm_out_log_path"] for entry in await platform.ssh.jlist()]
    assert all(path.startswith(f"{LOGS}/") for path in logged)

    await ordered(platform, "pm2 flush pravado-api")
    await until(rests, platform, "DiskSpaceLow")


async def test_a_dump_fills_the_disk_and_no_log_makes_room_for_it(platform):
    await platform.dump_core()
    await until(fires, platform, "DiskSpaceLow")
    await ordered(platform, "pm2 flush pravado-api")
    found = await ordered(platform, host_commands.old_logs(LOGS, 7).line)
    inodes = [int(line.split("\t")[1]) for line in found.split("\0") if line]
    await ordered(platform, host_commands.delete_logs(LOGS, 7, inodes).line)
    disk = await ordered(platform, host_commands.disk_of("/var").line)
    size, free, _ = disk.splitlines()[1].split()
    assert int(free) / int(size) < 0.1

    platform.remove_dump()
    await until(rests, platform, "DiskSpaceLow")


async def test_rotation_is_set_and_told(platform):
    await ordered(platform, host_commands.set_rotation("max_size", "50M").line)

    assert "max_size 50M" in await ordered(platform, host_commands.rotation().line)


async def forgotten(platform, fault):
    """Whether the burden has ended with the process that it was of."""
    return [] if not platform.faults.text(fault) else [fault]
