"""The runbook that people read, written from the procedures: `python -m deploy.runbook`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from activities.documents import Code
from activities.report_markdown import inline
from workflows.explanation import Act, Explained, Response, everything, told
from workflows.policy import Policy
from workflows.procedures.base import Given

CHAPTERS = {
    "API Performance Incidents": ("HighAPILatency", "CriticalAPILatency", "SlowDatabaseQueries"),
    "Error Rate Incidents": (
        "HighAPIErrorRate", "CriticalAPIErrorRate", "DatabaseConnectionErrors",
    ),
    "Cache Performance Incidents": (
        "HighCacheMissRatio", "RedisConnectionFailure", "RedisHighMemoryUsage",
    ),
    "Database Incidents": ("SupabaseDown", "HighDatabaseConnections"),
    "LLM Provider Incidents": ("LLMProviderDown", "HighLLMCost", "LLMRateLimitExceeded"),
    "Mobile Push Notification Incidents": (
        "HighPushNotificationFailureRate", "ExpoPushServiceDown",
    ),
    "Infrastructure Incidents": (
        "APIDown", "DashboardDown", "HighCPUUsage", "HighMemoryUsage", "DiskSpaceLow",
    ),
}  # fmt: skip
"""The sections of the runbook, with their alerts."""

_HEAD = """\
<!-- Written by `python -m deploy.runbook`, from what the procedures say: change those. -->

# Runbook

What happens when one of our {count} alerts fires: what is looked at, what the responder does in
which situation, what it asks a person first, and what to type where it cannot. Every plan below was
made by the procedure itself, from the evidence that the situation names: figures and names are
examples, the steps are not. Steps are taken in order, each only if the one before did not help.
`responder explain ALERT` says the same with the settings of an installation.

- **by itself**: done at once, and told on Slack.
- **asks first**: a person approves exactly what is shown, or it is skipped.
- **(ours)**: not said by the team's own runbook; our choice, and a setting. Behind a query: the
  runbook has none for this alert.
- **recovered**: three good looks in a row, one every {every}, within {window} after a step. No
  data is *unknown*: neither recovered nor still broken.
- **resolved**: recovered for {settle}; then what was temporary is put back, and it stays recovered
  for as long again.

{told}

What could not be read never stops a response: where a decision needs it, a person is asked.

**To have a say**, ID being the beginning of an incident's name (`responder list`): `responder hold
ID` takes no further step for some minutes, `responder take-over ID` none at all, and `responder
hand-back ID` goes on; `responder approve ID` and `responder reject ID` answer what it asks.

**If the responder itself does not work**, alerts wait in Alertmanager, which repeats them. Stopping
its `changes` worker stops every change at once, and nothing else. The commands under *By hand* need
neither; those of the host (`pm2`, `df`) are typed on the API host.
"""


def runbook(given: Given | None = None, policy: Policy | None = None) -> str:
    """Write the whole of it, as Markdown that is readable offline."""
    policy = policy or Policy()
    known = {each.facts.name: each for each in everything(given or Given(), policy)}
    parts = [_head(policy, len(known)), _contents(known)]
    named = {name for alerts in CHAPTERS.values() for name in alerts}
    others = {"Other Incidents": tuple(name for name in known if name not in named)}
    for chapter, alerts in (CHAPTERS | others).items():
        there = [known[name] for name in alerts if name in known]
        if there:
            parts += [f"## {chapter}\n", *("\n".join(_alert(each)) for each in there)]
    return "\n".join(parts).rstrip() + "\n"


def _head(policy: Policy, count: int) -> str:
    return _HEAD.format(
        count=count,
        every=f"{policy.verify_every_seconds:g} s",
        window=f"{policy.verify_seconds / 60:g} minutes",
        settle=f"{policy.settle_seconds / 60:g} minutes",
        told="\n".join(_told(policy)),
    )


def _told(policy: Policy) -> Iterator[str]:
    yield from ("| severity | who hears of it |", "|---|---|")
    for severity, one in policy.severities.items():
        yield f"| {severity} | {inline('; '.join(told(one)))} |"


def _contents(known: dict[str, Explained]) -> str:
    rows = [
        f"| [{name}](#{each.facts.section}) | {each.severity} | {inline(each.facts.title)} |"
        for name, each in known.items()
    ]
    return "\n".join(["| alert | severity | what it means |", "|---|---|---|", *rows, ""])


def _alert(one: Explained) -> Iterator[str]:
    facts = one.facts
    yield f'<a id="{facts.section}"></a>'
    yield ""
    yield f"### {facts.name}: {inline(facts.title)}"
    yield ""
    rows = {
        "Severity": one.severity,
        "Impact": inline(facts.impact),
        "Fires": f"after {one.hold} of {inline(Code(one.rule.expression), cell=True)}"
        + one.ours("expression"),
        "Recovered when": "; ".join(map(inline, one.recovered)),
        "It looks at": " · ".join(map(inline, one.looks)),
        "It decides": inline(one.decision),
    }
    yield from ("| | |", "|---|---|", *(f"| **{name}** | {said} |" for name, said in rows.items()))
    shown: set[tuple[str, ...]] = set()
    for response in one.responses:
        yield ""
        yield from _response(response, shown)
    if one.always:
        yield ""
        yield f"**In each of these people are told, too:** {'; '.join(map(inline, one.always))}"
    if one.at_last:
        yield from ("", f"**If nothing helps:** {inline(one.at_last)}")
    if one.by_hand:
        yield from ("", "**By hand:**", "", "```sh", *one.by_hand.rstrip().splitlines(), "```")
    yield ""


def _response(response: Response, shown: set[tuple[str, ...]]) -> Iterator[str]:
    declared = f" (settings: {inline(Code(response.declared))})" if response.declared else ""
    yield f"**{inline(response.situation)}**{declared}: {inline(response.cause)}."
    yield ""
    for number, act in enumerate(response.acts, 1):
        yield from _act(number, act, shown)
    if not response.acts:
        yield f"- no step: {inline(response.when_out or 'people decide')}"
    if response.findings:
        yield f"- people are told: {'; '.join(map(inline, response.findings))}"
    if response.acts and response.when_out:
        yield f"- if nothing helps: {inline(response.when_out)}"


def _act(number: int, act: Act, shown: set[tuple[str, ...]]) -> Iterator[str]:
    said = [
        inline(act.why),
        inline(act.risk),
        *([inline(act.afterwards)] if act.afterwards else []),
    ]
    yield f"{number}. *{act.decides}:* {inline(act.effect)} — {'; '.join(said)}"
    if act.details not in shown:
        yield from (f"   - {inline(each)}" for each in act.details)
    shown.add(act.details)


if __name__ == "__main__":
    reading = argparse.ArgumentParser(description="Write the runbook that people read.")
    reading.parse_args()
    sys.stdout.write(runbook())
