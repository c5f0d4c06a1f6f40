"""What was deployed lately, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.alerts import Alert
from activities.deployments import Deployments, RecentReleases, Release, ReleaseHistory
from activities.host import Deployments as Logged
from activities.postgres_reach import Selected
from activities.record import Asks
from activities.rollbacks import Rollback, Rollbacks
from activities.words import Risk
from workflows import promql
from workflows.procedures.base import Evidence, Probe, Step, step
from workflows.procedures.given import Given
from workflows.procedures.instances import ActsOnInstances

_MOSTLY = 10
"""So many times as long as badly a release must have run well."""


def _question(given: Given) -> RecentReleases:
    slow = given.thresholds.get("HighAPILatency", promql.WELL_P95)
    failing = given.thresholds.get("HighAPIErrorRate", promql.WELL_FAILING)
    well = promql.within(promql.well(slow, failing), given.fast_window)
    return RecentReleases(most=8, well=well)


class RollsBack(ActsOnInstances):
    """Knows what was deployed lately, and plans to go back to what ran well before."""

    releases = Probe(
        Deployments.recent, _question, why="releases of late, and how each of them ran"
    )

    def roll_back(
        self, alert: Alert, seen: Evidence, database: Selected | None
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan to leave the release that came shortly before the alert, or say why not.

        Never while a rollout is under way or the database does not answer; asked about wherever
        the way back crosses migrations, or cannot be seen whole.
        """
        history = seen[self.releases]
        if history is None:
            return (), (f"not rolled back: {seen.why_not(self.releases)}",)
        if against := self._against_rollback(history, alert.starts_at, database):
            return (), (f"not rolled back: {against}",)
        bad, *earlier = history.releases
        known = [each for each in earlier if each.ready and not each.left and each.name != bad.name]
        target = next((each for each in known if self._ran_well(each)), None)
        doubts = []
        if target is None:
            target = next((each for each in known if each.healthy_minutes is None), None)
            if target is not None:
                doubts.append(f"how {target.name} ran is not known")
        if target is None:
            why = "no earlier release that is built is known to have run well"
            return (), (f"not rolled back: {why}",)
        crossed = history.releases[: history.releases.index(target)]
        doubts += [change for each in crossed for change in each.changes]
        doubts += [f"could not be read: {why}" for why in history.unread]
        if database is None:
            doubts.append("whether the database answers could not be read")
        return (self._rollback(seen, bad, target, doubts, alert.starts_at),), ()

    def _against_rollback(
        self, history: ReleaseHistory, began: datetime, database: Selected | None
    ) -> str:
        """Say what forbids any rollback now."""
        if not history.releases:
            return "no deployment is known"
        newest, within = history.releases[0], self.given.rollback_within_minutes
        before = (began - newest.at).total_seconds() / 60
        reasons = (
            (before > within, f"the newest, {newest.name}, came {_ago(before)} before the alert"),
            (before < 0, f"{newest.name} was deployed after the alert began: look who is on it"),
            (bool(history.rolling), f"a rollout is under way: {history.rolling}"),
            (not history.running, "which release runs is not known"),
            (newest.name != history.running,
             f"{history.running} runs, and not {newest.name}, the newest: look who is on it"),
            (database is not None and not database.answered,
             "the database does not answer, and an earlier release would not either"),
        )  # fmt: skip
        return next((reason for holds, reason in reasons if holds), "")

    def _ran_well(self, release: Release) -> bool:
        minutes = release.healthy_minutes
        if minutes is None or minutes < self.given.rollback_healthy_minutes:
            return False
        return minutes >= _MOSTLY * release.unhealthy_minutes

    def _rollback(
        self, seen: Evidence, bad: Release, target: Release, doubts: Sequence[str], began: datetime
    ) -> Step:
        app = self.given.app
        ran = (
            f", which ran well for {_ago(target.healthy_minutes)}" if target.healthy_minutes else ""
        )
        before = _ago((began - bad.at) / timedelta(minutes=1))
        author = bad.author or "an unknown author"
        return step(
            Rollbacks.rollback,
            Rollback(app=app, to=target.name, leaving=bad.name, requested_at=seen.at),
            target=app,
            why=f"{bad.name} by {author} was deployed {before} before the alert",
            effect=f"roll {app} back from {bad.name} to {target.name}{ran}",
            details=(
                *(f"asked because {doubt}" for doubt in doubts[:_MOSTLY]),
                "the release is built already: nothing is built; instances are reloaded",
                f"{bad.name} is marked, so that nothing goes back to it by itself",
                f"{author}: please hold all deployments until this is resolved",
            ),
            expect="errors end once the last instance is reloaded",
            risk=Risk.DISRUPTIVE,
            asks=Asks.ALWAYS if doubts else Asks.POLICY,
            restarts=True,
            once=True,
            apply_seconds=300,
        )

    def deployed(self, alert: Alert, seen: Evidence) -> tuple[str, ...]:
        """Say what was deployed last, when and by whom, and what of that could not be read."""
        history = seen[self.releases]
        if history is None:
            return ()
        said = [f"deployments: {why}" for why in history.unread]
        if history.releases:
            last = history.releases[0]
            minutes = (alert.starts_at - last.at).total_seconds() / 60
            when = f"{_ago(abs(minutes))} {'before' if minutes >= 0 else 'after'} the alert"
            who = last.author or "unknown"
            said.insert(0, f"last deployment: {last.name} by {who}, {when} began")
        return tuple(said)


def last_deployment(answer: Logged | None) -> tuple[str, ...]:
    """Say what was deployed last, when and by whom, where that is known."""
    if answer is None or not answer.last or answer.newest_minutes_ago is None:
        return ()
    last, ago = answer.last[0], _ago(answer.newest_minutes_ago)
    return (f"last deployment: {last.release} by {last.author or 'unknown'}, {ago} ago",)


def _ago(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
