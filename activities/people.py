"""Who is involved in an incident, what they were asked, and which clocks run on them."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from activities.kept import Kept
from activities.words import Risk


class Question(Kept):
    """A step that waits for a person's word; the id binds an answer to exactly what was shown."""

    id: str
    step: str
    text: str
    details: list[str] = Field(default_factory=list)
    """What exactly would be touched."""
    risk: Risk
    asked_at: AwareDatetime
    next_level_at: AwareDatetime
    expires_at: AwareDatetime
    asked_level: str
    next_level_asked: bool = False
    answer: str = ""
    """"", "approved", "rejected" or "expired"."""
    by: str = ""


class Clocks(Kept):
    """Absolute deadlines of the people track; None does not run."""

    escalate_at: AwareDatetime | None = None
    escalate_why: str = ""
    """What nobody has answered; empty is the page."""
    urgent_at: AwareDatetime | None = None
    """When a low-urgency page becomes a high one."""
    renew_at: AwareDatetime | None = None
    """When an acknowledgement runs out and on-call is asked to renew it."""
    update_at: AwareDatetime | None = None
    """When people were promised the next update."""


class People(Kept):
    """Who is involved, and who decides."""

    acknowledged_by: str = ""
    acknowledged_at: AwareDatetime | None = None
    taken_over_by: str = ""
    hold_until: AwareDatetime | None = None
    held_by: str = ""
    level: int = 0
    """0 is on-call, then the severity's chain."""
    only_on_call: bool = False
    """We do not know whether anything is wrong: never wake anybody above on-call."""
    renewal_asked: bool = False
    took_part: list[str] = Field(default_factory=list)
