"""What typed keys come to: an act on the incident that is watched, asked about before it is done.

No terminal in it: characters go in, a line to show and an act to carry out come out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import Enum

from activities.documents import clean
from activities.record import Phase, Record
from workflows.acts import ActKind

HOLD_MINUTES = 10.0
_MOST_TEXT = 1000
_ENTER, _ESCAPE = {"\r", "\n"}, "\x1b"
_BACKSPACE, _CLEAR = {"\x7f", "\b"}, "\x15"
_YES = "yes"
_SHOWN = 300


@dataclass(frozen=True)
class Wanted:
    """An act that was typed and agreed to."""

    kind: ActKind
    text: str = ""
    question: str = ""
    shown: str = ""
    """What was shown when the key was pressed: the question's digest, or the level reached."""
    run: str = ""


@dataclass(frozen=True)
class _Key:
    kind: ActKind
    label: str
    says: str
    """What is about to happen, for the person to agree to."""
    text: str = ""
    """What has to be typed with it."""


_KEYS = {
    "y": _Key(ActKind.APPROVE, "approve", "Approve"),
    "n": _Key(ActKind.REJECT, "reject", "Reject"),
    "a": _Key(ActKind.ACKNOWLEDGE, "acknowledge", "Acknowledge: nobody further up is called"),
    "h": _Key(ActKind.HOLD, f"hold {HOLD_MINUTES:g}",
              f"Hold: no further step for {HOLD_MINUTES:g} minutes"),
    "t": _Key(ActKind.TAKE_OVER, "take over",
              "Take over: the machine stops before its next step, and keeps what it changed"),
    "b": _Key(ActKind.HAND_BACK, "hand back", "Hand back: the machine looks again and goes on"),
    "e": _Key(ActKind.ESCALATE, "escalate", "Escalate: call the next level now",
              text="what they should know"),
    "m": _Key(ActKind.NOTE, "note", "Note", text="note"),
    "r": _Key(ActKind.RESOLVE, "resolve", "Resolve: close the incident", text="why it is over"),
}  # fmt: skip
_QUITS = "q"


class Stage(Enum):
    """What the next key means."""

    CHOOSING = "a key chooses an act"
    TYPING = "keys write a text"
    AGREEING = "y agrees, every other key does not"
    SWEARING = "the word has to be written out"


@dataclass
class Keys:
    """The keys that were pressed so far, and what they come to."""

    by: str
    stage: Stage = Stage.CHOOSING
    over: bool = False
    """Whether the person wants to leave."""
    said: str = ""
    """What became of the last act."""
    went_well: bool = True
    _key: _Key | None = None
    _typed: str = ""
    _wanted: Wanted | None = field(default=None)

    def press(self, typed: str, record: Record) -> Wanted | None:
        """Take what was typed at once; give the act that is now agreed to, if it is one."""
        if typed.startswith(_ESCAPE):
            # Alone it leaves; what follows it at once is an arrow key, or the like.
            if typed == _ESCAPE:
                self._leave("left alone")
            return None
        if self.stage in {Stage.TYPING, Stage.SWEARING}:
            return self._write(typed, record)
        # Several at once were pasted: no such key decides anything.
        if len(typed) != 1:
            return None
        return (
            self._agree(typed, record)
            if self.stage is Stage.AGREEING
            else self._choose(typed, record)
        )

    def tell(self, said: str, well: bool) -> None:  # noqa: FBT001 (an outcome is both)
        """Show what became of an act."""
        self.said, self.went_well = said, well

    def choices(self, record: Record) -> list[str]:
        """Name the keys that can be pressed now; none while one of them is being answered for."""
        if self._key is not None:
            return []
        return [*(f"[{key}] {_KEYS[key].label}" for key in _open(record)), "[q] quit"]

    def line(self, record: Record) -> str:
        """Say what is being written, or agreed to."""
        if self._key is None:
            return ""
        if self.stage is Stage.TYPING:
            return f"{self._key.text}: {self._typed}▌  (Enter, or Esc to leave it)"
        effect = f": {self._effect(record)}" if self._wanted and self._wanted.question else ""
        what = f"{self._key.says}{effect}"
        if self._typed and self.stage is Stage.AGREEING:
            what = f"{what} ({self._typed[:_SHOWN]})"
        if self.stage is Stage.SWEARING:
            return f"{what} — as {self.by}; write {_YES} and Enter: {self._typed}▌  (Esc: no)"
        return f"{what} — as {self.by}? [y/N]"

    def _choose(self, key: str, record: Record) -> Wanted | None:
        if key == _QUITS:
            self.over = True
            return None
        if key not in _open(record):
            return None
        self._key, self._typed, self.said = _KEYS[key], "", ""
        question = record.question if key in "yn" else None
        level = str(record.people.level) if self._key.kind is ActKind.ESCALATE else ""
        self._wanted = Wanted(
            self._key.kind,
            question=question.id if question else "",
            shown=question.shown if question else level,
            run=record.run,
        )
        if self._key.text:
            self.stage = Stage.TYPING
        else:
            # A key that was held down a moment too long must not approve.
            approves = self._key.kind is ActKind.APPROVE
            self.stage = Stage.SWEARING if approves else Stage.AGREEING
        return None

    def _write(self, typed: str, record: Record) -> Wanted | None:
        for char in typed:
            if char in _ENTER:
                return self._written(record)
            if char in _BACKSPACE:
                self._typed = self._typed[:-1]
            elif char == _CLEAR:
                self._typed = ""
            elif unicodedata.category(char)[0] != "C":
                self._typed = f"{self._typed}{char}"[:_MOST_TEXT]
        return None

    def _written(self, record: Record) -> Wanted | None:
        text = self._typed.strip()
        if self.stage is Stage.SWEARING:
            if text.lower() == _YES:
                return self._done(record)
            self._leave("not approved")
            return None
        if not text:
            self._leave("nothing was written")
            return None
        self._typed = text
        if self._key is not None and self._key.kind is ActKind.NOTE:
            return self._done(record)
        self.stage = Stage.AGREEING
        return None

    def _agree(self, key: str, record: Record) -> Wanted | None:
        if key in "yY":
            return self._done(record)
        self._leave("left alone")
        return None

    def _done(self, record: Record) -> Wanted | None:
        wanted, text = self._wanted, self._typed if self.stage is not Stage.SWEARING else ""
        if wanted is None:
            return None
        now = record.question
        if wanted.question and (now is None or (now.id, now.shown) != (
            wanted.question, wanted.shown)):  # fmt: skip
            self._leave("that question is not open any more: look again", well=False)
            return None
        self._leave("")
        return Wanted(wanted.kind, text, wanted.question, wanted.shown, wanted.run)

    def _leave(self, said: str, *, well: bool = True) -> None:
        self.stage, self._key, self._typed, self._wanted = Stage.CHOOSING, None, "", None
        self.tell(said, well=well)

    def _effect(self, record: Record) -> str:
        return clean(record.question.text)[:_SHOWN] if record.question else "(gone)"


def _open(record: Record) -> list[str]:
    """Name the keys that mean something now, what is asked first."""
    if record.phase is Phase.RESOLVED:
        return []
    people = record.people
    asked = record.question is not None and not record.question.answer
    return [
        *(["y", "n"] if asked else []),
        *([] if people.acknowledged_by else ["a"]),
        "h",
        "b" if people.taken_over_by else "t",
        "e",
        "m",
        "r",
    ]
