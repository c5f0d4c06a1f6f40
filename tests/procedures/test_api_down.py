import pytest

from activities.api_health import HostHealth, InstanceHealth, Reached, Trouble
from activities.deployments import ReleaseHistory
from activities.host import Logs
from activities.host_disks import Disk, Disks
from activities.host_logs import LogFile, OldLogs
from activities.host_processes import Busiest, Largest, ProcessUse
from activities.host_rotation import Rotation
from activities.postgres_findings import Finding
from activities.postgres_reach import Selected
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import LATE, activities, consult, plan, said, the
from tests.procedures.failing_api import history
from tests.procedures.slow_api import MIB, capacity, instances

RESTART, CLEAR, ARCHIVE = "processes.rolling_restart", "host.clear_logs", "host.archive_logs"
ROLLBACK, SWITCH, ROTATE = "deployments.rollback", "switches.set", "host.rotate_logs"
GIB = 2**30


def outside(trouble: Trouble = Trouble.REFUSED, failures: int = 3) -> Reached:
    trouble = trouble if failures else Trouble.NONE
    return Reached(failures=failures, trouble=trouble, said="ConnectError" if failures else "")


def inside(*troubles: Trouble, failures: int = 3) -> HostHealth:
    return HostHealth(
        instances=tuple(
            InstanceHealth(
                id=n, status="online", port=3000 + n, trouble=each, failures=failures if each else 0
            )
            for n, each in enumerate(troubles or (Trouble.TIMEOUT, Trouble.TIMEOUT))
        )
    )


WELL_OUTSIDE, WELL_INSIDE = outside(failures=0), inside(Trouble.NONE, Trouble.NONE)


def disks(free: float = 0.5, *, files: float = 0.9, mount: str = "/") -> Disks:
    full = Disk(mount=mount, size_bytes=100 * GIB, free_bytes=int(free * 100 * GIB),
                files_free_ratio=files)  # fmt: skip
    roomy = Disk(mount="/data", size_bytes=100 * GIB, free_bytes=90 * GIB, files_free_ratio=0.99)
    return Disks(disks=(full, roomy))


def old_logs(**more) -> OldLogs:
    about = {
        "app": "pravado-api",
        "folder": "/var/log/pravado",
        "mount": "/",
        "days": 7,
        "files": (LogFile(path="/var/log/pravado/access.log", bytes=GIB, inode=7),),
        "count": 3,
        "bytes": 2 * GIB,
        "app_bytes": 5 * GIB,
        "app_mounts": ("/",),
    }
    return OldLogs(**about | more)


LOOPING = instances(status="errored", restarts=16)
HEAP = Logs(text="FATAL ERROR: Reached heap limit Allocation failed\n", lines=1)
DOWN = {
    "outside": outside(),
    "inside": inside(),
    "instances": instances(),
    "disks": disks(),
    "old_logs": old_logs(),
    "rotation": Rotation(installed=True, values={"max_size": "10M", "retain": "30"}),
    "capacity": capacity(),
    "logs": Logs(text="GET /api/orgs\nError: boom\n", lines=2),
    "reach": Selected(answered=True),
    "releases": ReleaseHistory(releases=()),
}
FULL = {"disks": disks(0.001)}


def down(given=None, **found):
    return plan("APIDown", DOWN | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [RESTART], id="both sides see it down: restart"),
        pytest.param(
            {"outside": outside(Trouble.SERVER_ERROR), "inside": inside(Trouble.STOPPED)},
            [RESTART],
            id="a gateway without anybody behind it, and a process that does not run",
        ),
        pytest.param(
            {"outside": WELL_OUTSIDE, "inside": WELL_INSIDE}, [], id="up == 0 alone: nothing"
        ),
        pytest.param(
            {"inside": WELL_INSIDE}, [], id="it answers on its host: what is between is not ours"
        ),
        pytest.param(
            {"outside": outside(Trouble.DNS), "inside": WELL_INSIDE}, [], id="a name that is gone"
        ),
        pytest.param(
            {"outside": None, "inside": WELL_INSIDE}, [], id="the worker is blind, the host is not"
        ),
        pytest.param(FULL, [CLEAR, RESTART], id="a full disk: room first"),
        pytest.param(
            FULL | {"old_logs": old_logs(archive="/mnt/b", archive_room_bytes=9 * GIB)},
            [ARCHIVE, CLEAR, RESTART],
            id="a full disk and room elsewhere: an archive before",
        ),
        pytest.param(
            {"disks": disks(0.5, files=0.001)}, [CLEAR, RESTART], id="no file can be made any more"
        ),
        pytest.param({"disks": disks(0.05)}, [RESTART], id="nearly full is not why it is down"),
        pytest.param(
            FULL | {"rotation": Rotation(installed=True, values={"max_size": "10M"})},
            [CLEAR, ROTATE, RESTART],
            id="rotation that is off is switched on",
        ),
        pytest.param({"instances": LOOPING}, [], id="a crash loop is not restarted once more"),
        pytest.param(
            {"instances": LOOPING, "releases": history()},
            [ROLLBACK],
            id="a crash loop after a deployment: back to the release before",
        ),
        pytest.param(
            FULL | {"instances": LOOPING},
            [CLEAR, RESTART],
            id="a crash loop on a full disk: once there is room",
        ),
        pytest.param(
            {"instances": LOOPING, "logs": HEAP, "capacity": capacity(memory_total_bytes=64 * GIB)},
            [SWITCH],
            id="a crash loop for lack of heap, where the host has memory: a larger limit",
        ),
        pytest.param(
            {"instances": LOOPING, "logs": HEAP}, [], id="a larger limit that does not fit"
        ),
        pytest.param({"disks": None}, [RESTART], id="the disks could not be read"),
        pytest.param({"logs": None, "capacity": None}, [RESTART], id="logs and memory neither"),
        pytest.param(
            dict.fromkeys(("inside", "instances", "capacity", "disks", "logs", "old_logs")),
            [],
            id="nothing of the host can be read: the machine may be gone",
        ),
    ],
)
def test_what_is_done_when_the_api_does_not_answer(found, expected):
    assert activities(down(**found)) == expected


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="both sides: the policy decides"),
        pytest.param({"outside": None}, Asks.ALWAYS, id="the worker could not ask"),
        pytest.param({"inside": None}, Asks.ALWAYS, id="the host could not ask"),
        pytest.param({"outside": WELL_OUTSIDE}, Asks.ALWAYS, id="it answers from outside"),
        pytest.param({"outside": outside(failures=2)}, Asks.ALWAYS, id="two of three: a blip"),
        pytest.param({"outside": outside(Trouble.DNS)}, Asks.ALWAYS, id="a name is no outage"),
        pytest.param({"outside": outside(Trouble.TLS)}, Asks.ALWAYS, id="a certificate neither"),
        pytest.param({"outside": outside(Trouble.STATUS)}, Asks.ALWAYS, id="nor a wrong address"),
        pytest.param(
            {"inside": inside(Trouble.NONE, Trouble.REFUSED)},
            Asks.ALWAYS,
            id="one instance answers on its host",
        ),
        pytest.param(
            {"inside": inside(Trouble.TIMEOUT, Trouble.TIMEOUT, failures=2)},
            Asks.ALWAYS,
            id="an instance answered once of three",
        ),
        pytest.param(
            {"instances": instances(status="stopped")},
            Asks.ALWAYS,
            id="somebody has stopped it by hand",
        ),
        pytest.param(
            {"reach": Selected(answered=False, finding=Finding.REFUSED)},
            Asks.ALWAYS,
            id="the database is down: a restart would not help",
        ),
        pytest.param({"reach": None}, Asks.POLICY, id="the database could not be asked"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the instances could not be listed"),
    ],
)
def test_a_restart_without_asking_needs_both_sides_and_nothing_against_it(found, asks):
    restart = the(down(**found), RESTART)

    assert restart.asks is asks
    assert (restart.risk, restart.restarts) == (Risk.DISRUPTIVE, True)


def test_why_a_person_is_asked_stands_in_the_step():
    stopped = the(down(instances=instances(status="stopped")), RESTART)
    database = the(down(reach=Selected(answered=False, finding=Finding.TIMEOUT)), RESTART)

    assert stopped.why == "asked because somebody has stopped every instance by hand"
    assert "a restart would not help" in database.why


def test_the_restart_follows_the_clearing_at_once_and_a_crash_loop_waits_for_its_room():
    ladder, looping = down(**FULL), down(**FULL, instances=LOOPING)

    assert not the(ladder, CLEAR).mends
    assert the(ladder, RESTART).needs == ""
    assert the(looping, RESTART).needs == the(looping, CLEAR).key


def test_clearing_is_approved_in_the_folder_of_the_settings_and_asked_where_disks_are_unread():
    clear = the(down(**FULL), CLEAR)

    assert (clear.asks, clear.risk) == (Asks.NEVER, Risk.DESTRUCTIVE)
    assert clear.order["folder"] == "/var/log/pravado"


def test_a_crash_loop_says_why_it_is_left_alone_and_what_was_written_last():
    ladder = down(instances=LOOPING)

    assert "one more restart cures nothing" in said(ladder)
    assert "the API wrote: Error: boom" in ladder.findings


def test_a_rollback_is_never_made_while_the_database_is_down():
    ladder = down(
        instances=LOOPING,
        releases=history(),
        reach=Selected(answered=False, finding=Finding.REFUSED),
    )

    assert activities(ladder) == []
    assert "not rolled back: the database does not answer" in said(ladder)


def test_a_lost_machine_leaves_people_a_list_of_what_to_move():
    gone = dict.fromkeys(("inside", "capacity", "disks", "logs", "old_logs", "instances"))
    ladder, out_of_steps = down(**gone), down()

    assert "the machine may be gone" in ladder.cause
    assert "To move: its instances" in ladder.when_out
    assert "To move: 2 instances, 400 MiB of memory, 4 processors, redis with its data" in (
        out_of_steps.when_out
    )


def test_what_each_side_saw_is_said():
    ladder = down(inside=inside(Trouble.NONE, Trouble.REFUSED), capacity=None)

    assert "on its host: instance 0 answers, instance 1 fails: refused" in ladder.findings
    assert f"CPU, memory and disk of the API host: could not be read: {LATE}" in ladder.findings
    assert "not certain: 3 of 3 health checks from outside failed (ConnectError)" in ladder.cause


def test_a_host_without_memory_and_a_disk_without_room_are_findings():
    ladder = down(
        capacity=capacity(memory_available_bytes=200 * MIB),
        logs=Logs(text="Error: ENOSPC: no space left on device\n", lines=1),
    )

    assert "only 2% of the host's memory is left" in ladder.findings
    assert "the API wrote that there is no space left on a disk" in ladder.findings


def test_what_takes_processors_and_memory_is_kept_before_a_restart_loses_it():
    one = ProcessUse(pid=100, user="app", name="node", cpu_percent=99.0)
    other = ProcessUse(pid=7, user="app", name="java", memory_bytes=900 * MIB)
    ladder = down(busiest=Busiest(processes=(one,)), largest=Largest(processes=(other,), counted=9))

    assert "busiest: node (app, 100) 99 %" in ladder.findings
    assert "largest: java (app, 7) 900 MiB" in ladder.findings


def test_it_has_recovered_only_when_every_instance_answers_on_both_sides():
    assert consult("APIDown").facts.condition.checks == ("api.healthy_everywhere",)
