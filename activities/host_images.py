"""Images of Docker on the API's host that nothing needs any more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities import host_commands
from activities.changes import Targets, attempt, heartbeats
from activities.errors import Refused, Unwell
from activities.services import host_clock
from activities.ssh import Session, Ssh
from activities.words import Answer, Done, Order

KEPT = 5
"""Images of each repository that always stay: those of the last releases."""
_MOST = 60
_NONE = "<none>"
_FRESH = timedelta(days=1)
"""A nameless image that is younger may be a build under way."""


class Image(Answer):
    """One image."""

    id: str
    names: tuple[str, ...] = ()
    """repository:tag, all of them; none of a nameless one."""
    size: str = ""
    """As Docker words it; layers that images share are counted in each."""
    created_at: AwareDatetime | None = None


class Images(Answer):
    """What may go and what stays."""

    count: int
    unused: tuple[Image, ...] = ()
    """In no container, not among the newest of their repositories, nor named to be kept; the
    oldest first."""
    kept: tuple[str, ...] = ()
    """Names of those that stay for being of the last releases."""


class LookAtImages(Order):
    """A question for images that nothing needs."""

    keep: int = Field(default=KEPT, ge=KEPT, le=100)


class PruneImages(Order):
    """An order to remove exactly these images, as they were shown."""

    images: tuple[str, ...] = Field(min_length=1, max_length=_MOST)
    """Their ids."""
    keep: int = Field(default=KEPT, ge=KEPT, le=100)
    keep_tags: tuple[str, ...] = ()
    """Tags of the last releases by the log of deployments: these stay, however old."""


class HostImages:
    """Looks at the images of one host, and removes what nothing needs."""

    def __init__(self, ssh: Ssh, *, targets: Targets) -> None:
        self._ssh = ssh
        self._targets = targets

    @activity.defn(name="host.unused_images")
    async def unused(self, ask: LookAtImages) -> Images:
        """List the images that no container uses and no recent release needs."""
        async with self._ssh.session() as session:
            return await _images(session, ask.keep)

    @activity.defn(name="host.prune_images.read")
    async def prune_read(self, order: PruneImages) -> Images:
        """Look which of the images may still go."""
        async with self._ssh.session() as session:
            present = await _images(session, order.keep)
        if not any(_may_go(order, image) for image in present.unused):
            raise Refused("none of these images is there still and unused")
        return present

    @activity.defn(name="host.prune_images")
    async def prune(self, order: PruneImages, before: Images) -> Done:
        """Remove them one by one; what is used meanwhile, or is of a recent release, stays."""
        with attempt() as this:
            target = f"{self._ssh.host}/docker"
            async with (
                self._targets.one_at_a_time(target),
                heartbeats("removing images"),
                self._ssh.session() as session,
            ):
                present = await _images(session, order.keep)
                going = [image for image in present.unused if _may_go(order, image)]
                refused: list[str] = []
                for image in going:
                    # Without -f: Docker itself keeps one that a container uses.
                    ran = await session.run(host_commands.remove_image(image.id))
                    if ran.status == 0:
                        this.acted()
                    elif "No such image" not in ran.err:
                        refused.append(_name(image))
                left = {image.id for image in (await _images(session, order.keep)).unused}
        listed = {image.id for image in before.unused} & set(order.images)
        gone = len(listed - left)
        said = f"removed {gone} of {len(order.images)} images"
        if refused:
            said += f"; Docker kept {', '.join(refused[:5])}"
        if refused and not gone:
            raise Unwell(said)
        return Done(said=said, changed=gone > 0)


def _may_go(order: PruneImages, image: Image) -> bool:
    tags = {name.rpartition(":")[2] for name in image.names}
    return image.id in order.images and not tags & set(order.keep_tags)


async def _images(session: Session, keep: int) -> Images:
    now = await host_clock(session)
    found = _merged((await session.run(host_commands.images())).must())
    used = set((await session.run(host_commands.images_in_use())).must().split())
    recent = {each for newest in _newest(found, keep).values() for each in newest}
    free = [image for image in found if image.id not in recent and not _used(image, used)]
    # Whatever its age cannot be told of stays.
    old = [i for i in free if i.created_at and (i.names or now - i.created_at > _FRESH)]
    old.sort(key=lambda image: image.created_at or now)
    return Images(
        count=len(found),
        unused=tuple(old[:_MOST]),
        kept=tuple(name for image in found if image.id in recent for name in image.names)[:30],
    )


def _newest(images: Iterable[Image], keep: int) -> dict[str, list[str]]:
    """Give the newest images of each repository; one whose age is not known counts as new."""
    by_repository: dict[str, list[Image]] = {}
    for image in images:
        for name in image.names:
            by_repository.setdefault(name.rpartition(":")[0], []).append(image)
    latest = datetime.max.replace(tzinfo=UTC)
    return {
        repository: [
            image.id
            for image in sorted(own, key=lambda i: i.created_at or latest, reverse=True)[:keep]
        ]
        for repository, own in by_repository.items()
    }


def _used(image: Image, used: set[str]) -> bool:
    plain = image.id.removeprefix("sha256:")
    latest = {name.removesuffix(":latest") for name in image.names}
    short = any(len(each) >= 12 and plain.startswith(each) for each in used)
    return bool({image.id, plain, *image.names, *latest} & used) or short


def _merged(listed: str) -> list[Image]:
    """Read Docker's list, one line a name, as one image each."""
    found: dict[str, Image] = {}
    for line in filter(str.strip, listed.splitlines()):
        try:
            raw: dict[str, Any] = json.loads(line)
            id_, repository, tag = str(raw["ID"]), str(raw["Repository"]), str(raw["Tag"])
        except (ValueError, KeyError, TypeError):
            raise Refused("docker's list of images cannot be read") from None
        names = () if _NONE in {repository, tag} else (f"{repository}:{tag}"[:200],)
        image = found.get(id_) or Image(
            id=id_, size=str(raw.get("Size", ""))[:20], created_at=_moment(raw.get("CreatedAt"))
        )
        found[id_] = image.model_copy(update={"names": (*image.names, *names)})
    return list(found.values())


def _moment(said: object) -> datetime | None:
    # "2026-11-01 10:00:00 +0100 CET": the offset says all, the name of the zone nothing for sure.
    try:
        return datetime.strptime(" ".join(str(said).split()[:3]), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def _name(image: Image) -> str:
    return image.names[0] if image.names else image.id[:19]
