"""What was deployed lately."""

from __future__ import annotations

from activities.host import Deployments


def last_deployment(answer: Deployments | None) -> tuple[str, ...]:
    """Say what was deployed last, when and by whom, where that is known."""
    if answer is None or not answer.last or answer.newest_minutes_ago is None:
        return ()
    last, minutes = answer.last[0], answer.newest_minutes_ago
    ago = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    return (f"last deployment: {last.release} by {last.author or 'unknown'}, {ago} ago",)
