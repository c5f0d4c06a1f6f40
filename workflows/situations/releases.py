"""Releases as the log of deployments and the measurements tell them."""

from __future__ import annotations

from datetime import timedelta

from activities.deployments import Release, ReleaseHistory
from workflows.situations.base import AT


def release(
    name: str, minutes_ago: float, *, healthy_minutes: float | None = None, migrations: bool = False
) -> Release:
    """Make a release that is built and was deployed so long before."""
    return Release(
        name=name,
        at=AT - timedelta(minutes=minutes_ago),
        author="marek",
        migrations=migrations,
        schema_changed=False,
        environment_changed=False,
        ready=True,
        told_by=("the log of deployments",),
        healthy_minutes=healthy_minutes,
    )


def history(*newest: Release) -> ReleaseHistory:
    """Make the history: *newest*, then two that ran well for long."""
    proven = (
        release("v1.42.0", 1800, healthy_minutes=1700),
        release("v1.41.0", 9000, healthy_minutes=7000),
    )
    releases = (*newest, *proven)
    return ReleaseHistory(releases=releases, running=releases[0].name)


BAD = release("v1.43.0", 12)
WITH_MIGRATIONS = release("v1.43.0", 12, migrations=True)
