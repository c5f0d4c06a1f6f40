"""How an incident is told of its alerts, and opened by the first of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.alerts import MANUAL, Alert, AlertStatus, Notice, incident_id
from activities.record import Phase
from activities.words import Severity
from workflows.case import ALERT_NAME, ENVIRONMENT, INDICATOR, PHASE, SERVICE, SEVERITY
from workflows.details import literal
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.opening import Opening
from workflows.page_events import PageEvent
from workflows.policy import Policy

MOST_BYTES = 512 * 1024
"""Of one signal; Temporal takes 2 MiB."""
_MOST_SUMMARY = 400
_MOST_DETAILS = 4_000
_MOST_ATTRIBUTE = 255


class Told(StrEnum):
    """What became of a notice."""

    ACCEPTED = "accepted"
    """Temporal keeps it: an incident has it, a new one where there was none."""
    NO_INCIDENT = "no incident"
    """Nothing but resolved alerts, and no incident that is open: nobody needs to know."""


@dataclass(frozen=True)
class Group:
    """What one delivery says about one incident."""

    id: str
    alerts: tuple[Alert, ...]
    incomplete: bool

    @property
    def firing(self) -> list[Alert]:
        """Its alerts that fire, the worst first."""
        return sorted(
            (alert for alert in self.alerts if alert.firing),
            key=lambda alert: (-_rank(alert), alert.starts_at, alert.fingerprint),
        )


def grouped(
    alerts: Iterable[Alert], scope_labels: Collection[str], *, incomplete: bool = False
) -> list[Group]:
    """Put alerts together by the incident that they belong to, firing and resolved ones alike."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(incident_id(alert, scope_labels), []).append(alert)
    return [Group(name, tuple(members), incomplete) for name, members in groups.items()]


async def tell(
    client: Client, group: Group, policy: Policy, *, environment: str, seconds: float
) -> Told:
    """Tell an incident what the group says; when it returns, Temporal keeps it.

    Repeating it is safe: the same alert always finds the same incident, which knows what it heard.
    """
    limit = timedelta(seconds=seconds)
    for notice in notices(group):
        # Each part by itself, in order: the incident may have been opened by the part before.
        if group.firing:
            await _open(client, group, notice, policy, environment=environment, limit=limit)
        elif not await _signal(client, group.id, notice, limit):
            return Told.NO_INCIDENT
    return Told.ACCEPTED


def notices(group: Group) -> Iterator[Notice]:
    """Give the group as one signal, or as several where it is too large for one."""
    part: list[Alert] = []
    size = 0
    for alert in group.alerts:
        weight = len(alert.model_dump_json().encode())
        if part and size + weight > MOST_BYTES:
            yield Notice(alerts=tuple(part), incomplete=group.incomplete)
            part, size = [], 0
        part.append(alert)
        size += weight
    yield Notice(alerts=tuple(part), incomplete=group.incomplete)


async def open_once(
    client: Client,
    name: str,
    first: Alert,
    policy: Policy,
    *,
    environment: str,
    seconds: float,
    heard: PageEvent | None = None,
) -> None:
    """Open an incident that is never opened again; while it is open, this changes nothing.

    It hears *heard* before anything else. `WorkflowAlreadyStartedError` says that it is over.
    """
    await client.start_workflow(
        Incident.run,
        Opening(policy=policy, first=first),
        id=name,
        task_queue=Queue.INCIDENTS,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="page_event" if heard is not None else None,
        start_signal_args=[heard] if heard is not None else [],
        static_summary=_cut(f"{first.name} on {first.service}", _MOST_SUMMARY),
        static_details=_cut(_details(first, "Opened by a person in PagerDuty."), _MOST_DETAILS),
        search_attributes=attributes(first, environment),
        rpc_timeout=timedelta(seconds=seconds),
    )


def by_hand(
    name: str,
    service: str,
    severity: Severity,
    environment: str,
    *,
    why: str,
    who: str,
    at: datetime,
) -> Alert:
    """Make the alert of an incident that *who* opens, for there is no rule that would."""
    labels = {"alertname": name[:200], "service": service[:200], "severity": severity.value}
    if environment:
        labels["environment"] = environment[:200]
    digest = hashlib.sha256("\n".join(f"{k}={v}" for k, v in sorted(labels.items())).encode())
    return Alert(
        fingerprint=f"{MANUAL}{digest.hexdigest()[:16]}",
        name=labels["alertname"],
        status=AlertStatus.FIRING,
        starts_at=at,
        labels=labels,
        annotations={"summary": why[:1000], "opened_by": who},
    )


async def _open(
    client: Client,
    group: Group,
    notice: Notice,
    policy: Policy,
    *,
    environment: str,
    limit: timedelta,
) -> None:
    first = group.firing[0]
    count = len(group.alerts)
    opened = f"Opened by {count} alert{'' if count == 1 else 's'}."
    await client.start_workflow(
        Incident.run,
        Opening(policy=policy, first=first),
        id=group.id,
        task_queue=Queue.INCIDENTS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="alerts",
        start_signal_args=[notice],
        static_summary=_cut(f"{first.name} on {first.service}", _MOST_SUMMARY),
        static_details=_cut(_details(first, opened), _MOST_DETAILS),
        search_attributes=attributes(first, environment),
        rpc_timeout=limit,
    )


async def _signal(client: Client, name: str, notice: Notice, limit: timedelta) -> bool:
    try:
        handle = client.get_workflow_handle_for(Incident.run, name)
        await handle.signal(Incident.alerts, notice, rpc_timeout=limit)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            return False
        raise
    return True


def attributes(first: Alert, environment: str) -> TypedSearchAttributes:
    """Make the search attributes that an incident is found by from its first moment."""
    pairs: Sequence[tuple[SearchAttributeKey[str], str]] = (
        (INDICATOR, first.indicator),
        (ALERT_NAME, first.name),
        (SEVERITY, (first.severity or first.named_severity or Severity.WARNING).value),
        (PHASE, Phase.OPENING.value),
        (ENVIRONMENT, first.environment or environment),
        (SERVICE, first.service),
    )
    return TypedSearchAttributes(
        [SearchAttributePair(key, value[:_MOST_ATTRIBUTE]) for key, value in pairs]
    )


def _details(first: Alert, opened: str) -> str:
    said = first.annotations.get("description") or first.annotations.get("summary") or ""
    # Of the outside, and shown as Markdown: as a quotation.
    quoted = "\n".join(f"> {literal(line)}" for line in said.splitlines())
    return f"{opened}\n\n{quoted}".strip()


def _rank(alert: Alert) -> int:
    severity = alert.severity or alert.named_severity
    return severity.rank if severity else -1


def _cut(text: str, most: int) -> str:
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode(errors="ignore") + "…"
