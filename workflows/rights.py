"""Whether somebody may act, where a workflow has no policy of its own: its worker knows it.

Only for validators. They run before an update stands in the history, and never at replay, so that
what a worker's settings say today is no part of what the workflow does.
"""

from __future__ import annotations

from temporalio import workflow

from activities.words import Risk
from workflows.policy import Rights, responds

RIGHTS = "rights"
"""The worker's function from a name to its rights; None for a stranger."""


def refusal(who: str) -> str | None:
    """Say why *who* may not act, empty if that is allowed; None where it cannot be looked up."""
    look = workflow.extern_functions().get(RIGHTS)
    return None if look is None else responds(who, look(who))


def approves(who: str) -> tuple[Risk, ...]:
    """Name the risks that *who* may decide about: none where that cannot be looked up."""
    look = workflow.extern_functions().get(RIGHTS)
    found: Rights | None = look(who) if look is not None else None
    return found.approves if found is not None else ()
