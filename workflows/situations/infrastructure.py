"""Runbook, "Infrastructure Incidents": the API and the dashboard."""

from __future__ import annotations

from datetime import timedelta

from activities.api_health import HostHealth, InstanceHealth, Reached, Trouble
from activities.dashboard import DashboardLook, DashboardSeen
from activities.dashboard import Trouble as Dashboard
from activities.deployments import ReleaseHistory
from activities.host import Logs
from activities.host_disks import Disk, Disks
from activities.host_logs import LogFile, OldLogs
from activities.host_rotation import Rotation
from activities.pages import BuildLogLines, PagesDeployments
from activities.pages_project import PagesDeployment
from activities.postgres_reach import Selected
from activities.status_pages import ProviderStatus
from workflows.procedures.dashboard import DashboardDown
from workflows.procedures.infrastructure import APIDown
from workflows.situations.base import AT, Situation, Situations, asked_by
from workflows.situations.releases import BAD, history
from workflows.situations.usual import (
    GIB,
    capacity,
    instances,
    value,
)

LOOK = """\
ssh user@api-server
pm2 list; pm2 logs pravado-api --lines 100 --nostream   # before any restart: it loses them
df -h; df -i; free -m; top -b -n 1 -o %CPU | head -20
"""


def _deployment(name: str, minutes_ago: float, message: str) -> PagesDeployment:
    at = AT - timedelta(minutes=minutes_ago)
    return PagesDeployment(
        id=f"{name}-0c4e-4f7e-9d0a-5f1f8a9b2c3d",
        name=name,
        created_at=at,
        live_at=at,
        state="out",
        stage="deploy",
        branch="main",
        commit="c0ffee1234567890",
        message=message,
        variables="same",
    )


def _deployments(*last: PagesDeployment) -> PagesDeployments:
    return PagesDeployments(canonical=last[0].id, last=last)


def _looks(trouble: Dashboard, said: str) -> DashboardSeen:
    look = DashboardLook(trouble=trouble, said=said)
    return DashboardSeen(url="https://dashboard.pravado.com", looks=(look,) * 3)


def _cloudflare(state: str) -> ProviderStatus:
    said = "All Systems Operational" if state == "operational" else "Pages: major outage"
    url = "https://www.cloudflarestatus.com"
    return ProviderStatus.model_validate(
        {"provider": "cloudflare", "state": state, "said": said, "url": url}
    )


def _inside(trouble: Trouble) -> HostHealth:
    return HostHealth(
        instances=tuple(
            InstanceHealth(
                id=number, status="online", port=3000 + number, trouble=trouble,
                failures=3 if trouble else 0,
            )
            for number in range(2)
        )
    )  # fmt: skip


def disks(free: float) -> Disks:
    """Make the API host's disks, the first with so much of it free."""

    def disk(mount: str, left: float) -> Disk:
        size = 100 * GIB
        return Disk(mount=mount, size_bytes=size, free_bytes=int(left * size), files_free_ratio=0.9)

    return Disks(disks=(disk("/", free), disk("/data", 0.9)))


def old_logs(*, archive: str = "", room: int | None = None) -> OldLogs:
    """Make the old logs of the API host, and the archive that there may be."""
    return OldLogs(
        app="pravado-api",
        folder="/var/log/pravado",
        mount="/",
        days=7,
        files=(LogFile(path="/var/log/pravado/access.log", bytes=GIB, inode=7),),
        count=3,
        bytes=2 * GIB,
        app_bytes=5 * GIB,
        app_mounts=("/",),
        archive=archive,
        archive_room_bytes=room,
    )


ROTATES = Rotation(installed=True, values={"max_size": "10M", "retain": "30"})
_LOOPING = instances(status="errored", restarts=16)


_BAD = _deployment("9f2c1d", 4, "Tidy up the entry point")
_GOOD = _deployment("4b7a90", 600, "Show trials")
_OLD = _deployment("1e0d55", 9000, "First page")
_DOWN = {
    "outside": Reached(failures=3, trouble=Trouble.REFUSED, said="ConnectError"),
    "inside": _inside(Trouble.TIMEOUT),
    "instances": instances(),
    "disks": disks(0.5),
    "old_logs": old_logs(),
    "rotation": ROTATES,
    "capacity": capacity(),
    "logs": Logs(text="Error: connect ETIMEDOUT", lines=1),
    "reach": Selected(answered=True, took_seconds=0.01),
    "releases": ReleaseHistory(releases=()),
    "busiest": None,
    "largest": None,
}

SITUATIONS = (
    Situations(
        APIDown,
        asked_by(APIDown, _DOWN),
        (
            Situation("It answers neither from outside nor on its host"),
            Situation("Its disk is full", {"disks": disks(0.001)}),
            Situation("It crashes over and over since a deployment", {
                "instances": _LOOPING, "releases": history(BAD),
            }),
            Situation("It crashes over and over, and nothing was deployed", {
                "instances": _LOOPING,
            }),
            Situation("It answers on its host, and not from outside", {
                "inside": _inside(Trouble.NONE),
            }),
            Situation("It answers: only Prometheus does not reach it", {
                "outside": Reached(failures=0, trouble=Trouble.NONE, said=""),
                "inside": _inside(Trouble.NONE),
            }),
        ),
        by_hand=LOOK + """\
pm2 reload pravado-api                        # one after the other; not if it crashes over and over
""",
    ),
    Situations(
        DashboardDown,
        {
            "seen_by_us": _looks(Dashboard.CONTENT, "it answers 200 without what must stand on it"),
            "seen_by_prometheus": value(0.0),
            "cloudflare": _cloudflare("operational"),
            "deployments": _deployments(_BAD, _GOOD, _OLD),
            "build": BuildLogLines(deployment=_BAD.id, text="the build is done", lines=1),
        },
        (
            Situation("It was deployed four minutes before the alert"),
            Situation("Cloudflare itself is down", {"cloudflare": _cloudflare("outage")}),
            Situation("Nothing was deployed lately", {"deployments": _deployments(_GOOD, _OLD)}),
            Situation("It answers us", {"seen_by_us": _looks(Dashboard.NONE, "it answers")}),
        ),
        by_hand="""\
curl -sSI https://dashboard.pravado.com       # and https://www.cloudflarestatus.com
# Cloudflare's dashboard: Workers & Pages, the project, Deployments: build log, and
# "Rollback to this deployment" on the last one that was good; hold deployments until it is over
""",
    ),
)  # fmt: skip
