"""What became of the parts of deliveries that failed as a whole, so that repeats get through."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence

from starters.opening import Group

_KEPT_SECONDS = 600.0
"""A sender that has not repeated it by then makes another delivery."""
_MOST = 20_000


class Accepted:
    """Remembers of failed deliveries, for some minutes, which incidents were told and which not.

    Only what the repeat of a failed delivery says again is spared: of an incident that was told
    anything else meanwhile, nothing is known here. Kept in memory alone: a door that is started
    again tells all once more, which is safe.
    """

    def __init__(self, *, kept_seconds: float = _KEPT_SECONDS, most: int = _MOST) -> None:
        self._kept_seconds = kept_seconds
        self._most = most
        self._known: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        """By incident: since when, and the digest of what it was told; None is owed to it still."""

    def ahead(self, groups: Sequence[Group]) -> list[Group]:
        """Give those of *groups* that are still to be told, the ones that waited longest first."""
        since = time.monotonic() - self._kept_seconds
        while self._known and next(iter(self._known.values()))[0] < since:
            self._known.popitem(last=False)
        left = [group for group in groups if not self._has(group)]
        return sorted(left, key=lambda group: not self._owed(group))

    def over(self, groups: Sequence[Group], told: Collection[str], failed: Collection[str]) -> None:
        """Note how a delivery ended: of *groups*, who was *told* just now and with whom it failed.

        What was told whole is forgotten: the same again is news.
        """
        now = time.monotonic()
        for group in groups:
            if not failed:
                self._known.pop(group.id, None)
            elif group.id in told or group.id in failed:
                self._known.pop(group.id, None)
                self._known[group.id] = (now, _digest(group) if group.id in told else None)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _has(self, group: Group) -> bool:
        _, digest = self._known.get(group.id, (0.0, None))
        return digest is not None and digest == _digest(group)

    def _owed(self, group: Group) -> bool:
        return group.id in self._known and self._known[group.id][1] is None


def _digest(group: Group) -> bytes:
    said = hashlib.sha256(str(group.incomplete).encode())
    for alert in group.alerts:
        said.update(alert.model_dump_json().encode())
    return said.digest()
