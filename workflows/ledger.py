"""The ledger of earned autonomy: what each step may do on a target, and why.

Pure: the workflow that keeps it gives it the time.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, ConfigDict, Field

from activities.autonomy import Counted, Level, Standing, Verified, WhichLevel
from activities.kept import Kept
from activities.words import Order, Risk

_MOST_STEPS = 1000
_MOST_COUNTED = 2000
"""Occasions: an incident tells of its steps within days."""
_MOST_LINES = 20
_RISKS = list(Risk)


class Line(Kept):
    """One change of a level."""

    at: AwareDatetime
    level: Level
    by: str
    why: str


class Entry(Kept):
    """What is known of one step on one target."""

    level: Level
    risk: Risk
    """The highest that it was ever planned with."""
    effect: str = ""
    successes: int = 0
    """Verified, at this level."""
    failures: int = 0
    """Verified, ever."""
    proposed: Level | None = None
    """What people were asked to let it do."""
    seen_at: AwareDatetime
    history: list[Line] = Field(default_factory=list)

    @property
    def why(self) -> str:
        """Say how it got to its level."""
        return f"{self.history[-1].why} ({self.history[-1].by})" if self.history else "as it began"


class Move(Order):
    """A person's word about the level of a step."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=200)
    by: str = Field(min_length=1, max_length=200)
    step: str = Field(max_length=400)
    up: bool
    why: str = Field(default="", max_length=1000)
    may: tuple[Risk, ...] = ()
    """Risks of the steps that this person may approve, by the settings of the door."""


class Ledger(Kept):
    """All steps of an environment."""

    entries: dict[str, Entry] = Field(default_factory=dict)
    counted: dict[str, Counted] = Field(default_factory=dict)
    """What was answered to each occasion: told twice, it counts once."""
    handled: dict[str, str] = Field(default_factory=dict)

    def level(self, ask: WhichLevel, now: datetime) -> Standing:
        """Say what a step may do."""
        entry = self._entry(ask, now)
        return Standing(level=entry.level, why=entry.why)

    def count(self, seen: Verified, now: datetime) -> Counted:
        """Count what verification saw: many successes are a proposal, one failure a demotion."""
        if seen.occasion in self.counted:
            return self.counted[seen.occasion]
        entry = self._entry(seen, now)
        demoted = proposed = None
        if seen.helped:
            entry.successes += 1
            due = entry.successes % seen.earning.successes == 0
            if due and entry.level is not Level.ACT:
                entry.proposed = proposed = entry.level.moved(1)
        else:
            entry.failures += 1
            demoted = entry.level if entry.level is not Level.OBSERVE else None
            self._move(entry, entry.level.moved(-1), now, "responder", "did not help, as verified")
        answer = Counted(
            level=entry.level, demoted_from=demoted, proposed=proposed, successes=entry.successes
        )
        self.counted[seen.occasion] = answer
        while len(self.counted) > _MOST_COUNTED:
            del self.counted[next(iter(self.counted))]
        return answer

    def refusal(self, move: Move) -> str:
        """Say why a person cannot move a step; empty if that is possible."""
        if move.id in self.handled:
            return ""
        entry = self.entries.get(move.step)
        if entry is None:
            return f"nothing is known of {move.step}: `responder autonomy` lists what is"
        end = Level.ACT if move.up else Level.OBSERVE
        if entry.level is end:
            return f"it is at {end.value} already"
        if move.up and entry.risk not in move.may:
            return f"{move.by} may not decide about {entry.risk.value} steps"
        return ""

    def move(self, move: Move, now: datetime) -> str:
        """Move a step by a person's word; the same id a second time only says it again."""
        if move.id in self.handled:
            return self.handled[move.id]
        entry = self.entries[move.step]
        before = entry.level
        why = move.why.strip() or ("promoted" if move.up else "demoted")
        self._move(entry, before.moved(1 if move.up else -1), now, move.by, why)
        self.handled[move.id] = f"{move.step}: {before.value} is now {entry.level.value}"
        while len(self.handled) > _MOST_LINES:
            del self.handled[next(iter(self.handled))]
        return f"{move.step}: {before.value} is now {entry.level.value}"

    def _move(self, entry: Entry, level: Level, now: datetime, by: str, why: str) -> None:
        entry.level, entry.successes, entry.proposed = level, 0, None
        entry.history = [*entry.history, Line(at=now, level=level, by=by, why=why)][-_MOST_LINES:]

    def _entry(self, about: WhichLevel | Verified, now: datetime) -> Entry:
        entry = self.entries.get(about.step)
        if entry is None:
            entry = Entry(level=about.earning.begins, risk=about.risk, seen_at=now)
            self.entries[about.step] = entry
            while len(self.entries) > _MOST_STEPS:
                oldest = min(self.entries, key=lambda step: self.entries[step].seen_at)
                del self.entries[oldest]
        entry.risk = max(entry.risk, about.risk, key=_RISKS.index)
        entry.effect, entry.seen_at = about.effect or entry.effect, now
        return entry
