"""What changed shortly before: the releases of late, from every source that tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.errors import Failed, NotConfigured, Unavailable
from activities.host import Deployment, Host, RecentDeployments
from activities.prometheus_api import PrometheusApi
from activities.supervisor import Keeper, Releases
from activities.words import Answer, Order

_STEP = timedelta(minutes=1)
_LONGEST = timedelta(hours=8)
"""Of a release's life, what is looked at: its last hours, one look a minute."""
_SAME_COMMIT = 7
"""Characters from which two abbreviations of a commit are the same one."""
_MOST_SAID = 100
_MOST_WHY = 200
_SECONDS, _QUICKLY_SECONDS = 6.0, 3.0
"""Given to each source, and then to each question how a release ran: together a short probe."""
T = TypeVar("T")


class Release(Answer):
    """One release: what it changed, and how it ran; None is not told, which is not "no"."""

    name: str
    at: AwareDatetime
    """When it was deployed, by the clock of who tells."""
    author: str = ""
    commit: str = ""
    migrations: bool | None = None
    schema_changed: bool | None = None
    environment_changed: bool | None = None
    healthy_minutes: float | None = None
    """Minutes of traffic that it carried under the warning thresholds."""
    unhealthy_minutes: float = 0.0
    under_way: bool = False
    """Whether its rollout has not ended."""
    ready: bool = False
    """Whether it can be run without building anything."""
    left: bool = False
    """Whether an incident has rolled back from it."""
    told_by: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[str, ...]:
        """Say what of it a rollback does not take back; what is not told counts as such."""
        told = {
            "migrations": self.migrations,
            "a change of the schema": self.schema_changed,
            "a change of the environment": self.environment_changed,
        }
        sure = tuple(f"{self.name} has {what}" for what, has in told.items() if has)
        unknown = [what for what, has in told.items() if has is None]
        more = (f"whether {self.name} has {' or '.join(unknown)} is not told",)
        return (*sure, *(more if unknown else ()))


class RecentReleases(Order):
    """A question for the last releases, and how each of them ran."""

    most: int = Field(default=5, ge=1, le=20)
    well: str = Field(default="", max_length=4000)
    """PromQL that is 1 while traffic is under the warning thresholds and 0 while it is not, and
    empty without traffic; left out, how a release ran is only known where a source tells it."""


class ReleaseHistory(Answer):
    """The last releases, newest first, and what could not be read of them."""

    releases: tuple[Release, ...]
    running: str = ""
    """Name of the one that runs; empty where that is not known."""
    rolling: str = ""
    """The rollout that is under way, in words; empty is none."""
    unread: tuple[str, ...] = ()
    """Which source could not be read, and why."""


class Told(NamedTuple):
    """What one source tells."""

    releases: Sequence[Release]
    """In any order."""
    lacks: str = ""
    """What of it could not be read: a release may be missing."""


class Source(Protocol):
    """Tells of releases."""

    @property
    def title(self) -> str:
        """What it is called, for people."""

    async def releases(self, most: int) -> Told:
        """List the last releases."""


class DeployLog:
    """Tells what stands in the log of deployments on the API's host."""

    title = "the log of deployments"

    def __init__(self, host: Host) -> None:
        self._host = host

    async def releases(self, most: int) -> Told:
        """Read the last lines of the log."""
        found = await self._host.recent_deployment(RecentDeployments(most=most))
        bad = found.unreadable_lines
        lacks = f"{bad} of its last lines cannot be read" if bad else ""
        return Told([_of_log(each) for each in found.last], lacks)


class Deployments:
    """Puts together what its sources tell, and how each release ran."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        supervisor: Keeper | None = None,
        prometheus: PrometheusApi | None = None,
    ) -> None:
        """Take the sources.

        Args:
            sources: Who tells of releases, the most trusted first.
            supervisor: Knows which of them runs, and which could.
            prometheus: Knows how each ran, where no source tells it.
        """
        self._sources = tuple(sources)
        self._supervisor = supervisor
        self._prometheus = prometheus

    @activity.defn(name="deployments.recent")
    async def recent(self, ask: RecentReleases) -> ReleaseHistory:
        """List the last releases; a source that fails is said, and does not hide the others."""
        if not self._sources:
            raise NotConfigured("deployments", "host.deploy_log or github.repository")
        unread: list[str] = []
        asked = (self._told(source, ask.most, unread) for source in self._sources)
        built, told = await asyncio.gather(self._built(unread), asyncio.gather(*asked))
        if all(releases is None for releases in told):
            raise Unavailable("; ".join(unread))
        merged = merge(release for releases in told for release in releases or ())[: ask.most]
        # Nobody knows yet how the newest one ran: it ends with the one that comes after it.
        ends = [None, *(newer.at for newer in merged)]
        looked_at = await asyncio.gather(
            *(
                self._ran(_built(release, built), end, ask.well, unread)
                for release, end in zip(merged, ends, strict=False)
            )
        )
        under_way = [f"{each.name} is being rolled out" for each in merged if each.under_way]
        return ReleaseHistory(
            releases=tuple(looked_at),
            running=built.running if built else "",
            rolling=(built.rolling if built else "") or "; ".join(under_way),
            unread=tuple(unread),
        )

    async def _told(self, source: Source, most: int, unread: list[str]) -> Sequence[Release] | None:
        told = await _within(source.releases(most), source.title, _SECONDS, unread)
        if told is None:
            return None
        if told.lacks:
            unread.append(f"{source.title}: {told.lacks}")
        return told.releases

    async def _built(self, unread: list[str]) -> Releases | None:
        if self._supervisor is None:
            return None
        asked = self._supervisor.releases()
        return await _within(asked, "which release runs", _SECONDS, unread)

    async def _ran(
        self, release: Release, end: datetime | None, well: str, unread: list[str]
    ) -> Release:
        """Count the minutes that *release* ran well until *end*, and those that it did not."""
        if release.healthy_minutes is not None or end is None or not well:
            return release
        start = max(release.at, end - _LONGEST)
        if self._prometheus is None or start >= end:
            return release
        asked = self._prometheus.over(well, start, end, _STEP.total_seconds())
        answered = await _within(asked, f"how {release.name} ran", _QUICKLY_SECONDS, unread)
        if answered is None:
            return release
        looks = [value for _, value in answered.history()]
        minutes = _STEP.total_seconds() / 60
        good = sum(1 for value in looks if value > 0)
        return release.model_copy(
            update={
                "healthy_minutes": good * minutes if looks else None,
                "unhealthy_minutes": (len(looks) - good) * minutes,
            }
        )


async def _within(asked: Awaitable[T], what: str, seconds: float, unread: list[str]) -> T | None:
    """Wait for one part of the answer; a part that fails or is late is said, and left out."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        unread.append(f"{what}: no answer within {seconds:g} s")
    except Failed as failed:
        unread.append(f"{what}: {failed.message[:_MOST_WHY]}")
    return None


def _built(release: Release, built: Releases | None) -> Release:
    """Say of *release* whether it could run."""
    if built is None:
        return release
    about = {"ready": release.name in built.ready, "left": release.name in built.left}
    return release.model_copy(update=about)


def merge(told: Iterable[Release]) -> list[Release]:
    """Make one release of what several sources tell of the same, newest first.

    Who comes first is believed; the others fill in what it does not tell.
    """
    merged: list[Release] = []
    for release in told:
        place = next((n for n, known in enumerate(merged) if _same(known, release)), None)
        if place is None:
            merged.append(release)
        else:
            merged[place] = _filled(merged[place], release)
    return sorted(merged, key=lambda release: release.at, reverse=True)


def _same(known: Release, other: Release) -> bool:
    commits = sorted((known.commit, other.commit), key=len)
    if len(commits[0]) >= _SAME_COMMIT and commits[1].startswith(commits[0]):
        # The same commit deployed anew is another deployment, if it is told by the same source.
        return not set(known.told_by) & set(other.told_by)
    return known.name == other.name and not set(known.told_by) & set(other.told_by)


def _filled(known: Release, other: Release) -> Release:
    """Fill what *known* leaves open; who says that something changed is believed by all."""
    update: dict[str, object] = {
        name: getattr(other, name)
        for name in ("author", "commit", "healthy_minutes")
        if not getattr(known, name) and getattr(other, name) is not None
    }
    for name in ("migrations", "schema_changed", "environment_changed"):
        said = {getattr(known, name), getattr(other, name)}
        update[name] = True if True in said else False if False in said else None
    update["under_way"] = known.under_way or other.under_way
    update["told_by"] = (*known.told_by, *other.told_by)
    return known.model_copy(update=update)


def _of_log(line: Deployment) -> Release:
    return Release(
        name=line.release[:_MOST_SAID],
        at=line.at,
        author=line.author[:_MOST_SAID],
        commit=line.commit[:_MOST_SAID],
        migrations=line.migrations,
        schema_changed=line.schema_changed,
        environment_changed=line.environment_changed,
        healthy_minutes=line.healthy_minutes,
        told_by=(DeployLog.title,),
    )
