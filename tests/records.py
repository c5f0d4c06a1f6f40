"""Records of incidents as they might have been: for whoever renders, shows or counts them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.alerts import Alert, AlertStatus
from activities.people import People, Question
from activities.record import (
    AlertState,
    Asks,
    Entry,
    Facts,
    Phase,
    PlannedStep,
    Reading,
    Record,
    Resolution,
    StepState,
    WatchRecord,
)
from activities.verification import Answering, Below, Sample
from activities.words import Risk, Severity, Urgency

SIX = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return SIX + timedelta(seconds=seconds)


def alert(name: str, severity: Severity = Severity.CRITICAL, **labels: str) -> Alert:
    return Alert(
        fingerprint=labels.pop("fingerprint", "9c1f0a77de31b2aa"),
        name=name,
        status=AlertStatus.FIRING,
        starts_at=SIX,
        labels={
            "alertname": name,
            "severity": severity,
            "environment": "production",
            "service": "api",
            "job": "api",
            **labels,
        },
        annotations={"summary": f"{name} on {labels.get('service', 'api')}"},
        expression="redis_up == 0",
        source="https://prometheus.pravado.com/graph?g0.expr=redis_up+%3D%3D+0",
    )


def line(seconds: float, kind: str, text: str, by: str = "responder") -> Entry:
    return Entry(at=after(seconds), kind=kind, text=text, by=by)


def looks(
    start: float, every: float, values: list[float | bool | None], threshold: float | None = None
) -> list[Sample]:
    """One sample a value: a number against *threshold*, healthy or not, or no data."""
    samples = []
    for index, value in enumerate(values):
        at = after(start + index * every)
        if value is None:
            samples.append(Sample(at=at, good=None, note="Prometheus did not answer in 5 s"))
        elif isinstance(value, bool):
            samples.append(Sample(at=at, good=value, note="" if value else "no answer in 2 s"))
        else:
            good = threshold is not None and value < threshold
            samples.append(Sample(at=at, good=good, value=value, note=f"{value:g}"))
    return samples


def restarted() -> Record:
    """A critical RedisConnectionFailure, repaired by one restart."""
    restart = PlannedStep(
        key="redis.restart redis-cache",
        activity="redis.restart",
        order={"unit": "redis-cache", "wait_seconds": 30.0},
        target="redis-cache",
        why="Redis answers neither the worker nor the API host, and nobody else is working on it",
        effect="Restart the Redis process redis-cache",
        expect="PING answers from both places within 30 s",
        risk=Risk.DISRUPTIVE,
        restarts=True,
        state=StepState.HELPED,
        said="redis-cache runs with a new process, pid 4711; PING answers",
        before={
            "pid": 318,
            "up_seconds": 86412.0,
            "used_memory_bytes": 268435456,
            "persists": True,
        },
        started_at=after(72),
        ended_at=after(75),
    )
    return Record(
        id="RedisConnectionFailure-api-1f0c9a2b",
        run="5b0e7c1d-9a55-4a44-8c0f-0d4c5b3f1e22",
        indicator="RedisConnectionFailure",
        service="api",
        environment="production",
        opened_at=after(3),
        severity=Severity.CRITICAL,
        phase=Phase.RESOLVED,
        alerts={
            "9c1f0a77de31b2aa": AlertState(
                alert=alert("RedisConnectionFailure", instance="api-1:9100"),
                firing=False,
                first_seen=after(3),
                why="Alertmanager said so",
            ),
            "77ab01c2d3e4f5a6": AlertState(
                alert=alert(
                    "RedisConnectionFailure", fingerprint="77ab01c2d3e4f5a6", instance="api-2:9100"
                ),
                firing=False,
                first_seen=after(18),
                why="its expression is false",
            ),
        },
        facts=Facts(
            name="RedisConnectionFailure",
            title="Redis cannot be reached",
            severity=Severity.CRITICAL,
            impact="Pages are served without the cache: slower, and the database carries the load.",
            section="Section 3: cache",
            runbook="https://runbooks.pravado.com/incidents#redis-connection-failure",
            condition=Answering(checks=("redis.ping from worker", "redis.ping from api-1")),
            version="b81c2f09",
            thresholds={"looks_in_a_row": 3.0},
        ),
        readings=[
            Reading(
                key="ping",
                why="does Redis answer, from two places",
                answer={
                    "checks": [
                        {
                            "place": "worker",
                            "answers": False,
                            "took_ms": 2001,
                            "error": "timed out",
                        },
                        {"place": "api-1", "answers": False, "took_ms": 2000, "error": "timed out"},
                    ]
                },
                took_seconds=2.04,
            ),
            Reading(
                key="process",
                why="what became of the process",
                answer={
                    "unit": "redis-cache",
                    "pid": 318,
                    "running": True,
                    "used_memory_bytes": 268435456,
                    "memory_ratio": 0.52,
                    "started_at": "2026-11-22T05:59:48Z",
                    "log": "06:00:00 # WARNING: Blocked for 12000 ms\n06:00:01 * fsync is slow",
                },
                took_seconds=0.31,
            ),
            Reading(
                key="status",
                why="what the provider says",
                failed="statuspage answered 503",
                took_seconds=10.0,
            ),
        ],
        cause="The process is there but blocked; nothing was deployed in the last 60 minutes.",
        findings=["Redis was blocked on its disk for 12 s: look at the disk of the cache host."],
        ladder=[
            restart,
            PlannedStep(
                key="switches.set memory-cache",
                activity="switches.set",
                order={"name": "CACHE_BACKEND", "value": "memory"},
                target="api",
                why="If Redis does not come back, pages must not wait for it",
                effect="Use the in-memory cache in the API",
                risk=Risk.DISRUPTIVE,
                undo=True,
                state=StepState.SKIPPED,
                said="not needed: recovered",
            ),
        ],
        watches=[
            WatchRecord(
                label="Restart the Redis process redis-cache",
                started_at=after(76),
                outcome="recovered",
                samples=looks(76, 15, [False, False, True, True, True]),
            ),
            WatchRecord(
                label="settling",
                started_at=after(140),
                outcome="recovered",
                samples=looks(140, 15, [True] * 41),
            ),
        ],
        people=People(
            acknowledged_by="Dana Reyes", acknowledged_at=after(41), took_part=["Dana Reyes"]
        ),
        page_urgency=Urgency.HIGH,
        timeline=[
            line(3, "alert", "RedisConnectionFailure began to fire on api-1:9100"),
            line(5, "page", "Paged on-call, high urgency"),
            line(6, "message", "Told #incidents"),
            line(18, "alert", "RedisConnectionFailure began to fire on api-2:9100"),
            line(41, "person", "Acknowledged", "Dana Reyes"),
            line(52, "evidence", "Redis answers neither the worker nor api-1"),
            line(53, "problem", "The provider's status could not be read: statuspage answered 503"),
            line(60, "plan", "I intend to: 1. restart redis-cache 2. use the in-memory cache"),
            line(72, "step", "Restarting redis-cache"),
            line(75, "step", "redis-cache runs with a new process, pid 4711; PING answers"),
            line(136, "verification", "Recovered: 3 good looks in a row"),
            line(140, "phase", "Settling for 10 minutes"),
            line(746, "phase", "Resolved: recovered and held for 10 minutes"),
        ],
        paged_at=after(5),
        told_at=after(6),
        mitigated_at=after(75),
        recovered_at=after(136),
        resolution=Resolution(
            how="recovered", reason="healthy for 10 minutes: 41 good looks, none bad", at=after(746)
        ),
    )


def taken_over() -> Record:
    """A warning that people took over: a question rejected, unknown looks, a scale left over."""
    scale = PlannedStep(
        key="kubernetes.scale api",
        activity="kubernetes.scale",
        order={"deployment": "api", "replicas": 5},
        target="kubernetes/api",
        why="Request rate is 2.1 times that of an hour ago",
        effect="Scale the API from 3 to 5 replicas",
        expect="p95 under 0.5 s",
        risk=Risk.REVERSIBLE,
        undo=True,
        state=StepState.UNHELPFUL,
        said="5 of 5 replicas are ready",
        before={"replicas": 3, "ready": 3},
        started_at=after(95),
        ended_at=after(131),
    )
    rolling = PlannedStep(
        key="kubernetes.restart api",
        activity="kubernetes.restart",
        order={"deployment": "api"},
        target="kubernetes/api",
        why="No clear cause: a rolling restart is proposed, a person decides",
        effect="Restart the 5 API instances, one at a time",
        risk=Risk.DISRUPTIVE,
        asks=Asks.ALWAYS,
        restarts=True,
        state=StepState.SKIPPED,
        said="rejected by Priya Natarajan",
    )
    values: list[float | bool | None] = [1.31, 1.4, 1.52, 1.38, 1.22, None, None, None, None]
    values += [1.18, 1.09, 1.11, 0.94, 0.88, None, 0.83, 0.79, 0.82, 0.8]
    question = Question(
        id="q-2",
        step=rolling.key,
        text="Restart the 5 API instances, one at a time?",
        risk=Risk.DISRUPTIVE,
        asked_at=after(440),
        next_level_at=after(2240),
        expires_at=after(4040),
        asked_level="on-call",
        answer="rejected",
        by="Priya Natarajan",
    )
    return Record(
        id="APILatency-api-77aa00ff",
        run="c4c1d2f0-77b1-4a11-9bd0-5a0a6f1d0e0b",
        indicator="APILatency",
        service="api",
        environment="production",
        opened_at=after(4),
        severity=Severity.WARNING,
        phase=Phase.RESOLVED,
        alerts={
            "aa00bb11cc22dd33": AlertState(
                alert=alert("HighAPILatency", Severity.WARNING, fingerprint="aa00bb11cc22dd33"),
                firing=False,
                first_seen=after(4),
                times=2,
                why="resolved by Priya Natarajan",
            )
        },
        recurrence=1,
        facts=Facts(
            name="HighAPILatency",
            title="p95 latency of the API",
            severity=Severity.WARNING,
            impact="Pages load slowly; some requests time out.",
            section="Section 1: API performance",
            runbook="https://runbooks.pravado.com/incidents#high-api-latency",
            condition=Below(expression="histogram_quantile(0.95, ...)", threshold=0.5, unit="s"),
            version="0d11aa42",
            thresholds={"p95_seconds": 0.5, "surge_ratio": 1.5},
        ),
        readings=[
            Reading(
                key="slow_routes",
                why="the ten slowest routes",
                answer={
                    "routes": [
                        {"route": "/v1/reports/:id", "p95_seconds": 2.31, "share_ratio": 0.08},
                        {"route": "/v1/feed", "p95_seconds": 1.12, "share_ratio": 0.41},
                        {"route": "/v1/search|all", "p95_seconds": 0.74, "share_ratio": 0.12},
                    ]
                },
                took_seconds=0.2,
            ),
            Reading(
                key="traffic",
                why="request rate against an hour ago",
                answer={"now_per_second": 212.4, "hour_ago_per_second": 101.2, "growth_ratio": 2.1},
            ),
            Reading(key="memory", why="memory and its slope", failed="Prometheus did not answer"),
        ],
        findings=["/v1/reports/:id reads each row by itself (N+1)."],
        when_out="Look at the slow routes in Sentry; consider turning exports off.",
        ladder=[scale, rolling],
        watches=[
            WatchRecord(
                label="Scale the API from 3 to 5 replicas",
                started_at=after(132),
                outcome="not recovered",
                samples=looks(132, 15, values, 0.5),
            )
        ],
        questions=[question],
        people=People(
            acknowledged_by="Priya Natarajan",
            acknowledged_at=after(432),
            taken_over_by="Priya Natarajan",
            took_part=["Priya Natarajan", "Sam Okafor"],
        ),
        page_urgency=Urgency.LOW,
        timeline=[
            line(4, "alert", "HighAPILatency began to fire"),
            line(6, "page", "Paged on-call, low urgency"),
            line(95, "step", "Scaling the API from 3 to 5 replicas"),
            line(131, "step", "5 of 5 replicas are ready"),
            line(207, "problem", "No data: Prometheus did not answer in 5 s"),
            line(432, "person", "Acknowledged", "Priya Natarajan"),
            line(440, "question", "May I restart the 5 API instances, one at a time?"),
            line(475, "person", "Rejected: the export job is the cause", "Priya Natarajan"),
            line(480, "person", "Took over", "Priya Natarajan"),
            line(900, "person", "Note: export job paused", "Sam Okafor"),
            line(64900, "person", "Resolved: export job moved to the night", "Priya Natarajan"),
        ],
        left_out=12,
        paged_at=after(6),
        told_at=after(7),
        resolution=Resolution(
            how="resolved by a person",
            reason="export job moved to the night",
            by="Priya Natarajan",
            at=after(64900),
            still_temporary=["kubernetes.scale api"],
        ),
        earlier="0a0b0c0d-1111-2222-3333-444455556666",
    )


def bare(**fields: Any) -> Record:
    """An incident just opened, of an alert that has no procedure."""
    return Record(
        **{
            "id": "DiskAlmostFull-worker-00c0ffee",
            "run": "0d9c8b7a-1111-4222-8333-944455556666",
            "indicator": "DiskAlmostFull",
            "service": "worker",
            "opened_at": after(2),
            "no_procedure": "no procedure is registered for DiskAlmostFull",
            **fields,
        }
    )


def hostile(text: str) -> Record:
    """A record in which everything that comes from outside says *text*."""
    record = taken_over()
    state = record.alerts["aa00bb11cc22dd33"]
    state.alert = state.alert.model_copy(
        update={
            "labels": {**state.alert.labels, "instance": text, text: "x"},
            "annotations": {"summary": text},
            "expression": text,
            "source": text,
        }
    )
    state.why = text
    record.service = record.environment = record.cause = record.when_out = text
    record.findings = [text]
    record.readings = [
        Reading(key=text, why=text, answer={text: [{text: text}, {text: 1}], "log": f"a\n{text}"}),
        Reading(key="failed", why=text, failed=text),
    ]
    for step in record.ladder:
        step.effect = step.why = step.said = step.target = step.approved_by = text
        step.before, step.order = {text: text}, {text: [text]}
    record.questions[0].text = record.questions[0].by = text
    record.people.acknowledged_by = record.people.taken_over_by = text
    record.people.took_part = [text]
    record.timeline = [Entry(at=SIX, kind=text[:40], text=text, by=text)]
    if record.resolution:
        record.resolution.reason = record.resolution.by = text
        record.resolution.still_temporary = [text]
    if record.facts:
        record.facts.title = record.facts.impact = record.facts.section = text
        record.facts.runbook = record.facts.version = text
        record.facts.thresholds = {text: 1.0}
    for watch in record.watches:
        watch.label = watch.outcome = text
    return record
