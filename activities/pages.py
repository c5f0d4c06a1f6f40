"""Cloudflare Pages, which serves the dashboard: what is live, what was built, and the way back.

Production is one deployment, the *canonical* one. A rollback makes an earlier one canonical, at
once and without a build; the same order twice is the same state.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager

from temporalio import activity

from activities.changes import Attempt, Targets, attempt, heartbeats
from activities.errors import Refused, Unwell
from activities.pace import Pace
from activities.pages_project import Live, PagesDeployment, Project
from activities.redaction import ending
from activities.words import Answer, Done, Name, Nothing, Order

_SHOWN = 10
_MOST_LOG = 16 * 1024


class PagesDeployments(Answer):
    """What was deployed to production lately, newest first."""

    canonical: str
    """The id of what is live; empty where nothing is."""
    last: tuple[PagesDeployment, ...]


class BuildLog(Order):
    """A question for the log of a build."""

    deployment: str = ""
    """Its id; empty asks for the newest one to production."""


class BuildLogLines(Answer):
    """The end of a build's log, without what looks like a credential."""

    deployment: str
    text: str
    lines: int
    left_out: int = 0
    """Earlier lines that were too many."""


class RollBackPages(Order):
    """An order to make an earlier deployment the live one."""

    to: Name
    """Its id."""


class PagesBefore(Answer):
    """What was live before a rollback."""

    canonical: str
    name: str = ""


class Pages:
    """Asks and changes one project."""

    def __init__(self, project: Project, *, targets: Targets, pace: Pace | None = None) -> None:
        self._project = project
        self._targets = targets
        self._pace = pace or Pace()

    @activity.defn(name="pages.deployments")
    async def deployments(self, ask: Nothing) -> PagesDeployments:  # noqa: ARG002
        """List what was deployed to production lately, and say what is live."""
        live = await self._project.live()
        last = await self._project.deployments()
        return PagesDeployments(canonical=live.id if live else "", last=tuple(last[:_SHOWN]))

    @activity.defn(name="pages.build_log")
    async def build_log(self, ask: BuildLog) -> BuildLogLines:
        """Read the end of a build's log."""
        deployment = ask.deployment
        if not deployment:
            found = await self._project.deployments()
            if not found:
                raise Refused(f"nothing was ever deployed to {self._project.name}")
            deployment = found[0].id
        lines = await self._project.log(deployment)
        text = ending("\n".join(lines), _MOST_LOG)
        shown = len(text.splitlines())
        return BuildLogLines(
            deployment=deployment, text=text, lines=shown, left_out=len(lines) - shown
        )

    @activity.defn(name="pages.rollback.read")
    async def rollback_read(self, order: RollBackPages) -> PagesBefore:
        """Read what is live, and make sure that there is something to go back to."""
        live = await self._project.live()
        if live is None:
            raise Refused(f"nothing is live in {self._project.name}")
        target = await self._project.deployment(order.to)
        if target is None or target.state != "out":
            raise Refused(f"{order.to} never was live in {self._project.name}: it is no way back")
        return PagesBefore(canonical=live.id, name=live.short_id)

    @activity.defn(name="pages.rollback")
    async def rollback(self, order: RollBackPages, before: PagesBefore) -> Done:
        """Make the earlier deployment live, unless somebody has deployed meanwhile."""
        with attempt() as this:
            async with self._alone():
                live = await self._project.live()
                if _id(live) != order.to:
                    self._still(live, before.canonical)
                    newest = (await self._project.deployments())[:1]
                    if newest and newest[0].state == "on its way":
                        raise Refused(f"{newest[0].words} is on its way, and would go over it")
                    live = await self._make_live(order.to, this)
        return Done(
            said=f"{self._project.name} is back at {_name(live)}, from {before.name or 'another'}",
            changed=not this.untouched,
        )

    @activity.defn(name="pages.rollback.undo")
    async def rollback_undo(self, order: RollBackPages, before: PagesBefore) -> Done:
        """Make live again what was, unless somebody has deployed since."""
        with attempt() as this:
            async with self._alone():
                live = await self._project.live()
                if _id(live) != before.canonical:
                    self._still(live, order.to)
                    live = await self._make_live(before.canonical, this)
        return Done(
            said=f"{self._project.name} is at {_name(live)} again", changed=not this.untouched
        )

    def _alone(self) -> AbstractAsyncContextManager[None]:
        return self._targets.one_at_a_time(f"pages/{self._project.name}")

    def _still(self, live: Live | None, wanted: str) -> None:
        if _id(live) != wanted:
            raise Refused(f"somebody deployed meanwhile: {_name(live)} is live, and left alone")

    async def _make_live(self, deployment: str, this: Attempt) -> Live | None:
        async with heartbeats("rolling back"):
            await self._project.make_live(deployment)
            this.acted()
            deadline = time.monotonic() + self._pace.ready_seconds
            while _id(live := await self._project.live()) != deployment:
                if time.monotonic() >= deadline:
                    raise Unwell(f"Cloudflare took the order, but {_name(live)} is live still")
                await asyncio.sleep(self._pace.poll_seconds)
        return live


def _id(live: Live | None) -> str:
    return live.id if live else ""


def _name(live: Live | None) -> str:
    return (live.short_id or live.id[:8]) if live else "nothing"
