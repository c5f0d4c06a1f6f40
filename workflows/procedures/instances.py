"""The API's instances: how they are set, restarted and switched."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.processes import App, ProcessManager, RollingRestart
from activities.record import Asks
from activities.supervisor import Processes
from activities.switches import SetSwitches, Switch, Switches
from activities.words import Risk
from workflows.procedures.base import Evidence, Probe, Procedure, Step, step

_MANY_RESTARTS = 3
_JUST_STARTED = timedelta(minutes=2)
_SETTLED_IN = timedelta(minutes=30)


class ActsOnInstances(Procedure):
    """Knows the API's instances, and plans what restarts them."""

    instances = Probe(ProcessManager.processes, lambda given: App(app=given.app), why="instances")

    def present(self, seen: Evidence, switch: Switch) -> str:
        """Say what *switch* is now; empty where that cannot be told for all instances alike."""
        running = seen[self.instances]
        if running is None:
            return ""
        name = self.given.variable(switch)
        values = {each.environment.get(name) for each in running.instances}
        if len(values) != 1:
            return ""
        return values.pop() or self.given.default(switch)

    def set_switches(
        self,
        seen: Evidence,
        values: dict[Switch, str],
        *,
        why: str,
        expect: str = "",
        asks: Asks = Asks.POLICY,
    ) -> Step:
        """Plan to set switches, all in one restart; they are put back once it is over."""
        changes = ", ".join(
            f"“{switch}” from {self.present(seen, switch) or '?'} to {value}"
            for switch, value in values.items()
        )
        app = self.given.app
        return step(
            Switches.set,
            SetSwitches(app=app, values=values),
            target=app,
            why=why,
            effect=f"set {changes}, which restarts {_counted(seen[self.instances])} of {app} once",
            details=_notes(seen[self.instances]),
            expect=expect,
            risk=Risk.DISRUPTIVE,
            asks=asks,
            undo=True,
            restarts=True,
            apply_seconds=300,
        )

    def rolling_restart(
        self,
        seen: Evidence,
        *,
        why: str,
        asks: Asks = Asks.POLICY,
        expect: str = "p95 falls once the last instance is back",
        cured: str = "",
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan to restart one instance after the other, or say why it would be wrong.

        One that crashes over and over is restarted only where its cause is *cured* before.
        """
        running = seen[self.instances]
        if not cured and (looping := crash_looping(running, seen.at)):
            against = f"not restarted: {looping}; one more restart cures nothing"
            return (), (against, *_notes(running))
        findings = [] if running else [f"asked because {seen.why_not(self.instances)}"]
        alone = running is not None and len(running.instances) == 1
        gap = "; it is the only one, so nothing is answered meanwhile" if alone else ""
        restart = step(
            ProcessManager.rolling_restart,
            RollingRestart(app=self.given.app, requested_at=seen.at),
            target=self.given.app,
            why=why,
            effect=f"restart {_counted(running)} of {self.given.app}, one at a time{gap}",
            details=_notes(running),
            expect=expect,
            risk=Risk.DISRUPTIVE,
            asks=asks if running else Asks.ALWAYS,
            restarts=True,
            apply_seconds=300,
        )
        return (restart,), tuple(findings)


def crash_looping(running: Processes | None, now: datetime) -> str:
    """Say which instance crashes over and over; empty when none is seen to."""
    for each in running.instances if running else ():
        said = f"instance {each.id} crashes over and over"
        if each.status == "errored":
            return f"{said} ({each.restarts} restarts)"
        age = now - each.started_at if each.started_at is not None else _JUST_STARTED
        # Restarts count those by hand too, so that a number alone says nothing.
        if age < _JUST_STARTED and each.restarts >= _MANY_RESTARTS:
            seconds = max(age.total_seconds(), 0)
            return f"{said}, as it seems ({each.restarts} restarts, the last {seconds:.0f} s ago)"
    return ""


def warming_up(running: Processes | None, now: datetime) -> bool:
    """Whether an instance is so young that its memory still has to grow."""
    starts = [each.started_at for each in running.instances] if running else []
    return any(start is not None and now - start < _SETTLED_IN for start in starts)


def _notes(running: Processes | None) -> tuple[str, ...]:
    return running.notes if running else ()


def _counted(running: Processes | None) -> str:
    if running is None:
        return "the instances"
    count = len(running.instances)
    return "the one instance" if count == 1 else f"all {count} instances"
