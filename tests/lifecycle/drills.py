"""Procedures for drills: each has the ladder that a test about the lifecycle needs."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from activities.alerts import Alert
from activities.host import Host, RecentDeployments
from activities.processes import ProcessManager, RollingRestart, Scale
from activities.record import Asks
from activities.services import RestartService, Services
from activities.switches import SetSwitches, Switch, Switches
from activities.verification import Below
from activities.words import Risk, Severity
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step

AT = datetime(2026, 11, 23, tzinfo=UTC)
SCALE, SWITCH, RESTART, ROLL = (
    "processes.scale", "switches.set", "host.restart_service", "processes.rolling_restart",
)  # fmt: skip


def scale(**more: Any) -> Step:
    return _step(ProcessManager.scale, Scale(replicas=5, most=12), more, "scale to 5", undo=True)


def switch(**more: Any) -> Step:
    order = SetSwitches(app="api", values={Switch.IN_MEMORY_CACHE: "true"})
    return _step(Switches.set, order, more, "cache in memory", restarts=True, undo=True)


def restart(**more: Any) -> Step:
    order = RestartService(unit="redis", requested_at=AT)
    return _step(Services.restart_service, order, more, "restart redis", restarts=True)


def roll(**more: Any) -> Step:
    order = RollingRestart(requested_at=AT)
    return _step(ProcessManager.rolling_restart, order, more, "restart the API", restarts=True)


def _step(change: Any, order: Any, more: dict[str, Any], effect: str, **usual: Any) -> Step:
    about = {"target": effect, "why": "a drill", "effect": effect, "risk": Risk.REVERSIBLE}
    return step(change, order, **about | usual | more)


class HighDrill(Procedure):
    """A drill for a warning."""

    severity = Severity.WARNING
    impact = "Nobody notices."
    section = "drill"
    recovered = Below(expression="drill_value", threshold=1.0)
    ladder: ClassVar[tuple[Step, ...]] = (scale(),)
    waits: ClassVar[bool] = False

    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        out = "The drill has no more steps."
        return Ladder("a drill", self.ladder, ("a finding",), out, waits=self.waits)


class CriticalDrill(HighDrill):
    """A drill for the worst."""

    severity = Severity.CRITICAL
    ladder = (switch(),)


class LowDrill(HighDrill):
    """A drill for something that can wait."""

    severity = Severity.INFO


DRILLS = (HighDrill, CriticalDrill, LowDrill)


def drill(*steps: Step, kind: type[HighDrill] = HighDrill) -> type[Procedure]:
    """A drill of the same name with another ladder."""
    return type(kind.__name__, (kind,), {"ladder": steps, "__doc__": kind.__doc__})


ASKS = Asks.ALWAYS
