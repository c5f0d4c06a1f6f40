"""The modelled machine measures real processes and real files, and lets nobody out of its disks."""

import asyncio
import shlex
import sys
import time

import pytest

from activities import host_commands
from deploy.gameday import machine
from deploy.gameday.machine_commands import MachineCommands

LOGS = f"/{machine.LOGS}"


@pytest.fixture
def host(tmp_path):
    machine.furnish(tmp_path)
    return tmp_path


@pytest.fixture
def commands(host):
    return MachineCommands(host)


def use(pid: int, seconds: float, age: float = 60.0) -> machine.Use:
    return machine.Use(pid, 1, "python", "me", seconds, 1000, age)


async def said(commands, command) -> str:
    done = await commands.run(shlex.split(command.line))
    assert done is not None, command.line
    assert done.code == 0, done.error
    return done.out


def test_a_machine_is_never_busier_than_its_processors(monkeypatch):
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    processors = machine.Processors()
    processors.look([use(1, 0.0), use(2, 0.0), use(3, 0.0, age=1.0)])

    took = processors.look([use(1, 10.0), use(2, 10.0), use(3, 10.0, age=1.0)])

    assert (processors.busy, processors.idle) == (10.0, 0.0)
    assert took == {1: 0.5, 2: 0.5}, "what only starts up is not counted"


async def test_a_busy_process_below_it_is_measured(commands, monkeypatch):
    monkeypatch.setattr(machine, "YOUNG_SECONDS", 0)
    busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        top = await said(commands, host_commands.busiest())
        threads = await said(commands, host_commands.threads([busy.pid]))
    finally:
        busy.kill()
        await busy.wait()

    for shown in (top, threads):
        rows = [line.split() for line in shown.splitlines()]
        assert [float(row[8]) > 15 for row in rows if row[:1] == [str(busy.pid)]] == [True]


async def test_a_disk_is_as_full_as_its_files_are(host, commands):
    before = (await said(commands, host_commands.disk_of(LOGS))).splitlines()[-1].split()
    machine.fill(host / "disk" / machine.LOGS / "new.log", 10)
    after = (await said(commands, host_commands.disk_of(LOGS))).splitlines()[-1].split()

    assert before[0] == after[0] == str(200 * 2**20)
    assert int(before[1]) - int(after[1]) == 10 * 2**20
    assert after[2] == "/"


async def test_the_responders_own_commands_find_delete_and_archive(host, commands):
    found = await said(commands, host_commands.old_logs(LOGS, 7))
    paths = [line.split("\t")[3] for line in found.split("\0") if line]
    assert sorted(paths) == sorted(f"{LOGS}/access-{days}.log" for days in (9, 16, 23, 30))
    inodes = [int(line.split("\t")[1]) for line in found.split("\0") if line]

    archive = "/mnt/archive/logs.tar.gz.part"
    await said(commands, host_commands.make_private(archive))
    await said(commands, host_commands.archive(archive, paths, 60))
    await said(commands, host_commands.check_archive(archive, 60))
    await said(commands, host_commands.put_in_place(archive, archive.removesuffix(".part")))
    await said(commands, host_commands.delete_logs(LOGS, 7, inodes))

    assert not list((host / "disk" / machine.LOGS).glob("access-*"))
    assert [file.name for file in (host / "archive").iterdir()] == ["logs.tar.gz"]
    assert str(host) not in await said(commands, host_commands.folder_sizes("/"))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("rm -f -- /mnt/archive/../../../etc/passwd", id="a way out"),
        pytest.param("find -P /../../ -delete", id="a way out for find"),
    ],
)
async def test_there_is_no_way_out_of_the_disks(commands, line):
    with pytest.raises(ValueError, match=r"\.\."):
        await commands.run(shlex.split(line))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"find -P {LOGS} -exec rm {{}} ;", id="find may run nothing"),
        pytest.param("rm -rf /", id="no other way to delete"),
        pytest.param("cat /etc/shadow", id="no other program"),
    ],
)
async def test_what_is_not_on_the_list_is_somebody_elses(commands, line):
    assert await commands.run(shlex.split(line)) is None
