"""Old logs are cleared by the machine's own find and tar, and nothing beside them is touched."""

import asyncio
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, NotConfigured, Refused, Unwell
from activities.host_clearing import ArchiveLogs, ClearLogs, LogClearing
from activities.host_logs import HostLogs, LogPlaces
from activities.words import Nothing
from tests.activities.attempts import run
from tests.activities.real_machine import RealMachine
from tests.activities.scripted_host import scripted_host

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = 86_400
SECRET = "sk-abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[RealMachine]:
    async with scripted_host(tmp_path, RealMachine) as served:
        logs(served).mkdir()
        served.log = f"0|pravado-a | boom\n0|pravado-a | key {SECRET}\n0|pravado-a | the last\n"
        yield served


@pytest.fixture
def elsewhere():
    """A folder on another file system than the logs."""
    if not Path("/dev/shm").is_dir():  # noqa: S108 (it is a disk of its own that matters)
        pytest.skip("no second file system here")
    folder = tempfile.mkdtemp(dir="/dev/shm", prefix="archive_")
    yield folder
    shutil.rmtree(folder)


def logs(machine: RealMachine) -> Path:
    return machine.folder / "logs"


def places(machine: RealMachine, **more) -> LogPlaces:
    return LogPlaces(**{"folder": str(logs(machine))} | more)


def clearing(machine: RealMachine, **more) -> LogClearing:
    return LogClearing(machine.ssh, places(machine, **more), targets=Targets())


def clear(machine: RealMachine, **more) -> ClearLogs:
    return ClearLogs(**{"folder": str(logs(machine)), "requested_at": AT} | more)


def written(machine: RealMachine, name: str, *, days: float = 30, size: int = 1000) -> Path:
    path = logs(machine) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def logging_to(machine: RealMachine, size: int = 5000) -> Path:
    own = written(machine, "pravado-api-out.log", days=0, size=size)
    machine.outputs = [own]
    return own


async def cleared(machine: RealMachine, order: ClearLogs | None = None):
    order = order or clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    return before, await run(clearing(machine).clear_logs, order, before)


async def test_old_logs_go_and_the_applications_own_are_emptied(machine):
    old, deep = written(machine, "access.log"), written(machine, "a/b/error.log", size=3000)
    own = logging_to(machine)

    before, done = await cleared(machine)

    assert not old.exists()
    assert not deep.exists()
    assert (own.exists(), own.stat().st_size) == (True, 0)
    assert [Path(file.path).name for file in before.files] == ["error.log", "access.log"]
    assert "deleted 2 logs older than 7 days (4 KiB), emptied those of pravado-api (5 KiB)" in (
        done.said
    )
    assert done.changed


async def test_the_last_lines_are_saved_before_anything_goes_and_without_credentials(machine):
    written(machine, "access.log")
    logging_to(machine)

    before = await run(clearing(machine).clear_logs_read, clear(machine))

    assert before.last_lines.splitlines()[-1].endswith("the last")
    assert SECRET not in before.model_dump_json()
    assert (logs(machine) / "access.log").exists(), "reading changes nothing"


@pytest.mark.parametrize(
    ("name", "days"),
    [
        pytest.param("young.log", 6.9, id="a log that is not a week old"),
        pytest.param("data.db", 400, id="a file that is no log"),
        pytest.param("log", 400, id="a file that is only called log"),
        pytest.param("x.log.gz", 400, id="a compressed one: the runbook says *.log"),
    ],
)
async def test_what_is_not_an_old_log_stays(machine, name, days):
    kept = written(machine, name, days=days)
    written(machine, "old.log")

    before, _ = await cleared(machine)

    assert kept.exists()
    assert str(kept) not in before.model_dump_json()


async def test_no_link_is_followed_out_of_the_folder(machine, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    precious = outside / "ledger.log"
    precious.write_text("irreplaceable")
    os.utime(precious, (0, 0))
    (logs(machine) / "linked").symlink_to(outside)
    (logs(machine) / "file.log").symlink_to(precious)
    os.utime(logs(machine) / "file.log", (0, 0), follow_symlinks=False)

    before, _ = await cleared(machine)

    assert precious.read_text() == "irreplaceable"
    assert before.files == ()


async def test_a_folder_that_is_a_link_itself_is_left_alone(machine, tmp_path):
    real = tmp_path / "real"
    logs(machine).rename(real)
    logs(machine).symlink_to(real)

    with pytest.raises(Refused, match="symbolic link"):
        await run(clearing(machine).clear_logs_read, clear(machine))


async def test_a_link_that_is_put_in_its_place_between_the_list_and_the_act_leads_nowhere(
    machine, tmp_path
):
    written(machine, "sub/old.log")
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    (logs(machine) / "sub").rename(tmp_path / "moved")
    (logs(machine) / "sub").symlink_to(tmp_path / "moved")

    done = await run(clearing(machine).clear_logs, order, before)

    assert (tmp_path / "moved" / "old.log").exists()
    assert not done.changed


async def test_a_log_that_somebody_writes_to_meanwhile_stays(machine):
    woken, other = written(machine, "woken.log"), written(machine, "other.log")
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    os.utime(woken)

    done = await run(clearing(machine).clear_logs, order, before)

    assert (woken.exists(), other.exists()) == (True, False)
    assert "deleted 1 logs" in done.said


async def test_a_log_that_came_after_the_list_was_shown_stays(machine):
    written(machine, "listed.log")
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    late = written(machine, "late.log")

    await run(clearing(machine).clear_logs, order, before)

    assert late.exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with space.log", id="a space"),
        pytest.param("-rf.log", id="what looks like an option"),
        pytest.param("$(touch pwned).log", id="what a shell would run"),
        pytest.param("'; touch pwned; '.log", id="quotes"),
        pytest.param("*.log", id="a pattern"),
    ],
)
async def test_no_name_of_a_file_is_read_as_anything_but_a_name(machine, name, elsewhere):
    odd, order = written(machine, name), archive(machine, elsewhere)
    before = await run(clearing(machine, archive=elsewhere).archive_logs_read, order)
    await run(clearing(machine, archive=elsewhere).archive_logs, order, before)
    await cleared(machine)

    assert not odd.exists()
    assert names_in(elsewhere) == [name]
    assert not any(path.name == "pwned" for path in machine.folder.rglob("*"))


async def test_a_deletion_whose_answer_was_lost_is_told_and_not_flushed_twice(machine):
    written(machine, "old.log")
    own = logging_to(machine)
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    machine.drop_after = {"pm2 flush"}

    with pytest.raises(Ambiguous):
        await run(clearing(machine).clear_logs, order, before)
    own.write_text("what was said since")
    done = await run(clearing(machine).clear_logs, order, before, attempt=2)

    assert machine.count("pm2 flush") == 1
    assert own.read_text() == "what was said since"
    assert "deleted 1 logs" in done.said
    assert done.changed


async def test_a_deletion_that_was_lost_before_it_acted_is_made_by_the_next_attempt(machine):
    old, own = written(machine, "old.log"), logging_to(machine)
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    machine.drop_before = {"-delete"}

    with pytest.raises(Ambiguous):
        await run(clearing(machine).clear_logs, order, before)
    assert old.exists()
    done = await run(clearing(machine).clear_logs, order, before, attempt=2)

    assert not old.exists()
    assert own.stat().st_size == 0
    assert done.changed


async def test_what_this_account_may_not_delete_is_said_with_what_was_done(machine):
    written(machine, "old.log")
    own = logging_to(machine)
    machine.never = ("-delete",)

    with pytest.raises(Unwell, match="1 logs could not be deleted"):
        await cleared(machine)
    assert own.stat().st_size == 0


async def test_nothing_to_clear_is_no_change(machine):
    before, done = await cleared(machine)

    assert (before.count, done.changed) == (0, False)
    assert machine.count("pm2 flush") == 0


@pytest.mark.parametrize(
    ("changed", "settings", "why"),
    [
        pytest.param({"folder": "/etc"}, {}, "another folder", id="a folder of nobody's settings"),
        pytest.param({"app": "all"}, {}, "not the application", id="every application"),
    ],
)
async def test_an_order_that_the_settings_do_not_know_is_refused(machine, changed, settings, why):
    with pytest.raises(Refused, match=why):
        await run(clearing(machine, **settings).clear_logs_read, clear(machine, **changed))
    assert machine.ran == []


async def test_where_no_folder_is_set_nothing_is_looked_at(machine):
    with pytest.raises(NotConfigured, match=r"disk\.log_folder"):
        await run(HostLogs(machine.ssh, LogPlaces()).old_logs, Nothing())


@pytest.mark.parametrize("folder", ["/var/log/../../etc", "logs", "/var/log; rm -rf /", "/"])
async def test_a_folder_that_is_no_plain_path_never_gets_into_a_command(machine, folder):
    with pytest.raises(Refused):
        await run(
            LogClearing(machine.ssh, LogPlaces(folder=folder), targets=Targets()).clear_logs_read,
            clear(machine, folder=folder),
        )
    assert machine.ran == []


# Archives


def archive(machine: RealMachine, to: str, **more) -> ArchiveLogs:
    order = {"folder": str(logs(machine)), "to": to, "requested_at": AT}
    return ArchiveLogs(**order | more)


def names_in(folder: str) -> list[str]:
    [file] = Path(folder).glob("*.tar.gz")
    with tarfile.open(file) as opened:
        return [Path(member.name).name for member in opened.getmembers()]


async def test_an_archive_has_every_log_and_takes_none_away(machine, elsewhere):
    old, own = written(machine, "old.log"), logging_to(machine)
    work, order = clearing(machine, archive=elsewhere), archive(machine, elsewhere)

    done = await run(work.archive_logs, order, await run(work.archive_logs_read, order))

    assert sorted(names_in(elsewhere)) == ["old.log", "pravado-api-out.log"]
    [file] = Path(elsewhere).iterdir()
    assert file.name == "pravado-api-logs-20261123T030000Z.tar.gz"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (old.stat().st_size, own.stat().st_size) == (1000, 5000)
    assert done.said.startswith("copied 2 logs (6 KiB) to")


async def test_an_archive_whose_answer_was_lost_is_not_made_twice(machine, elsewhere):
    written(machine, "old.log")
    work, order = clearing(machine, archive=elsewhere), archive(machine, elsewhere)
    before = await run(work.archive_logs_read, order)
    machine.drop_after = {"mv"}

    with pytest.raises(Ambiguous):
        await run(work.archive_logs, order, before)
    done = await run(work.archive_logs, order, before, attempt=2)

    assert (machine.count("timeout 300 nice -n 19 tar"), done.changed) == (1, False)
    assert names_in(elsewhere) == ["old.log"]


async def test_an_archive_that_was_interrupted_is_made_anew(machine, elsewhere):
    written(machine, "old.log")
    work, order = clearing(machine, archive=elsewhere), archive(machine, elsewhere)
    before = await run(work.archive_logs_read, order)
    machine.drop_before = {"gzip"}

    with pytest.raises(Exception, match=r"lost on the way|ended before"):
        await run(work.archive_logs, order, before)
    assert [path.suffix for path in Path(elsewhere).iterdir()] == [".part"]
    done = await run(work.archive_logs, order, before, attempt=2)

    assert done.changed
    assert [path.suffix for path in Path(elsewhere).iterdir()] == [".gz"]


async def test_an_archive_that_cannot_be_finished_is_removed_and_the_logs_stay(machine, elsewhere):
    old = written(machine, "old.log")
    machine.answers["timeout 300 nice -n 19 tar"] = (2, "", "tar: No space left on device\n")
    work, order = clearing(machine, archive=elsewhere), archive(machine, elsewhere)

    with pytest.raises(Unwell, match="No space left"):
        await run(work.archive_logs, order, await run(work.archive_logs_read, order))

    assert list(Path(elsewhere).iterdir()) == []
    assert old.exists()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        pytest.param({"archive_most_bytes": 100}, "has room for", id="no room"),
        pytest.param({"archive": ""}, "another folder", id="no archive in the settings"),
    ],
)
async def test_an_archive_without_room_is_refused_before_anything_is_written(
    machine, elsewhere, settings, why
):
    written(machine, "old.log")
    work = clearing(machine, **{"archive": elsewhere} | settings)

    with pytest.raises(Refused, match=why):
        await run(work.archive_logs_read, archive(machine, elsewhere))
    assert list(Path(elsewhere).iterdir()) == []


async def test_an_archive_on_the_disk_that_is_full_helps_nobody(machine, tmp_path):
    (tmp_path / "archive").mkdir()
    written(machine, "old.log")
    seen = await run(
        HostLogs(machine.ssh, places(machine, archive=str(tmp_path / "archive"))).old_logs,
        Nothing(),
    )

    assert seen.archive_room_bytes is None
    assert "same disk" in seen.unread[0]


# The look


async def test_the_look_counts_what_would_go_and_where_it_is(machine, elsewhere):
    for number in range(12):
        written(machine, f"{number}.log", size=1000 + number)
    logging_to(machine)

    seen = await run(HostLogs(machine.ssh, places(machine, archive=elsewhere)).old_logs, Nothing())

    assert (seen.count, seen.bytes, seen.app_bytes) == (12, sum(range(1000, 1012)), 5000)
    assert [file.bytes for file in seen.files] == list(range(1011, 1003, -1)), "the largest"
    assert (logs(machine).stat().st_dev == Path(seen.mount).stat().st_dev) is True
    assert seen.app_mounts == (seen.mount,)
    assert seen.archive_room_bytes > 0


async def test_so_many_logs_that_no_history_would_hold_them_go_by_size(machine):
    for number in range(400):
        written(machine, f"{'n' * 60}{number}.log", size=10 + number)
    order = clear(machine)

    before = await run(clearing(machine).clear_logs_read, order)
    await run(clearing(machine).clear_logs, order, before)

    assert before.count == 400
    assert len(before.model_dump_json().encode()) < 32 * 1024
    left = {path.stat().st_size for path in logs(machine).iterdir()}
    assert max(left) < min(file.bytes for file in before.files)


async def test_a_cancelled_clearing_leaves_no_command_behind(machine):
    machine.hang = {"pm2 flush"}
    logging_to(machine)
    order = clear(machine)
    before = await run(clearing(machine).clear_logs_read, order)
    task = asyncio.create_task(run(clearing(machine).clear_logs, order, before))
    while not machine.count("pm2 flush"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
