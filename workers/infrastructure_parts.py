"""Puts together what looks after the machine that the API runs on."""

from __future__ import annotations

from functools import partial

import httpx

from activities.api_health import ApiHealth, ApiOnHost, everywhere
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
    parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient, ssh: Ssh | None
) -> None:
    """Add the looks at the API and at its host, and what clears and restarts there."""
    section, processes, given = settings.api, settings.processes, settings.given
    outside = ApiHealth(http, section.public(processes.health_url))
    parts.add(outside)
    on_host = None
    if ssh is None:
        kinds = (ApiOnHost, HostProcesses, HostDisks, HostLogs, LogClearing, LogRotation)
        parts.lack("the API's host", variable("host", "address"), *kinds, HostImages, Runaways)
    else:
        pm2 = Pm2(ssh, given.app, variables=[section.port_variable])
        on_host = ApiOnHost(
            ssh,
            pm2,
            path=section.local(processes.health_url),
            port_variable=section.port_variable,
            port=section.port,
        )
        disk = settings.disk
        places = LogPlaces(
            app=given.app,
            folder=disk.log_folder,
            archive=disk.archive_folder,
            days=disk.log_days,
            archive_most_bytes=disk.archive_most_bytes,
        )
        pace = Pace(ready_seconds=processes.ready_seconds, settle_seconds=processes.settle_seconds)
        health = Health(http, processes.health_url) if processes.health_url else None
        parts.add(
            on_host,
            HostProcesses(ssh),
            HostDisks(ssh),
            HostLogs(ssh, places),
            LogClearing(ssh, places, targets=targets),
            LogRotation(ssh, targets=targets),
            HostImages(ssh, targets=targets),
            Runaways(pm2, targets=targets, health=health, pace=pace),
        )
    parts.checks["api.healthy_everywhere"] = partial(everywhere, outside, on_host)
