"""Which deployment of the dashboard is suspected, and to which an earlier one it can go back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.pages import PagesDeployments
from activities.pages_project import PagesDeployment


@dataclass(frozen=True)
class WayBack:
    """A way back, or why there is none; *doubts* are for a person to weigh."""

    live: PagesDeployment | None = None
    to: PagesDeployment | None = None
    against: str = ""
    why: str = ""
    proof: str = ""
    doubts: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def way_back(
    seen: PagesDeployments | None, *, before: datetime, recent: timedelta, proven: timedelta
) -> WayBack:
    """Find the newest earlier deployment that was live for long, if the live one came lately."""
    if seen is None:
        return WayBack(against="the deployments could not be read")
    findings = _findings(seen)
    out = [each for each in seen.last if each.state == "out"]
    live = next((each for each in out if each.id == seen.canonical), None)
    if live is None:
        return WayBack(against="what is live is none of the last deployments", findings=findings)

    age, earlier = before - live.live_at, out[1:]
    if against := _against(seen, out, live, age, recent):
        return WayBack(live=live, against=against, findings=findings)
    to = next((each for each in earlier if _lived(each, out) >= proven), earlier[0])
    doubts = []
    if _lived(to, out) < proven:
        doubts.append(f"{to.name} was live for only {_long(_lived(to, out))}")
    if not (to.variables and to.variables == live.variables):
        doubts.append("its environment variables are others, or could not be read")
    return WayBack(
        live=live,
        to=to,
        why=f"{live.name} was deployed {_long(age)} before the alert",
        proof=f"{to.words} was live for {_long(_lived(to, out))}",
        doubts=tuple(doubts),
        findings=findings,
    )


def _against(
    seen: PagesDeployments,
    out: Sequence[PagesDeployment],
    live: PagesDeployment,
    age: timedelta,
    recent: timedelta,
) -> str:
    """Say why going back from *live* would be wrong, or cannot be."""
    reasons = {
        f"{seen.last[0].words} is on its way": seen.last[0].state == "on its way",
        f"it was rolled back already, to {live.words}": live.id != out[0].id,
        f"{live.words} was deployed after the alert began": age < timedelta(0),
        f"nothing was deployed in the {_long(recent)} before the alert": age > recent,
        "there is no earlier deployment among the last ones": len(out) < 2,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _lived(one: PagesDeployment, out: Sequence[PagesDeployment]) -> timedelta:
    """How long *one* was live until the next was."""
    following = [each.live_at for each in out if each.live_at > one.live_at]
    return min(following) - one.live_at if following else timedelta(0)


def _findings(seen: PagesDeployments) -> tuple[str, ...]:
    if not seen.last:
        return ("nothing was deployed to the dashboard lately",)
    newest = seen.last[0]
    about = f"on {newest.branch}" if newest.branch else "by hand"
    return (
        f"last deployment of the dashboard: {newest.words} {about}, {newest.created_at:%d %b %H:%M}"
        f" UTC: {newest.state}" + (f" at {newest.stage}" if newest.state != "out" else ""),
    )


def _long(time: timedelta) -> str:
    minutes = time.total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
