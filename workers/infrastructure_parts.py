"""Puts together what looks after the machine that the API runs on."""

from __future__ import annotations

from functools import partial

import httpx

from activities.api_health import ApiHealth, ApiOnHost, OnHost, everywhere
from activities.changes import Targets
from activities.health import Health
from activities.host_clearing import LogClearing
from activities.host_disks import HostDisks
from activities.host_images import HostImages
from activities.host_logs import HostLogs, LogPlaces
from activities.host_processes import HostProcesses
from activities.host_rotation import LogRotation
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.runaway import Runaways
from activities.ssh import Ssh
from workers.parts import Parts
from workers.settings import Settings, variable


def infrastructure(
    parts: Parts,
    settings: Settings,
    targets: Targets,
    http: httpx.AsyncClient,
    *,
    ssh: Ssh | None,
    cluster: OnHost | None,
) -> None:
    """Add the looks at the API and at its host, and what clears and restarts there.

    In a *cluster* the instances are looked at by it, and no process of a host is ours.
    """
    section, processes, given = settings.api, settings.processes, settings.given
    outside = ApiHealth(http, section.public(processes.health_url))
    parts.add(outside)
    on_host = cluster
    if cluster is not None:
        parts.add(cluster)
        parts.lack("pm2", variable("processes", "kind"), Runaways)
    if ssh is None:
        kinds = (HostProcesses, HostDisks, HostLogs, LogClearing, LogRotation, HostImages)
        under_pm2 = (ApiOnHost, Runaways) if cluster is None else ()
        parts.lack("the API's host", variable("host", "address"), *kinds, *under_pm2)
    else:
        disk = settings.disk
        places = LogPlaces(
            app=given.app,
            folder=disk.log_folder,
            archive=disk.archive_folder,
            days=disk.log_days,
            archive_most_bytes=disk.archive_most_bytes,
        )
        parts.add(
            HostProcesses(ssh),
            HostDisks(ssh),
            HostLogs(ssh, places),
            LogClearing(ssh, places, targets=targets),
            LogRotation(ssh, targets=targets),
            HostImages(ssh, targets=targets),
        )
        if cluster is None:
            on_host = _under_pm2(parts, settings, targets, http, ssh)
    parts.checks["api.healthy_everywhere"] = partial(everywhere, outside, on_host)


def _under_pm2(
    parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient, ssh: Ssh
) -> OnHost:
    section, processes = settings.api, settings.processes
    pm2 = Pm2(ssh, settings.given.app, variables=[section.port_variable])
    on_host = ApiOnHost(
        ssh,
        pm2,
        path=section.local(processes.health_url),
        port_variable=section.port_variable,
        port=section.port,
    )
    pace = Pace(ready_seconds=processes.ready_seconds, settle_seconds=processes.settle_seconds)
    health = Health(http, processes.health_url) if processes.health_url else None
    parts.add(on_host, Runaways(pm2, targets=targets, health=health, pace=pace))
    return on_host
