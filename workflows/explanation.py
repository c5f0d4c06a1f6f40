"""What the responder would do about an alert, for people: read off the procedure itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from activities.prometheus import spoken
from activities.record import Facts
from activities.verification import Answering, Below, Condition, Every
from activities.words import Risk, Severity, Urgency
from workflows import promql
from workflows.glance import words
from workflows.policy import Policy, SeverityPolicy, Verdict
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given, Procedure, Step
from workflows.rules import Rule, rules
from workflows.situations import SITUATIONS
from workflows.situations.base import NOTHING_READ, Situation, Situations

CHECKS = {
    "api.healthy_everywhere": "the API answers from outside, and so does each of its instances",
    "dashboard.answers": "the dashboard answers 200 with what must stand on it",
    "expo.sends": "a push notification and its receipt succeed",
    "flows.all": "login, dashboard and subscriptions work, behind a maintenance page too",
    "flows.as_user": "login, dashboard and subscriptions work as a user does them",
    "host.database_ping": "the database answers the API host",
    "host.redis_ping": "PING answers the API host",
    "llm.anthropic": "Anthropic answers",
    "llm.openai": "OpenAI answers",
    "postgres.assertions": "the configured assertions about the data hold",
    "postgres.select": "a SELECT answers the worker",
    "redis.ping": "PING answers the worker",
}
"""What a check asks, in words."""
MEASURED = {
    promql.API_P95: "p95 of the API",
    promql.CACHE_MISSES: "the share of look-ups that find nothing",
    promql.CPU_USED: "CPU in use on the API host",
    promql.DATABASE_CONNECTIONS: "connections in use",
    promql.DATABASE_POOL: "the fullest pool of an instance",
    promql.DATABASE_SLOWEST: "p95 of the slowest type of query",
    promql.DISK_USED: "the fullest disk",
    promql.FAILING_SHARE: "the share of requests that fail",
    promql.LLM_COST: "the pace of spending",
    promql.LLM_FAILING_MOST: "the share of calls that a provider in use leaves unanswered",
    promql.LLM_LIMITED: "the share of calls that are refused for their number",
    promql.MEMORY_USED: "memory in use on the API host",
    promql.PUSH_FAILING: "the share of push notifications that fail",
    promql.REDIS_MEMORY: "Redis's memory in use",
}
"""What an expression measures, in words."""
HOLDS = {
    promql.DATABASE_AWAY_SOMEWHERE: "every instance of the API says that the database answers",
}
"""What it means that an expression which is 0 or 1 has come down."""
RISKS = {
    Risk.REVERSIBLE: "no user sees it",
    Risk.DISRUPTIVE: "some users notice for a moment",
    Risk.OUTAGE: "users see the maintenance page",
    Risk.DESTRUCTIVE: "it cannot be undone",
}
_WINDOW = re.compile(r"\[\w+\]")
DECIDES = {
    Verdict.ACT: "by itself",
    Verdict.ASK: "asks first",
    Verdict.NEVER: "only says so",
}
"""Who decides about a step."""


@dataclass(frozen=True)
class Act:
    """One step as a person reads it beforehand."""

    activity: str
    effect: str
    why: str
    decides: str
    """Whether it is done at once, or a person is asked."""
    risk: str
    afterwards: str
    """What becomes of it once the incident is over; empty where it stays."""
    asked: tuple[str, ...]
    """Who may approve it, where a person is asked; ``*`` is everybody."""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Response:
    """What the responder would do in one situation."""

    situation: str
    declared: str
    cause: str
    acts: tuple[Act, ...]
    findings: tuple[str, ...]
    when_out: str


@dataclass(frozen=True)
class Explained:
    """All that can be said of an alert before it fires."""

    facts: Facts
    rule: Rule
    severity: str
    decision: str
    recovered: tuple[str, ...]
    looks: tuple[str, ...]
    responses: tuple[Response, ...]
    always: tuple[str, ...]
    """What people are told in each of these situations."""
    at_last: str
    """What is said when the steps have run out, where that is the same in all of them."""
    told: tuple[str, ...]
    by_hand: str

    @property
    def hold(self) -> str:
        """Say how long the rule's expression is true before it is an alert."""
        return self.rule.hold + self.ours("for")

    @property
    def may(self) -> tuple[str, ...]:
        """Name the changes that it may make, as the settings name them."""
        return tuple(
            dict.fromkeys(act.activity for response in self.responses for act in response.acts)
        )

    def ours(self, what: str) -> str:
        """Mark what the runbook does not say."""
        return " (ours)" if what in self.rule.ours else ""


def explained(procedure: type[Procedure], given: Given, policy: Policy) -> Explained:
    """Explain the alert of *procedure*, with the settings of one installation."""
    [rule] = [rule for rule in rules() if rule.alert == procedure.__name__]
    consulted = procedure(given)
    facts = consulted.facts()
    known = [each for each in SITUATIONS if each.procedure is procedure]
    met = [_response(these, one, given, policy) for these in known for one in these]
    seen = [each for each in met if each.situation != NOTHING_READ]
    always = {
        finding
        for finding in (seen[0].findings if seen else ())
        if all(finding in each.findings for each in seen)
    }
    outs = {each.when_out for each in met if each.acts}
    at_last = outs.pop() if len(outs) == 1 else ""
    return Explained(
        facts=facts,
        rule=rule,
        severity=facts.severity + (" (ours)" if "severity" in rule.ours else ""),
        decision=(inspect.getdoc(procedure.plan) or "").splitlines()[0],
        recovered=(
            *recovered(facts.condition, "(ours)" if "threshold" in rule.ours else ""),
            *_before_users_return(facts),
        ),
        looks=tuple(probe.why for probe in consulted.probes()),
        responses=tuple(_without(each, always, at_last) for each in met),
        always=tuple(each for each in (seen[0].findings if seen else ()) if each in always),
        at_last=at_last,
        told=tuple(told(policy.severities[facts.severity])),
        by_hand=known[0].by_hand if known else "",
    )


def everything(given: Given, policy: Policy) -> list[Explained]:
    """Explain every alert, in runbook order."""
    return [explained(procedure, given, policy) for procedure in PROCEDURES]


def recovered(condition: Condition, ours: str = "") -> Iterator[str]:
    """Say what counts as recovered, with a mark where the bound is not the runbook's."""
    if isinstance(condition, Every):
        for each in condition.conditions:
            yield from recovered(each, ours)
    elif isinstance(condition, Answering):
        yield from (CHECKS.get(check, check) for check in condition.checks)
    elif isinstance(condition, Below):
        asked = _windowless(condition.expression)
        if asked in _HOLDS:
            yield _HOLDS[asked]
            return
        bound = f"{spoken(condition.threshold, condition.unit)} {ours}".rstrip()
        floor = f", with traffic over {condition.floor:g} a second" if condition.traffic else ""
        measured = _MEASURED.get(asked, condition.expression)
        yield f"{measured} is under {bound}{floor}"


def _before_users_return(facts: Facts) -> Iterator[str]:
    if facts.back_after_seconds:
        yield f"all of it for {words(facts.back_after_seconds)}, before users are let in again"


def told(severity: SeverityPolicy) -> Iterator[str]:
    """Say who is told, and when."""
    if severity.page is None:
        yield "nobody is paged; Slack is told"
    elif severity.page is Urgency.HIGH:
        yield "on-call is paged at once, with high urgency; Slack is told"
    else:
        later = (
            f", high from {words(severity.urgent_seconds)} on" if severity.urgent_seconds else ""
        )
        yield f"on-call is paged with low urgency{later}; Slack is told"
    after = severity.escalate_seconds
    for number, level in enumerate(severity.levels, 1):
        yield f"{level} is called after {words(number * after)} without an acknowledgement"
    if severity.update_seconds is not None:
        yield f"Slack hears something at least every {words(severity.update_seconds)}"
    waits = words(severity.question_seconds)
    yield f"a question waits {waits}, then the next level is asked; after {waits} more it means no"


def _response(these: Situations, one: Situation, given: Given, policy: Policy) -> Response:
    ladder = these.plan(one, given)
    declared = ", ".join(f"{name} = {value or 'none'}" for name, value in one.declared.items())
    return Response(
        situation=one.name,
        declared=declared,
        cause=ladder.cause,
        acts=tuple(
            _act(step, policy, these.procedure.severity, these.procedure.__name__)
            for step in ladder.steps
        ),
        findings=tuple(dict.fromkeys(ladder.findings)),
        when_out=ladder.when_out,
    )


def _act(step: Step, policy: Policy, severity: Severity, alert: str) -> Act:
    verdict = policy.decide(step.planned(), severity, alert)
    return Act(
        activity=step.activity,
        effect=step.effect,
        why=step.why,
        decides=DECIDES[verdict],
        risk=RISKS[step.risk],
        afterwards=_afterwards(step),
        asked=tuple(policy.approvers(step.risk)) if verdict is Verdict.ASK else (),
        details=step.details,
    )


def _without(response: Response, findings: set[str], at_last: str) -> Response:
    """Leave out what is said once for all situations."""
    return replace(
        response,
        findings=tuple(each for each in response.findings if each not in findings),
        when_out="" if response.acts and response.when_out == at_last else response.when_out,
    )


def _afterwards(step: Step) -> str:
    if step.stages:
        return "taken back in stages, each verified, once what is behind it is well"
    if step.undo and isinstance(step.undo_when, Answering):
        well = " and ".join(CHECKS.get(name, name) for name in step.undo_when.checks)
        return f"put back once {well} again, for {words(step.undo_hold_seconds)} on end"
    return "put back once it is over" if step.undo else ""


def _windowless(expression: str) -> str:
    """Take the windows out of an expression: an installation may have chosen others."""
    return _WINDOW.sub("[]", expression)


_HOLDS = {_windowless(expression): said for expression, said in HOLDS.items()}
_MEASURED = {_windowless(expression): said for expression, said in MEASURED.items()}
