"""What the machine's own ps, top, df, du and find say, and what is made of it."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from activities.errors import Refused, Unavailable
from activities.host_disks import HostDisks, folders
from activities.host_processes import HostProcesses, shares, top
from activities.words import Nothing
from tests.activities.attempts import run
from tests.activities.real_machine import RealMachine
from tests.activities.scripted_host import SECRET, scripted_host

DF = "env LC_ALL=C df --local"
HEAD = "Filesystem Type 1B-blocks Avail Inodes IFree Mounted on\n"
TOP = """\
top - 03:00:00 up 9 days, load average: 3.00, 1.00, 0.50

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
      1 root      20   0  100000   9000   3000 S   9.9   0.1   0:00.06 systemd

top - 03:00:02 up 9 days, load average: 3.00, 1.00, 0.50

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
   4711 deploy    20   0 1000000 200000  30000 R  98.7   2.5   9:13.37 node /srv/pravado
   4712 deploy    20   0 1000000 100000  30000 S   3.0   1.2   0:13.37 PM2 v7.0.4: God
"""


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[RealMachine]:
    async with scripted_host(tmp_path, RealMachine) as served:
        yield served


@contextlib.contextmanager
def child(code: str):
    """Run a program that has a secret among its arguments."""
    process = subprocess.Popen([sys.executable, "-c", code, SECRET], stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_a_process_that_runs_away_is_found_with_its_thread_and_without_its_arguments(machine):
    with child("print(flush=True)\nwhile True: pass") as busy:
        seen = await run(HostProcesses(machine.ssh).busiest, Nothing())

    mine = next(each for each in seen.processes if each.pid == busy.pid)
    assert mine.cpu_percent > 10
    assert busy.pid in {thread.id for thread in seen.threads}
    assert seen.shares["user"] > 0
    assert sum(seen.shares.values()) == pytest.approx(1, abs=0.01)
    assert seen.runnable >= 1
    assert SECRET not in seen.model_dump_json()
    assert seen.unread == ()


async def test_the_largest_process_is_found_without_its_arguments(machine):
    with child(
        "kept = bytearray(b'x') * 300_000_000\nprint(flush=True)\nimport time; time.sleep(60)"
    ) as large:
        seen = await run(HostProcesses(machine.ssh).largest, Nothing())

    mine = next(each for each in seen.processes if each.pid == large.pid)
    assert mine.memory_bytes > 300_000_000
    assert mine.age_seconds < 60
    assert seen.counted > len(seen.processes)
    assert SECRET not in seen.model_dump_json()


def test_of_top_only_the_last_round_counts():
    assert [(each.pid, each.cpu_percent, each.name) for each in top(TOP)] == [
        (4711, 98.7, "node /srv/pravado"),
        (4712, 3.0, "PM2 v7.0.4: God"),
    ]
    assert top(TOP)[0].memory_bytes == 200_000 * 1024


def test_what_the_processors_did_is_the_difference_of_two_readings():
    before = "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1\nprocs_running 3\n"
    after = "cpu  150 0 110 820 15 0 0 5 40 0\ncpu0 1 1\nprocs_running 3\n"

    assert shares(before, after) == {
        "user": 0.5, "system": 0.1, "iowait": 0.15, "steal": 0.05, "idle": 0.2,
    }  # fmt: skip
    assert shares("", after) == {}
    assert shares(before, before) == {}, "no time has passed: nothing is known"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((127, "", "env: top: No such file"), id="there is no top"),
        pytest.param((0, "top: failed tty get\n", ""), id="it says something else"),
    ],
)
async def test_without_top_the_rest_is_told_and_the_lack_as_well(machine, said):
    machine.answers["env LC_ALL=C top"] = said

    seen = await run(HostProcesses(machine.ssh).busiest, Nothing())

    assert seen.processes == ()
    assert "top" in seen.unread[0]
    assert seen.cores >= 1


async def test_a_ps_that_is_not_understood_is_no_empty_machine(machine):
    machine.answers["env LC_ALL=C ps"] = (0, "usage: ps [-aux]\n", "")
    with pytest.raises(Refused, match="not understood"):
        await run(HostProcesses(machine.ssh).largest, Nothing())


# Disks


async def test_the_disks_of_this_machine_are_read(machine):
    seen = await run(HostDisks(machine.ssh).disks, Nothing())

    assert "/" in {disk.mount for disk in seen.disks}
    assert all(0 <= disk.free_ratio <= 1 for disk in seen.disks)
    assert not {disk.kind for disk in seen.disks if disk.mount != "/"} & {"tmpfs", "devtmpfs"}


async def test_a_disk_without_room_for_files_is_as_full_as_one_without_bytes(machine):
    machine.answers[DF] = (
        0,
        f"""{HEAD}/dev/a ext4 1000 500 100 90 /
/dev/b ext4 1000 900 100 1 /var/a b
/dev/c btrfs 1000 800 0 0 /c
none tmpfs 1000 0 100 0 /run
""",
        "",
    )

    seen = await run(HostDisks(machine.ssh).disks, Nothing())

    assert [(disk.mount, disk.tightest_ratio) for disk in seen.disks] == [
        ("/var/a b", 0.01), ("/", 0.5), ("/c", 0.8),
    ]  # fmt: skip
    assert seen.disks[0].free_ratio == 0.9


async def test_a_df_that_fails_is_not_an_empty_disk(machine):
    machine.answers[DF] = (1, HEAD, "df: no file systems processed\n")
    with pytest.raises(Refused, match="no file systems"):
        await run(HostDisks(machine.ssh).disks, Nothing())


async def test_the_largest_folders_of_the_fullest_disk_are_measured(machine, tmp_path):
    (tmp_path / "var" / "log" / "pravado").mkdir(parents=True)
    (tmp_path / "var" / "log" / "pravado" / "api.log").write_bytes(b"x" * 900_000)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "thing").write_bytes(b"x" * 100_000)
    machine.answers[DF] = (0, f"{HEAD}/dev/a ext4 1000 5 100 90 {tmp_path}\n", "")

    seen = await run(HostDisks(machine.ssh).largest_folders, Nothing())

    assert [each.path for each in seen.folders[:2]] == [
        f"{tmp_path}/var/log/pravado", f"{tmp_path}/opt",
    ]  # fmt: skip
    assert seen.folders[0].bytes >= 900_000
    assert seen.whole


async def test_what_was_measured_when_the_time_was_up_is_told_as_a_part(machine):
    machine.answers[DF] = (0, f"{HEAD}/dev/a ext4 1000 5 100 90 /\n", "")
    machine.answers["timeout 12 nice"] = (124, "5000\t/var/log\0", "")

    seen = await run(HostDisks(machine.ssh).largest_folders, Nothing())

    assert ([each.path for each in seen.folders], seen.whole) == (["/var/log"], False)


def test_a_folder_that_only_leads_to_another_one_is_left_out():
    sizes = {"/a/b/c": 950, "/a/b": 960, "/a": 970, "/d/e": 300, "/d": 500, "/": 2000}
    said = "".join(f"{size}\t{path}\0" for path, size in sizes.items())

    assert [each.path for each in folders(said, "/")] == ["/a/b/c", "/d", "/d/e"]


async def test_a_deleted_file_that_is_still_open_is_found_once_with_its_size(machine, tmp_path):
    path = tmp_path / "gone api.log"
    with path.open("wb") as held, path.open("rb"):
        held.write(b"x" * 3_000_000)
        held.flush()
        path.unlink()
        seen = await run(HostDisks(machine.ssh).deleted_files, Nothing())

    [mine] = [file for file in seen.files if file.path == str(path)]
    assert mine.bytes == 3_000_000
    assert mine.name.startswith("python") or "pytest" in mine.name
    assert seen.bytes >= 3_000_000


async def test_a_host_that_does_not_answer_is_unavailable(machine):
    machine.drop_before = {"df"}
    with pytest.raises(Unavailable):
        await run(HostDisks(machine.ssh).disks, Nothing())
