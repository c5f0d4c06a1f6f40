"""Pages: sent, followed up, and pursued by other ways until somebody acknowledges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from activities.pagerduty_there import there
from activities.paging import Reach, Way
from activities.record import Record
from activities.words import Urgency
from workflows.ringing import hush, phones, ring

if TYPE_CHECKING:
    from workflows.case import Case


def page(case: Case, urgency: Urgency, reason: str, *, level: int, wanted: bool) -> None:
    """Queue a page for on-call (level 0) or for somebody up the severity's chain."""
    record, name = case.record, case.level_name(level)
    called = not level and _called_there(record)
    if called and record.people.acknowledged_by:
        _answered(case, urgency)
        return
    reach = Reach(
        occasion=f"{name}-{record.entries + 1}",
        level=name,
        urgency=urgency,
        why=reason,
        wanted=wanted,
    )
    if ring(case, reach):
        reach.tried.append(Way.EXPO)
    # The newest of a level is pursued for all; but no quiet one ends a loud one.
    replaced = (Urgency.LOW, urgency)
    others = [r for r in record.paging.reaches if r.level != name or r.urgency not in replaced]
    record.paging.reaches[:] = [*others, reach]
    reach.tried.append(Way.PAGERDUTY)
    if called:
        _answered(case, urgency)
        _wait(case, reach)
        return
    if not _takes(case, Way.PAGERDUTY):
        reach.lost.append(Way.PAGERDUTY)
        reach.tried.append(Way.SLACK)
        case.tell(f"{name}: {reason}", calls=name)
        case.note("page", f"{name} cannot be paged, and is called in Slack: {reason}")
        if not _takes(case, Way.SLACK):
            lost(case, reach.occasion, Way.SLACK)
        _wait(case, reach)
        return
    payload = {
        "level": name,
        "urgency": urgency.value,
        "why": reason,
        "wanted": wanted,
        "occasion": reach.occasion,
    }
    record.pagerduty.unsent.append(case.unsent("page", payload))
    if level == 0:
        record.page_urgency = urgency
    else:
        case.tell(f"{name}: {reason}", calls=name)
        if _takes(case, Way.SLACK):
            reach.tried.append(Way.SLACK)
    case.note("page", f"{name} is paged, {urgency.value} urgency: {reason}")
    _wait(case, reach)


def _called_there(record: Record) -> bool:
    """Tell whether PagerDuty has called on-call already: a person has opened it there."""
    return record.paged_at is None and record.paging.there in record.paged


def _answered(case: Case, urgency: Urgency) -> None:
    """Take the page that a person has opened at PagerDuty for the first of this incident."""
    record = case.record
    record.paged_at, record.page_urgency = case.now, urgency
    alerts = [state.alert for state in record.alerts.values()]
    who = next((a.annotations.get("opened_by") for a in alerts), "") or "somebody"
    said = f"{who} has opened it in PagerDuty, which calls on-call"
    case.note("page", f"{said}: {urgency.value} urgency here")
    case.first_contact()


def follow(case: Case, kind: Literal["acknowledge", "resolve"]) -> None:
    """Queue "acknowledge" or "resolve" for every page that is open, or on its way."""
    record, waiting = case.record, case.record.pagerduty.unsent
    pages = dict(record.paged)
    hush(record, kind)
    if kind == "acknowledge":
        # Somebody is there: what has not left yet need not wake anybody else.
        needless = [m for m in waiting if m.kind == "page" and not m.tries]
        waiting[:] = [m for m in waiting if m not in needless or m.payload.get("wanted")]
        on_their_way = [message for message in waiting if message.kind == "page"]
        pages |= {message.key: message.payload["level"] for message in on_their_way}
        pages = {k: route for k, route in pages.items() if k not in record.acknowledged_pages}
        record.acknowledged_pages += pages
    else:
        # Nobody is woken for what is over; a page that may have got through is closed.
        tried = [message for message in waiting if message.kind == "page" and message.tries]
        pages |= {message.key: message.payload["level"] for message in tried}
        waiting[:] = [message for message in waiting if message.kind == "resolve"]
        record.acknowledged_pages.clear()
    for key, route in pages.items():
        payload = {"dedup_key": key, "route": route}
        if there(key):
            payload["by"] = _by(record, kind)
            record.paging.told_there = kind == "acknowledge"
        waiting.append(case.unsent(kind, payload))


def _by(record: Record, kind: Literal["acknowledge", "resolve"]) -> str:
    """Name who has done what PagerDuty is told of."""
    if kind == "acknowledge":
        return record.people.acknowledged_by
    return record.resolution.by if record.resolution is not None else ""


def lost(case: Case, occasion: str, way: Way) -> None:
    """Take the next way at once where none has taken it; a way that did is given its time."""
    reach = next((r for r in case.record.paging.reaches if r.occasion == occasion), None)
    if reach is None or way in reach.lost:
        return
    reach.lost.append(way)
    if set(reach.tried) <= set(reach.lost):
        _onward(case, reach)
    else:
        _wait(case, reach)


def unposted(case: Case) -> None:
    """Hold whatever Slack was to call people for as lost: nothing is posted there."""
    for reach in list(case.record.paging.reaches):
        if Way.SLACK in reach.tried:
            lost(case, reach.occasion, Way.SLACK)


def pursue(case: Case) -> None:
    """Take the next way to whoever has not acknowledged in time."""
    for reach in list(case.record.paging.reaches):
        if reach.next_at is not None and reach.next_at <= case.now:
            _onward(case, reach)
    _set_clock(case)


def _onward(case: Case, reach: Reach) -> None:
    way = _next(case, reach)
    if way is None:
        reach.next_at = None
        _set_clock(case)
        if set(reach.tried) <= set(reach.lost):
            _up(case, reach)
        return
    reach.tried.append(way)
    unsent = Way.PAGERDUTY in reach.lost
    why = "could not be paged" if unsent else "has not acknowledged"
    case.note("escalation", f"{reach.level} {why}: called by {way.words}")
    if way is Way.EXPO:
        ring(case, reach)
    elif way is Way.EMAIL:
        payload = {"level": reach.level, "why": reach.why, "wanted": reach.wanted}
        payload |= {"occasion": reach.occasion}
        case.record.paging.emails.unsent.append(case.unsent("email", payload))
    else:
        asks = f"{reach.level} could not be paged, please call" if unsent else f"{reach.level}"
        case.tell(f"{asks}: {reach.why}", calls=reach.level)
    _wait(case, reach)


def _up(case: Case, reach: Reach) -> None:
    """Call the next level at once: this one cannot be reached at all."""
    people, levels = case.record.people, case.severity_policy.levels
    highest = reach.level == case.level_name(people.level)
    unheard = not people.acknowledged_by and not people.only_on_call
    case.note("problem", f"{reach.level} cannot be reached by any way: {reach.why}")
    if highest and unheard and people.level < len(levels):
        case.record.clocks.escalate_at = case.now
        case.record.clocks.escalate_why = f"{reach.level} cannot be reached by any way"


def _next(case: Case, reach: Reach) -> Way | None:
    names = {
        Way.EXPO: reach.urgency is Urgency.HIGH and bool(phones(case, reach.level)),
        Way.EMAIL: bool(case.policy.addresses.get(reach.level)),
        Way.SLACK: not case.muted,
    }
    left = (way for way in case.policy.reach_by if way not in reach.tried and names[way])
    return next((way for way in left if _takes(case, way)), None)


def _takes(case: Case, way: Way) -> bool:
    """Tell whether *way* takes messages at present."""
    record = case.record
    channels = {
        Way.PAGERDUTY: record.pagerduty,
        Way.EXPO: record.phones,
        Way.EMAIL: record.paging.emails,
        Way.SLACK: record.slack,
    }
    return not channels[way].silent(case.now)


def _wait(case: Case, reach: Reach) -> None:
    """Give the ways that were taken their time; what wakes nobody is not pursued."""
    people = case.record.people
    pursued = reach.urgency is Urgency.HIGH or reach.lost
    left = pursued and not people.acknowledged_by and _next(case, reach) is not None
    reach.next_at = case.after(case.policy.reach_seconds) if left else None
    _set_clock(case)


def _set_clock(case: Case) -> None:
    due = [each.next_at for each in case.record.paging.reaches if each.next_at is not None]
    case.record.clocks.reach_at = min(due, default=None)
