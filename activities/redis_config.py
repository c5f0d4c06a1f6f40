"""Settings of a running Redis that an incident changes, and puts back.

What CONFIG SET sets is not in the file that the server starts with: a restart takes it back. A
managed Redis refuses it, which is an answer and not a reason to try again.
"""

from __future__ import annotations

from typing import Literal

import redis.asyncio
import redis.exceptions
from pydantic import Field
from temporalio import activity

from activities.changes import Attempt, Targets, attempt, heartbeats
from activities.errors import Refused
from activities.redis_connection import RedisConnection, number, read_info
from activities.redis_findings import said
from activities.words import Answer, Done, Order

TARGET = "redis"
"""Under which changes of Redis wait for each other."""

Policy = Literal[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]
_POINT = "[1-9][0-9]{0,5} [1-9][0-9]{0,8}"
_UNTIL_RESTARTED = "; it is not in the file of Redis, so that a restart ends it"
_POLICY, _SAVE = "maxmemory-policy", "save"


class SetEvictionPolicy(Order):
    """An order to choose what Redis drops once its memory is full."""

    policy: Policy = "allkeys-lru"


class SetPersistence(Order):
    """An order to write snapshots: after so many seconds with so many changes."""

    save: str = Field(default="900 1 300 10", pattern=rf"^{_POINT}( {_POINT})*$")


class SettingBefore(Answer):
    """What a setting was."""

    value: str


class RedisConfig:
    """Changes the settings of one Redis."""

    def __init__(self, connection: RedisConnection, targets: Targets) -> None:
        self._redis = connection
        self._targets = targets

    @activity.defn(name="redis.set_eviction_policy.read")
    async def set_eviction_policy_read(self, order: SetEvictionPolicy) -> SettingBefore:  # noqa: ARG002
        """Read what Redis drops now."""
        return await self._read(_POLICY)

    @activity.defn(name="redis.set_eviction_policy")
    async def set_eviction_policy(self, order: SetEvictionPolicy, before: SettingBefore) -> Done:
        """Choose what Redis drops, where that is still as *before*."""
        done = await self._set(_POLICY, before.value, order.policy)
        return done.model_copy(update={"said": done.said + _UNTIL_RESTARTED})

    @activity.defn(name="redis.set_eviction_policy.undo")
    async def set_eviction_policy_undo(
        self, order: SetEvictionPolicy, before: SettingBefore
    ) -> Done:
        """Put back what was chosen, where it is still what we chose."""
        return await self._set(_POLICY, order.policy, before.value)

    @activity.defn(name="redis.set_persistence.read")
    async def set_persistence_read(self, order: SetPersistence) -> SettingBefore:  # noqa: ARG002
        """Read when snapshots are written, if there is memory for one."""
        await self._room_to_fork()
        return await self._read(_SAVE)

    @activity.defn(name="redis.set_persistence")
    async def set_persistence(self, order: SetPersistence, before: SettingBefore) -> Done:
        """Have snapshots written, where that is still as *before*."""
        done = await self._set(_SAVE, before.value, order.save)
        return done.model_copy(update={"said": done.said + _UNTIL_RESTARTED})

    @activity.defn(name="redis.set_persistence.undo")
    async def set_persistence_undo(self, order: SetPersistence, before: SettingBefore) -> Done:
        """Put back when snapshots were written, where it is still what we set."""
        return await self._set(_SAVE, order.save, before.value)

    async def _read(self, name: str) -> SettingBefore:
        async with self._redis.asking() as client:
            return SettingBefore(value=await _present(client, name))

    async def _set(self, name: str, mine: str, wanted: str) -> Done:
        """Go from *mine* to *wanted*; any other value is somebody else's."""
        with attempt() as this:
            async with (
                self._targets.one_at_a_time(TARGET),
                heartbeats(f"setting {name}"),
                self._redis.changing() as client,
            ):
                present = await _present(client, name)
                if present not in {mine, wanted}:
                    raise Refused(
                        f"{name} is {_shown(present)} and was {_shown(mine)}: "
                        "somebody changed it, so it is left to a person"
                    )
                if present != wanted:
                    await self._write(client, name, wanted, this)
        changed = this.has_acted or (not this.first and mine != wanted)
        how = "set from " + _shown(mine) if changed else "already set"
        return Done(
            said=f"{name} is {_shown(wanted)} ({how})",
            changed=changed,
        )

    async def _write(
        self, client: redis.asyncio.Redis, name: str, wanted: str, this: Attempt
    ) -> None:
        try:
            await client.config_set(name, wanted)
        except redis.exceptions.ResponseError as error:
            raise Refused(f"Redis does not let us set {name}: {said(error)}") from None
        this.acted()
        if (now := await _present(client, name)) != wanted:
            raise Refused(f"{name} was set to {_shown(wanted)}, but is {_shown(now)}")

    async def _room_to_fork(self) -> None:
        """Refuse where a snapshot may need more memory than the host has."""
        async with self._redis.asking() as client:
            info = await read_info(client, "memory")
        resident, host = number(info, "used_memory_rss"), number(info, "total_system_memory")
        if resident is None or not host:
            raise Refused("it is not known whether the host has the memory that a snapshot takes")
        if 2 * resident > host:
            raise Refused(
                f"a snapshot may take {resident >> 20} MiB more, and the host has "
                f"{host >> 20} MiB in all"
            )


async def _present(client: redis.asyncio.Redis, name: str) -> str:
    try:
        found = await client.config_get(name)
    except redis.exceptions.ResponseError as error:
        raise Refused(f"Redis does not tell {name}: {said(error)}") from None
    if name not in found:
        raise Refused(f"this Redis has no setting {name}")
    return str(found[name])


def _shown(value: str) -> str:
    return repr(value[:60]) if value else "nothing"
