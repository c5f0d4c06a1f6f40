"""Who is involved in an incident, what they were asked, and which clocks run on them."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from activities.freezing import Freezes
from activities.kept import Kept
from activities.words import Risk


class Approval(Kept):
    """One person's yes."""

    by: str
    at: AwareDatetime


class Question(Kept):
    """A step that waits for a person's word; the digest binds an answer to what was shown."""

    id: str
    shown: str = ""
    """Digest of the orders, of what stands there now, and of the evidence."""
    step: str
    text: str
    why: str = ""
    details: list[str] = Field(default_factory=list)
    """What exactly would be touched."""
    orders: list[str] = Field(default_factory=list)
    """The exact orders, as they would be given."""
    targets: list[str] = Field(default_factory=list)
    undo: str = ""
    evidence: list[str] = Field(default_factory=list)
    """What it rests on, as it was when it was asked."""
    risk: Risk
    asked_at: AwareDatetime
    next_level_at: AwareDatetime
    expires_at: AwareDatetime
    asked_level: str
    next_level_asked: bool = False
    answer: str = ""
    """"", "approved", "rejected", "expired" or "void"."""
    by: str = ""
    """Who decided; of two people both."""
    requested_by: str = ""
    """Who has asked for it: opened the incident by hand, or handed it back."""
    needed: int = 1
    """How many people must approve."""
    approvals: list[Approval] = Field(default_factory=list)
    ended_at: AwareDatetime | None = None
    ended: str = ""
    """How it ended, in words."""
    channel_id: str = ""
    ts: str = ""
    """Of its entry in the Slack thread, which is revised once it is decided."""


class Clocks(Kept):
    """Absolute deadlines of the people track; None does not run."""

    escalate_at: AwareDatetime | None = None
    escalate_why: str = ""
    """What nobody has answered; empty is the page."""
    urgent_at: AwareDatetime | None = None
    """When a low-urgency page becomes a high one."""
    renew_at: AwareDatetime | None = None
    """When an acknowledgement runs out and on-call is asked to renew it."""
    reach_at: AwareDatetime | None = None
    """When somebody is called by the next way."""
    update_at: AwareDatetime | None = None
    """When people were promised the next update."""


class People(Kept):
    """Who is involved, and who decides."""

    acknowledged_by: str = ""
    acknowledged_at: AwareDatetime | None = None
    taken_over_by: str = ""
    hold_until: AwareDatetime | None = None
    held_by: str = ""
    freezes: Freezes = Field(default_factory=Freezes)
    """What holds the whole environment still, and whose word that is."""
    level: int = 0
    """0 is on-call, then the severity's chain."""
    called_at: AwareDatetime | None = None
    """When that level was called, above on-call."""
    called_by: str = ""
    """Who had it called; empty is the clock."""
    rounds: int = 0
    """How many were called anew, one after the other, since the whole chain was silent."""
    only_on_call: bool = False
    """We do not know whether anything is wrong: never wake anybody above on-call."""
    renewal_asked: bool = False
    requested_by: str = ""
    """Who has handed it back: whatever is asked since is at that person's request."""
    took_part: list[str] = Field(default_factory=list)

    @property
    def frozen(self) -> bool:
        """Whether nothing may be changed in the whole environment."""
        return bool(self.freezes.held)
