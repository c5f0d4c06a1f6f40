"""Whose turn it is: one change at a time on what belongs together, few restarts, shared claims.

Pure: the coordinator gives it the time, and keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from activities.coordination import Done, Turn, Wanted
from activities.kept import Kept
from workflows.frozen import Frozen

_CLAIM_LASTS = timedelta(hours=48)
"""After which a claim is nobody's: its incident has long ended without undoing it."""
_LAST_ATTEMPT = timedelta(seconds=60)
"""In which a change of an incident that is gone notices, by its heartbeat, that it is to stop."""


class Lease(Kept):
    """A change that is being made."""

    key: str
    incident: str
    target: str
    also: tuple[str, ...]
    until: AwareDatetime


class Restarted(Kept):
    """A restart that was made, or may have been."""

    key: str
    incident: str
    target: str
    at: AwareDatetime


class Claim(Kept):
    """A change that an incident keeps in place for a while."""

    key: str
    incident: str
    order: dict[str, Any] = Field(default_factory=dict)
    before: Any = None
    """What stood there before it."""
    effective: bool = True
    """What is there is of this order; else it was there already, of another's."""
    inherited: bool = False
    """What to put back came from a holder that has gone."""
    at: AwareDatetime


class Turns(Kept):
    """What is known in one environment of all changes of late."""

    leases: list[Lease] = Field(default_factory=list)
    restarts: list[Restarted] = Field(default_factory=list)
    claims: dict[str, list[Claim]] = Field(default_factory=dict)
    """By activity and target, the first holder first."""
    frozen: Frozen = Field(default_factory=Frozen)
    edition: int = 0
    """Of the coordinator, by when its run began; since the first nobody unfreezes by a signal."""

    @property
    def running(self) -> list[str]:
        """Say what is being changed at this moment, by whom."""
        return [f"{lease.target}, by {lease.incident}" for lease in self.leases]

    def take(self, ask: Wanted, now: datetime) -> Turn:
        """Give a turn, or say why not; the same key twice is the same turn."""
        self._forget(now, ask)
        self._bury(ask.gone, now)
        if self.frozen.freezes.held:
            # Also to one who has had its turn, and has not heard so: nothing is under way yet.
            if any(lease.key == ask.key for lease in self.leases):
                self._take_back(ask.key)
            return Turn(granted=False, later=True, freezes=self.frozen.learn(ask.incident))
        if any(lease.key == ask.key for lease in self.leases):
            return self._granted(ask)
        others_leases = (each for each in self.leases if each.incident != ask.incident)
        busy = next((each for each in others_leases if _together(each, ask)), None)
        if busy is not None:
            why = f"{busy.incident} is changing {busy.target}"
            return Turn(granted=False, later=True, holder=busy.incident, why=why)
        if ask.undo:
            others = self._others(ask)
            if others:
                if ask.looked:
                    _let_go(self.claims[ask.claim], ask.incident)
                return Turn(granted=False, kept_by=tuple(claim.incident for claim in others))
        elif ask.restarts and (said := self._too_many(ask)):
            return Turn(granted=False, why=said)
        until = now + timedelta(seconds=ask.lasts_seconds)
        self.leases.append(
            Lease(key=ask.key, incident=ask.incident, target=ask.target, also=ask.also, until=until)
        )
        if ask.restarts:
            self.restarts.append(
                Restarted(key=ask.key, incident=ask.incident, target=ask.target, at=now)
            )
        return self._granted(ask)

    def give_back(self, done: Done, now: datetime) -> None:
        """Note what became of a change."""
        if done.happened or done.maybe:
            self.leases = [lease for lease in self.leases if lease.key != done.key]
        else:
            self._take_back(done.key)
        held = self.claims.setdefault(done.claim, []) if done.claim else []
        mine_held = [claim for claim in held if claim.key == done.key]
        if done.undo and done.happened:
            held[:] = [claim for claim in held if claim.incident != done.incident]
        elif done.happened and not done.undo and not mine_held:
            held.append(
                Claim(
                    key=done.key,
                    incident=done.incident,
                    order=done.order,
                    before=done.before,
                    effective=done.changed,
                    at=now,
                )
            )
        self.claims = {name: claims for name, claims in self.claims.items() if claims}

    def _take_back(self, key: str) -> None:
        """Forget a turn that nothing came of, and the restart that it was counted for."""
        self.leases = [lease for lease in self.leases if lease.key != key]
        mine = [each for each in self.restarts if each.key == key]
        self.restarts = [each for each in self.restarts if each not in mine[-1:]]

    def _too_many(self, ask: Wanted) -> str:
        """Say by whom the target was restarted as often as may be; the local guard counts ours."""
        of_late = [each for each in self.restarts if each.target == ask.target]
        if len(of_late) < ask.restarts_most or all(r.incident == ask.incident for r in of_late):
            return ""
        who = ", ".join(dict.fromkeys(each.incident for each in of_late))
        return f"{ask.target} was restarted {len(of_late)} times of late, by {who}"

    def _others(self, ask: Wanted) -> list[Claim]:
        return [c for c in self.claims.get(ask.claim, []) if c.incident != ask.incident]

    def _bury(self, gone: Iterable[str], now: datetime) -> None:
        """Let go of what incidents hold that can give nothing back."""
        for incident in gone:
            for held in self.claims.values():
                _let_go(held, incident)
            for lease in self.leases:
                if lease.incident == incident:
                    lease.until = min(lease.until, now + _LAST_ATTEMPT)

    def _granted(self, ask: Wanted) -> Turn:
        held = self.claims.get(ask.claim, []) if ask.undo else []
        heir = next((c for c in held if c.incident == ask.incident and c.inherited), None)
        if heir is None:
            return Turn(granted=True)
        return Turn(granted=True, before=heir.before, order=heir.order)

    def _forget(self, now: datetime, ask: Wanted) -> None:
        since = now - timedelta(seconds=ask.restarts_within_seconds)
        self.leases = [lease for lease in self.leases if lease.until > now]
        self.restarts = [each for each in self.restarts if each.at > since]
        self.claims = {
            name: kept for name, held in self.claims.items() if (kept := _young(held, now))
        }


def _let_go(held: list[Claim], incident: str) -> None:
    """Take an incident's claims off; the next holder puts back what was before the first."""
    mine = [claim for claim in held if claim.incident == incident]
    if not mine:
        return
    first = held[0] in mine
    held[:] = [claim for claim in held if claim not in mine]
    if not held:
        return
    heir = held[0]
    if first:
        heir.before, heir.inherited = mine[0].before, True
    if any(claim.effective for claim in mine) and not any(claim.effective for claim in held):
        heir.order, heir.effective, heir.inherited = mine[-1].order, True, True


def _young(claims: Iterable[Claim], now: datetime) -> list[Claim]:
    return [claim for claim in claims if claim.at > now - _CLAIM_LASTS]


def _together(lease: Lease, ask: Wanted) -> bool:
    """Whether two changes touch the same, or what one of them stands on."""
    return bool({lease.target, *lease.also} & {ask.target} or {lease.target} & {*ask.also})
