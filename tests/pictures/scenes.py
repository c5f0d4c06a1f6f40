"""What is shown: one incident from its question to its end, and others beside it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.alerts import Alert
from activities.record import Phase
from activities.words import Severity
from deploy.gameday.standins.slack_state import Message
from tests.lifecycle.world import PEOPLE, Story, World, alert
from tests.pictures.stage import Stage
from workflows.policy import Policy

RUNBOOK = "https://runbook.pravado.example"
SERVICE, ENVIRONMENT = "pravado-api", "production"


def policy(ui: str = "") -> Policy:
    """What an installation has after its first week."""
    return Policy(
        people=PEOPLE,
        mentions={"on-call": "S0ONCALL", "engineering-lead": "U0LEAD"},
        symptom_hold_seconds=0,
        ui=ui,
    )


def fires(name: str, severity: Severity, said: str, *, service: str = SERVICE) -> Alert:
    """Give an alert as the rules of Prometheus make it."""
    return alert(
        name,
        service=service,
        severity=severity,
        environment=ENVIRONMENT,
        annotations={"summary": said, "description": said, "runbook_url": RUNBOOK},
    )


class Database(World):
    """A nightly report holds the database's connections."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.town)
        self.cures = {"postgres.terminate": True}
        self.rate = {"now": 0.004, "before": 0.004}
        self.sessions = [
            _session(4711, "active", 1260, "SELECT * FROM events JOIN users USING (user_id)"),
            _session(4712, "idle in transaction", 1215, "INSERT INTO report_rows VALUES ($1, $2)"),
            _session(4713, "idle in transaction", 1201, "INSERT INTO report_rows VALUES ($1, $2)"),
        ]
        self.values = [0.87, 0.86, 0.52, *[0.41] * 200]

    def _on_postgres__cancel__read(self, order: Any) -> Any:
        return {"backends": [{"pid": each["pid"], "found": "same"} for each in order["sessions"]]}

    _on_postgres__terminate__read = _on_postgres__cancel__read

    def _on_postgres__cancel(self, order: Any, before: Any) -> Any:
        return {"said": "1 of 1 statements was cancelled"}

    def _on_postgres__terminate(self, order: Any, before: Any) -> Any:
        return {"said": "3 of 3 sessions were ended"}

    def _on_postgres__connections(self, ask: Any) -> Any:
        by = (("pravado-api", "idle", 40), ("nightly-report", "idle in transaction", 131))
        return {
            "used": 174, "max": 200, "reserved": 3, "used_ratio": 0.87,
            "by": [
                {"application": name, "user": "app", "state": state, "count": count}
                for name, state, count in by
            ],
        }  # fmt: skip


def _session(pid: int, state: str, age: float, query: str) -> dict[str, Any]:
    began = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return {
        "pid": pid, "backend_start": began, "query_start": began, "xact_start": began,
        "query_id": pid, "state": state, "application": "nightly-report", "user": "report",
        "client": "10.0.0.7", "age_seconds": age, "query": query,
    }  # fmt: skip


async def question(stage: Stage) -> Story:
    """Let the connections run out: two sessions may be ended once somebody agrees."""
    full = fires(
        "HighDatabaseConnections", Severity.WARNING, "87% of the database's connections are used"
    )
    story = await stage.town.hears(full, Database(stage), policy(stage.ui))
    await story.until(lambda r: r.question is not None and bool(r.question.ts))
    return story


async def unanswered(stage: Stage) -> Story:
    """Let errors come that nobody acknowledges, until somebody calls the next level."""
    world = World(stage.town)
    world.cures, world.rate = {}, {"now": 0.31, "before": 0.002}
    failing = fires(
        "CriticalAPIErrorRate", Severity.CRITICAL, "31% of the requests fail", service="checkout"
    )
    story = await stage.town.hears(failing, world, policy(stage.ui))
    await story.until(lambda r: r.told_at is not None and bool(r.slack.ts))
    return story


async def escalated(stage: Stage, story: Story) -> Message:
    """Have robin press Escalate, and give the entry that calls the next level."""
    root = await root_of(story)
    await stage.slack.press(root.ts, "escalate", user="U0ROBIN")

    def called() -> list[Message]:
        return [each for each in stage.slack.thread(root.ts) if "robin asks" in str(each.blocks)]

    await story.until(lambda r: r.people.level == 1 and bool(called()))
    return called()[-1]


async def root_of(story: Story) -> Any:
    """Give the message of an incident that stands in the channel."""
    return (await story.record()).slack


async def asked_of(story: Story) -> Any:
    """Give the question that is open."""
    return (await story.record()).question


async def others(stage: Stage) -> None:
    """Have three more: one that is verified, one that is taken over, one that nobody knows."""
    town, rules = stage.town, policy(stage.ui)
    down = fires(
        "RedisConnectionFailure", Severity.CRITICAL, "Redis does not answer", service="redis"
    )
    verified = await town.hears(down, World(town), rules)
    await verified.until(lambda r: r.phase is Phase.VERIFYING)
    await verified.act("acknowledge", by="lee")
    full = fires("DiskSpaceLow", Severity.WARNING, "4% of the disk is free", service="host-3")
    taken = await town.hears(full, World(town), rules)
    await taken.until(lambda r: r.phase in (Phase.WATCHING, Phase.ASKING, Phase.MITIGATING))
    await taken.act("take-over", by="robin")
    own = fires("CertificateExpires", Severity.INFO, "in nine days", service="edge")
    unknown = await town.hears(own, World(town), rules)
    await unknown.until(lambda r: r.phase is Phase.WATCHING)
