"""What the API stands on: whether database and Redis answer, and whose steps treat them."""

from __future__ import annotations

from typing import Any

from activities.alerts import Alert
from activities.postgres_reach import HostDatabase, Looks, PostgresReach, Selected
from activities.words import Nothing
from workflows.procedures.base import Cause, Evidence, Probe
from workflows.procedures.cache import RedisConnectionFailure
from workflows.procedures.connections import FreesConnections


class StandsOn(FreesConnections):
    """Knows whether database and Redis answer, and borrows the steps of their own procedures."""

    reach = Probe(
        PostgresReach.select_again,
        Looks(apart_seconds=2),
        why="SELECT now() from the worker",
        seconds=25,
    )
    reach_from_host = Probe(
        HostDatabase.database_ping, Nothing(), why="the database from the API host"
    )

    def probes(self) -> list[Probe[Any]]:
        """Ask what Redis's procedure asks, too: its plan is asked with the same evidence."""
        own = super().probes()
        keys = {probe.key for probe in own}
        return [*own, *(p for p in self._redis.probes() if p.key not in keys)]

    @property
    def _redis(self) -> RedisConnectionFailure:
        return RedisConnectionFailure(self.given)

    def database(self, seen: Evidence) -> Selected | None:
        """Say whether the database answers: a look that says it does not counts more.

        A look that learnt nothing, by wrong credentials or a name that is not known, is none.
        """
        both = (seen[self.reach], seen[self.reach_from_host])
        looks = [look for look in both if look is not None and not look.finding.blind]
        return next((look for look in looks if not look.answered), looks[0] if looks else None)

    def database_fails(self, seen: Evidence) -> Cause | None:
        """Say how the database fails; no more than its full connections can be treated here."""
        found = self.database(seen)
        if found is None or found.answered:
            return self.database_full(seen)
        if (full := self.database_full(seen)) is not None:
            return full
        looks = ((self.reach, "the worker"), (self.reach_from_host, "the API host"))
        said = [
            f"from {where}: {look.finding}: {look.said}"
            for probe, where in looks
            if (look := seen[probe]) and not look.answered
        ]
        words = f"the database does not answer ({found.finding})"
        by = "SupabaseDown" if found.means_down else "DatabaseConnectionErrors"
        return Cause(words, (), (*said, f"{by} says what to do: it has its own alert"))

    def database_full(self, seen: Evidence) -> Cause | None:
        """Free connections, where most are used; what cannot be read is no cause."""
        return self.free_connections(seen) if seen[self.connections] is not None else None

    def redis_fails(self, alert: Alert, seen: Evidence) -> Cause | None:
        """Take over what Redis's own procedure does, where Redis does not answer."""
        redis = self._redis
        pongs = (seen[redis.from_worker], seen[redis.from_host])
        if not any(pong is not None and not pong.answered for pong in pongs):
            return None
        ladder = redis.plan(alert, seen)
        return Cause(ladder.cause, ladder.steps, ladder.findings)
