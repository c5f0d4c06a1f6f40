"""The words of a summary of some days: what would have been done, and what people did."""

from __future__ import annotations

from activities.retold import Retold
from activities.week import Week
from workflows.glance import words

_MOST_SHOWN = 40
"""Incidents of one message; of the rest the figures tell."""


def title(week: Week) -> str:
    """Name the days, and how many incidents closed in them."""
    count = len(week.incidents) + week.unread + week.more
    incidents = "1 incident" if count == 1 else f"{count} incidents"
    return f"{incidents} from {week.since:%a %d %b} to {week.until:%a %d %b %Y}"


def figures(week: Week) -> list[str]:
    """Give the figures of all of them, a line each."""
    known = week.incidents
    if not known:
        return []
    observed = [each for each in known if each.would]
    lines = [
        f"{sum(each.paged for each in known)} of {len(known)} paged somebody",
        f"{sum(bool(each.did) for each in known)} were worked on by the responder",
    ]
    if observed:
        alone = sum(not each.people for each in observed)
        lines.append(
            f"{len(observed)} in which it would have done something and was not allowed to; "
            f"in {alone} of these nobody did anything either"
        )
    if week.unread:
        lines.append(f"{week.unread} of which only the end is known")
    if week.more:
        lines.append(f"{week.more} more are not told here")
    return lines


def incident(one: Retold) -> list[str]:
    """Tell of one incident, a line each; the first names it."""
    where = f"{one.service} ({one.environment})" if one.environment else one.service
    lasted = ""
    if one.ended_at is not None:
        lasted = f", open for {words((one.ended_at - one.opened_at).total_seconds())}"
    named = f"{one.opened_at:%a %H:%M} UTC, {one.alert} on {where}, {one.severity.value}{lasted}"
    lines = [f"{named}: {one.how or 'its end is not known'}"]
    lines += [f"would have: {each}" for each in one.would]
    lines += [f"did: {each}" for each in one.did]
    lines += [f"people: {each}" for each in one.people]
    if one.would and not one.people:
        lines.append("people: nothing that was written down")
    return lines


def shown(week: Week) -> tuple[Retold, ...]:
    """Choose the incidents to be told one by one: those with something to compare go first."""
    ranked = sorted(week.incidents, key=lambda one: (not one.would, not one.did))
    chosen = ranked[:_MOST_SHOWN]
    return tuple(one for one in week.incidents if one in chosen)


def text(week: Week) -> str:
    """Write it all as plain text."""
    parts = [title(week), *(f"- {line}" for line in figures(week))]
    for one in shown(week):
        first, *rest = incident(one)
        parts += ["", first, *(f"    {line}" for line in rest)]
    left = len(week.incidents) - len(shown(week))
    if left:
        parts += ["", f"and {left} more: responder list --closed"]
    return "\n".join(parts)
