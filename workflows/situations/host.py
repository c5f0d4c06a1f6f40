"""Runbook, "Infrastructure Incidents": processors, memory and disk of the API's host."""

from __future__ import annotations

from activities.deployments import ReleaseHistory
from activities.host import Deployments, Logs
from activities.host_disks import DeletedFiles, Folder, LargestFolders, OpenFile
from activities.host_images import Image, Images
from workflows.procedures.disk_space import DiskSpaceLow
from workflows.procedures.host_load import HighCPUUsage, HighMemoryUsage
from workflows.situations.base import Situation, Situations
from workflows.situations.infrastructure import LOOK, ROTATES, disks, old_logs
from workflows.situations.releases import BAD, history
from workflows.situations.usual import (
    GIB,
    MIB,
    busiest,
    capacity,
    connections,
    instances,
    largest,
    series,
    value,
)

_KEEPS_ALL = ROTATES.model_copy(update={"values": {"max_size": "10M", "retain": "all"}})


_LOAD = {
    "used": value(0.93),
    "busiest": busiest(80.0, 78.0),
    "largest": None,
    "routes": series("route", {"/api/orgs": 1.4, "/api/users": 0.2}),
    "instances": instances(),
    "capacity": capacity(),
    "connections": connections(),
    "queries": series("query_type", {"select": 0.02}),
    "rate": value(20.0),
    "baseline": value(19.0),
}
_SHORT = {
    "used": value(0.9),
    "busiest": None,
    "largest": largest(node=3000 * MIB),
    "instances": instances(memory=3000 * MIB),
    "capacity": capacity(memory_left=800 * MIB),
    "logs": Logs(text="listening", lines=1),
    "memory": value(6000.0 * MIB),
    "slope": value(0.0),
    "slope_hours": value(1800 * MIB / 3600),
    "rate": value(20.0),
    "baseline": value(19.0),
    "releases": ReleaseHistory(releases=()),
}

SITUATIONS = (
    Situations(
        HighCPUUsage,
        _LOAD,
        (
            Situation("All instances are busy"),
            Situation("One instance runs away", {"busiest": busiest(99.0, 12.0)}),
            Situation("Another process takes it", {"busiest": busiest(20.0, 18.0, other=180.0)}),
            Situation("The host has no processor left", {"capacity": capacity(load=3.9)}),
        ),
        by_hand=LOOK + """\
pm2 restart ID                                # the runaway alone, if it is an instance of ours
pm2 scale pravado-api 3                       # only if a processor is left
""",
    ),
    Situations(
        HighMemoryUsage,
        _SHORT,
        (
            Situation("The API's memory grows, and the requests do not: a leak"),
            Situation("The same, since a deployment", {"releases": history(BAD)}),
            Situation("It grows with the requests", {"rate": value(60.0)}),
            Situation("The API has little of it", {"instances": instances(memory=100 * MIB)}),
            Situation("Instances ran out of heap, and the host has room for more", {
                "capacity": capacity(memory_left=1 * GIB, memory=16 * GIB),
                "logs": Logs(text="FATAL ERROR: JavaScript heap out of memory", lines=1),
            }),
        ),
        by_hand=LOOK + """\
ps aux --sort=-%mem | head                    # no heap snapshot above 85 %: it needs as much again
pm2 reload pravado-api                        # one after the other
""",
    ),
    Situations(
        DiskSpaceLow,
        {
            "used": value(0.95),
            "full_in": value(3.25),
            "disks": disks(0.05),
            "old_logs": old_logs(),
            "rotation": ROTATES,
            "folders": LargestFolders(
                mount="/", folders=(Folder(path="/var/log/pravado", bytes=60 * GIB),), whole=True
            ),
            "deleted": DeletedFiles(files=(), bytes=0, whole=True),
            "images": Images(count=0),
            "deployment": Deployments(last=(), newest_minutes_ago=None),
            "busiest": busiest(40.0, 38.0),
            "instances": instances(),
        },
        (
            Situation("Old logs fill it"),
            Situation("Old logs fill it, there is room elsewhere, and rotation keeps all", {
                "old_logs": old_logs(archive="/mnt/archive", room=900 * GIB),
                "rotation": _KEEPS_ALL,
            }),
            Situation("Our instances hold deleted files open", {
                "deleted": DeletedFiles(
                    files=(
                        OpenFile(
                            pid=4100, name="node", path="/var/log/pravado/big.log", bytes=30 * GIB
                        ),
                    ),
                    bytes=30 * GIB,
                    whole=True,
                ),
            }),
            Situation("Images of old releases fill it", {
                "images": Images(
                    count=9,
                    unused=(
                        Image(id=f"sha256:{1:064x}", names=("api:v1.31.0",), size="412MB"),
                        Image(id=f"sha256:{2:064x}", names=("api:v1.30.0",), size="410MB"),
                    ),
                ),
                "old_logs": None,
            }),
            Situation("The host itself sees room", {"disks": disks(0.5)}),
        ),
        by_hand="""\
df -h; df -i; sudo du -xh --max-depth=2 / 2>/dev/null | sort -h | tail -20
sudo lsof +L1 | sort -k7 -n | tail            # deleted, and still held open
# keep the last lines elsewhere first: there is no room here
ssh user@api-server 'tail -n 2000 /var/log/pravado/*.log' > before-clearing.txt
# only under the log folder, never /var/log as a whole:
find /var/log/pravado -xdev -name '*.log' -mtime +7 -delete
pm2 flush pravado-api
docker image ls                               # never `docker system prune -a`: the way back goes
""",
    ),
)  # fmt: skip
