"""What a coordinator knows of freezes: who has frozen its environment, and who was told.

Pure: the coordinator gives it the time, and keeps it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from activities.freezing import Freeze, Freezes
from activities.kept import Kept
from workflows.acts import Act, ActKind

_MOST_HANDLED = 100
_MOST_LEARNED = 500
_A_MOMENT = timedelta(microseconds=1)
_GO_ON = "measuring, paging and renewing go on"


class Frozen(Kept):
    """Whether an environment is frozen, and who knows."""

    freezes: Freezes = Field(default_factory=Freezes)
    told_at: AwareDatetime | None = None
    """The newest word that every open incident has heard; while frozen, new ones open."""
    learned: list[str] = Field(default_factory=list)
    """Incidents that learned of it when they asked for a turn."""
    handled: dict[str, str] = Field(default_factory=dict)
    """Ids of people's acts that have been dealt with, and what was answered."""

    @property
    def untold(self) -> bool:
        """Whether somebody may not know yet."""
        return self.freezes.at is not None and self.freezes.at != self.told_at

    def refusal(self, kind: ActKind, act: Act) -> str:
        """Say why *act* cannot be done; empty if it can."""
        if act.id in self.handled:
            return ""
        doing = kind.value
        if kind not in (ActKind.FREEZE, ActKind.UNFREEZE):
            return f"{doing} is for an incident, not for a whole environment"
        if not act.person:
            return f"only a person can {doing}: a bot's or an integration's word does not count"
        if kind is ActKind.FREEZE and not act.text.strip():
            return "freezing needs a reason: it is what everybody will read"
        return ""

    def perform(self, kind: ActKind, act: Act, now: datetime, running: list[str]) -> str:
        """Do *act* and say what was done; the same id a second time only says it again."""
        if act.id in self.handled:
            return self.handled[act.id]
        last = self.freezes.at
        # Later than the one before, also where both come within one workflow task.
        at = now if last is None or now > last else last + _A_MOMENT
        said = self._freeze(act, at, running) if kind is ActKind.FREEZE else self._lift(act, at)
        self.handled[act.id] = said
        while len(self.handled) > _MOST_HANDLED:
            del self.handled[next(iter(self.handled))]
        return said

    def learn(self, incident: str) -> Freezes:
        """Tell an incident that asks, and remember to tell it of the end."""
        if incident not in self.learned:
            self.learned = [*self.learned, incident][-_MOST_LEARNED:]
        return self.freezes

    def told(self, at: datetime | None) -> None:
        """Note that everybody has heard the word of *at*."""
        self.told_at, self.learned = at, []

    def _freeze(self, act: Act, at: datetime, running: list[str]) -> str:
        others = [one for one in self.freezes.held if one.by != act.by]
        mine = Freeze(by=act.by, via=act.via, why=act.text.strip(), at=at)
        already = Freezes(held=others).said
        self.freezes = Freezes(held=[*others, mine], at=at)
        said = f"frozen: no change and no undo begins; {_GO_ON}"
        if already:
            said += f". It was {already}"
        if running:
            said += f". This is finished first: {'; '.join(running)}"
        return said

    def _lift(self, act: Act, at: datetime) -> str:
        ended = Freezes(held=self.freezes.held).said
        why = f": {act.text.strip()}" if act.text.strip() else ""
        self.freezes = Freezes(at=at, lifted_by=f"{act.by}{why}")
        # Also where nothing is known of a freeze: an incident may, of a coordinator that is gone.
        was = f"It was {ended}" if ended else "It was not frozen; every incident is told so"
        return f"unfrozen: every incident goes on where it stood. {was}"
