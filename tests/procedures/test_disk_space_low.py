import pytest

from activities.host import Deployment, Deployments
from activities.host_disks import (
    DeletedFiles,
    Disk,
    Disks,
    Folder,
    LargestFolders,
    OpenFile,
)
from activities.host_images import Image, Images
from activities.host_rotation import Rotation
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the
from tests.procedures.slow_api import MIB, instances, value
from tests.procedures.test_api_down import GIB, disks, old_logs

ARCHIVE, CLEAR, ROTATE = "host.archive_logs", "host.clear_logs", "host.rotate_logs"
RESTART, PRUNE = "processes.rolling_restart", "host.prune_images"


def image(number: int, tag: str = "") -> Image:
    return Image(id=f"sha256:{number:064x}", names=(f"api:{tag}",) if tag else (), size="412MB")


def held(pid: int = 100, size: int = 30 * GIB) -> DeletedFiles:
    file = OpenFile(pid=pid, name="node", path="/var/log/pravado/big.log", bytes=size)
    return DeletedFiles(files=(file,), bytes=size, whole=True)


NOTHING = DeletedFiles(files=(), bytes=0, whole=True)
FULL = {
    "used": value(0.95),
    "full_in": value(3.25),
    "disks": disks(0.05),
    "old_logs": old_logs(),
    "rotation": Rotation(installed=True, values={"max_size": "10M", "retain": "30"}),
    "folders": LargestFolders(
        mount="/", folders=(Folder(path="/var/log/pravado", bytes=60 * GIB),), whole=True
    ),
    "deleted": NOTHING,
    "images": Images(count=0),
    "deployment": Deployments(last=(), newest_minutes_ago=None),
    "instances": instances(),
}
ELSEWHERE = {"old_logs": old_logs(archive="/mnt/b", archive_room_bytes=7 * GIB)}
OFF = {"rotation": Rotation(installed=True, values={"max_size": "10M", "retain": "all"})}
IMAGES = {"images": Images(count=9, unused=(image(1, "v1"), image(2)))}


def full(given=None, **found):
    return plan("DiskSpaceLow", FULL | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [CLEAR], id="old logs: clear them"),
        pytest.param(ELSEWHERE, [ARCHIVE, CLEAR], id="room elsewhere: an archive first"),
        pytest.param(
            {"old_logs": old_logs(archive="/mnt/b", archive_room_bytes=7 * GIB - 1)},
            [CLEAR],
            id="not quite room elsewhere: no archive",
        ),
        pytest.param(
            {"old_logs": old_logs(archive="/mnt/b", archive_room_bytes=None)},
            [CLEAR],
            id="the archive could not be read: no archive",
        ),
        pytest.param(OFF, [CLEAR, ROTATE], id="rotation that keeps all is switched on"),
        pytest.param(ELSEWHERE | OFF | IMAGES, [ARCHIVE, CLEAR, ROTATE, PRUNE], id="everything"),
        pytest.param(
            {"rotation": Rotation(installed=False)}, [CLEAR], id="no program is fetched for it"
        ),
        pytest.param({"rotation": None}, [CLEAR], id="rotation could not be read"),
        pytest.param(
            {"old_logs": old_logs(count=0, bytes=0, app_bytes=0, files=())}, [], id="no old logs"
        ),
        pytest.param(
            {"old_logs": old_logs(count=0, bytes=0, files=())}, [CLEAR], id="the API's own alone"
        ),
        pytest.param(
            {"old_logs": old_logs(mount="/data", app_mounts=("/data",))},
            [],
            id="the logs are on a disk that has room: clearing them frees nothing",
        ),
        pytest.param(
            {"old_logs": old_logs(mount="/data")},
            [CLEAR],
            id="the old logs are elsewhere, the API's own are here",
        ),
        pytest.param({"old_logs": None}, [], id="the logs could not be read: none is touched"),
        pytest.param({"disks": disks(0.5)}, [], id="the host sees room: nothing is cleared"),
        pytest.param({"disks": disks(0.5, files=0.02)}, [CLEAR], id="files have run out"),
        pytest.param({"disks": None}, [CLEAR], id="which disk is full is not known"),
        pytest.param({"used": None}, [CLEAR], id="Prometheus could not be asked, the host could"),
        pytest.param({"deleted": held()}, [CLEAR, RESTART], id="our instances hold deleted files"),
        pytest.param(
            {"deleted": held(size=900 * MIB)}, [CLEAR], id="they hold less than a restart is worth"
        ),
        pytest.param({"deleted": held(pid=77)}, [CLEAR], id="somebody else holds them"),
        pytest.param({"deleted": None}, [CLEAR], id="deleted files could not be listed"),
        pytest.param(
            {"deleted": held(), "instances": instances(status="errored")},
            [CLEAR],
            id="a crash loop is not restarted, whatever it holds",
        ),
        pytest.param({"images": None}, [CLEAR], id="there is no Docker"),
        pytest.param(
            {"disks": None} | IMAGES,
            [CLEAR, PRUNE],
            id="which disk is full is not known: images are asked about, as always",
        ),
    ],
)
def test_what_makes_room(found, expected):
    assert activities(full(**found)) == expected


def test_clearing_is_approved_beforehand_for_the_folder_of_the_settings_alone():
    clear = the(full(), CLEAR)

    assert (clear.risk, clear.asks, clear.undo) == (Risk.DESTRUCTIVE, Asks.NEVER, False)
    assert clear.order == {
        "app": "pravado-api",
        "folder": "/var/log/pravado",
        "older_than_days": 7,
        "requested_at": NOW.isoformat().replace("+00:00", "Z"),
    }
    assert clear.effect == (
        "delete 3 logs older than 7 days under /var/log/pravado (2048 MiB) and empty those of "
        "pravado-api (5120 MiB), which frees 7168 MiB"
    )
    assert clear.details[:2] == ["1024 MiB /var/log/pravado/access.log", "and 2 smaller ones"]


def test_where_it_is_not_known_which_disk_is_full_a_person_decides():
    assert the(full(disks=None), CLEAR).asks is Asks.ALWAYS


def test_what_follows_the_clearing_is_not_kept_waiting_and_needs_it():
    ladder = full(**ELSEWHERE, **OFF)

    assert [step.mends for step in ladder.steps] == [False, False, True]
    assert the(ladder, ROTATE).needs == the(ladder, CLEAR).key
    assert the(full(), CLEAR).mends, "nothing follows: it is watched itself"
    assert the(ladder, ARCHIVE).risk is Risk.REVERSIBLE


def test_images_are_always_asked_about_by_name_and_recent_releases_stay():
    last = tuple(Deployment(at=NOW, release=f"v{n}") for n in range(1, 7))
    some = Images(count=9, unused=(image(1, "v1"), image(6, "v6"), image(9)))
    step = the(full(images=some, deployment=Deployments(last=last, newest_minutes_ago=5)), PRUNE)

    assert (step.risk, step.asks) == (Risk.DESTRUCTIVE, Asks.ALWAYS)
    assert step.order["images"] == [image(6).id, image(9).id], "v1 is one of the last five"
    assert step.order["keep_tags"] == ["v1", "v2", "v3", "v4", "v5"]
    assert step.details[:2] == ["412MB api:v6", f"412MB nameless, {9:064x}"[:28]]
    assert "the newest 5 of each name stay" in said(full(images=some))
    assert "could not be read from their log" in said(full(images=some, deployment=None))


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        pytest.param(
            {"disks": Disks(disks=(*disks(0.05, mount="/srv").disks,
                                   Disk(mount="/", size_bytes=100, free_bytes=50))),
             "old_logs": old_logs(mount="/srv", app_mounts=("/srv",)), **IMAGES},
            "images of Docker are on /, which is not full", id="images on another disk",
        ),
        pytest.param(
            {"images": Images(count=4)}, "none of the 4 images of Docker can go", id="none unused"
        ),
        pytest.param(
            {"images": Images(count=4, unused=(image(1, "v1"),)),
             "deployment": Deployments(last=(Deployment(at=NOW, release="v1"),),
                                       newest_minutes_ago=1)},
            "every unused image of Docker is of one of the last releases", id="all are recent",
        ),
    ],
)  # fmt: skip
def test_why_no_image_is_removed(found, finding):
    ladder = full(**found)

    assert PRUNE not in activities(ladder)
    assert finding in ladder.findings


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        pytest.param({}, "full in 3.2 hours at the pace of the last half hour", id="how long"),
        pytest.param({}, "largest folders of /: /var/log/pravado 61440 MiB", id="the folders"),
        pytest.param({}, "logs are rotated already, at 10M", id="rotation"),
        pytest.param(
            {"rotation": Rotation(installed=False)},
            "logs are not rotated, and will fill the disk again: `pm2 install pm2-logrotate` is "
            "for a person",
            id="no rotation",
        ),
        pytest.param(
            {"old_logs": old_logs(mount="/data", app_mounts=("/data",))},
            "logs are not cleared: they are on /data, and that frees nothing on /",
            id="logs on another disk",
        ),
        pytest.param(
            {"deleted": held(pid=77)},
            "node (process 77) holds 30720 MiB of /var/log/pravado/big.log, deleted: it is freed "
            "when that process ends",
            id="somebody's deleted file",
        ),
        pytest.param(
            {"deleted": DeletedFiles(files=(), bytes=0, whole=False)},
            "deleted files of other accounts cannot be seen: `sudo lsof +L1`",
            id="what this account cannot see",
        ),
        pytest.param(
            {"folders": None}, f"largest folders of that disk: could not be read: {LATE}",
            id="unread",
        ),
    ],
)  # fmt: skip
def test_what_people_are_told(found, finding):
    assert finding in full(**found).findings


def test_a_disk_that_is_not_filling_has_no_hour_at_which_it_is_full():
    assert "full in" not in said(full(full_in=value(90_000.0)))


def test_files_that_have_run_out_are_named_as_such():
    assert "2.0% of its files left, 50% of its bytes" in full(disks=disks(0.5, files=0.02)).cause


def test_a_larger_disk_is_the_last_word():
    assert "enlarge it at the provider" in full().when_out


def test_it_has_recovered_with_more_than_a_tenth_free():
    assert consult("DiskSpaceLow").facts.condition.threshold == 0.9
