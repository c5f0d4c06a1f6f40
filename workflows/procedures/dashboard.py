"""Runbook, "Infrastructure Incidents": the dashboard, which Cloudflare Pages serves."""

from __future__ import annotations

from datetime import timedelta

from activities.alerts import Alert
from activities.dashboard import Dashboard, DashboardSeen, LookAtDashboard
from activities.pages import BuildLog, BuildLogLines, Pages, RollBackPages
from activities.pages_project import PagesDeployment
from activities.prometheus import Prometheus, Query
from activities.record import Asks
from activities.status_pages import StatusOf, StatusPages
from activities.verification import Answering
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step
from workflows.procedures.measured import number
from workflows.procedures.way_back import WayBack, way_back

_LAST_LINES = 5


class DashboardDown(Procedure):
    """The dashboard does not answer from outside."""

    severity = Severity.CRITICAL
    impact = "Nobody can open the dashboard; the API and the mobile apps are not touched by it."
    section = "dashboard-down"
    recovered = Answering(checks=("dashboard.answers",))
    uses = ("rollback_within_minutes", "rollback_healthy_minutes")

    seen_by_us = Probe(
        Dashboard.look, LookAtDashboard(), why="the dashboard, three looks in a row", seconds=25
    )
    seen_by_prometheus = Probe(
        Prometheus.value, Query(expression=promql.DASHBOARD_UP), why="the dashboard from outside"
    )
    cloudflare = Probe(
        StatusPages.status, StatusOf(provider="cloudflare"), why="Cloudflare's status page"
    )
    deployments = Probe(Pages.deployments, Nothing(), why="the last deployments, and what is live")
    build = Probe(Pages.build_log, BuildLog(), why="the newest build's log")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Roll a deployment of the last hour back, unless it is Cloudflare itself that is down."""
        status, looked = seen[self.cloudflare], seen[self.seen_by_us]
        back = way_back(
            seen[self.deployments],
            before=alert.starts_at,
            recent=timedelta(minutes=self.given.rollback_within_minutes),
            proven=timedelta(minutes=self.given.rollback_healthy_minutes),
        )
        findings = (
            *seen.unread(self.probes()),
            *([f"the dashboard from the worker: {looked.said}{_ray(looked)}"] if looked else []),
            *([f"Cloudflare: {status.state}: {status.said}"] if status else []),
            *back.findings,
            *_last_lines(seen[self.build]),
        )
        console = f"Cloudflare's console: {self.given.cloudflare_console}"
        if status and status.state in {"outage", "maintenance"}:
            return Ladder(
                cause=f"Cloudflare itself says {status.state}, so nothing is changed",
                findings=findings,
                when_out=f"Wait for Cloudflare, and tell the users: {status.url}. {console}",
            )
        if looked and looked.answers:
            return Ladder(
                cause="The dashboard answers the worker as it should, so nothing is changed",
                findings=findings,
                when_out=f"Look at it from elsewhere: a region, or its name. {console}",
            )
        if back.to is None or back.live is None:
            return Ladder(
                cause=f"{_how(looked)}, and there is no way back: {back.against}",
                findings=findings,
                when_out=f"Read the build log, mend it and deploy. {console}",
            )
        doubts = (*self._doubts(seen), *back.doubts)
        return Ladder(
            cause=f"{_how(looked)} since {back.live.words} was deployed"
            + (f"; not certain: {'; '.join(doubts)}" if doubts else ""),
            steps=(self._roll_back(back, back.live, back.to, asks=bool(doubts)),),
            findings=(*findings, _HOLD),
            when_out=f"Going back did not help: read the build log, mend it, deploy. {console}",
        )

    def _doubts(self, seen: Evidence) -> list[str]:
        """Say what speaks against acting without a person: two vantage points have to agree."""
        looked, status = seen[self.seen_by_us], seen[self.cloudflare]
        doubts = []
        if looked is None or not looked.down:
            doubts.append("the worker does not see it down three times in a row")
        if number(seen[self.seen_by_prometheus]) != 0:
            doubts.append("Prometheus does not see it down")
        if status is None or status.state != "operational":
            state = status.state if status else "could not be read"
            doubts.append(f"Cloudflare's status: {state}")
        return doubts

    def _roll_back(
        self, back: WayBack, live: PagesDeployment, to: PagesDeployment, *, asks: bool
    ) -> Step:
        return step(
            Pages.rollback,
            RollBackPages(to=to.id),
            target="dashboard",
            why=back.why,
            effect=f"roll the dashboard back from {live.words} to {to.words}",
            details=(back.proof,),
            expect="the dashboard says what it should within a minute",
            risk=Risk.DISRUPTIVE,
            asks=Asks.ALWAYS if asks else Asks.POLICY,
        )


_HOLD = (
    "after a rollback the next push to production goes over it: hold deployments of the dashboard "
    "until its cause is mended, and tell the author"
)


def _how(looked: DashboardSeen | None) -> str:
    if looked is None:
        return "The dashboard is said to be down, and could not be looked at"
    return "The dashboard is not well"


def _ray(looked: DashboardSeen) -> str:
    return f" (Cloudflare's ray {looked.ray})" if looked.ray else ""


def _last_lines(log: BuildLogLines | None) -> list[str]:
    if log is None or not log.text:
        return []
    return [f"the newest build's log ends: {' / '.join(log.text.splitlines()[-_LAST_LINES:])}"]
