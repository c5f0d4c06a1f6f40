"""The switches that the platform declares, set in one restart and put back to what was there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator
from temporalio import activity

from activities.changes import Attempt, Targets, attempt
from activities.commands import SETTABLE
from activities.errors import Refused
from activities.health import Health
from activities.pace import Pace
from activities.supervised import Supervised
from activities.supervisor import Processes, Supervisor
from activities.words import Answer, Done, Order


class Switch(StrEnum):
    """What can be set while the platform runs."""

    IN_MEMORY_CACHE = "in-memory cache"
    LLM_TIMEOUT_MS = "LLM time-out (ms)"
    LLM_ROUTING = "LLM routing"
    LLM_MODEL = "LLM model"
    LLM_TRIES = "tries of an LLM call"
    LLM_BACKOFF_MS = "first wait between them (ms)"
    LLM_QUEUE = "queue for LLM calls"
    NON_CRITICAL_LLM_OFF = "non-critical LLM calls off"
    SERVE_CACHED = "cached answers served"
    PLAN_POLICY_TTL_SECONDS = "time to live of cached plan policies (s)"
    DATABASE_POOL_MAX = "database pool size"
    DATABASE_CONNECT_TIMEOUT_MS = "database connection time-out (ms)"
    DATABASE_PROFILE = "database in use"
    NODE_HEAP_MB = "heap limit of an instance (MB)"
    PUSH_QUEUEING = "push notifications queued"
    PUSH_RATE_PER_SECOND = "push notifications a second"
    PUSH_MINIMAL_PAYLOAD = "minimal push payload"


@dataclass(frozen=True)
class Declared:
    """What the platform declares of a switch."""

    variable: str
    """Its environment variable; a setting."""
    values: re.Pattern[str]
    default: str
    """What it is where it is not set; a setting."""


_TRUTH = re.compile("true|false")
_SECONDS = re.compile("[1-9][0-9]{0,6}")
_MILLISECONDS = re.compile("[1-9][0-9]{2,5}")
_ROUTING = re.compile(
    "forcedProvider:(?:openai|anthropic)|split:(?:openai|anthropic):[1-9][0-9]?|[a-z][A-Za-z]{2,30}"
)
"""``split:anthropic:10`` sends ten per cent there, and the rest to the other one."""
_RATE = re.compile("[1-9][0-9]{0,2}")
_MODEL = re.compile("[a-z][a-z0-9.:-]{1,60}")

DECLARED: Mapping[Switch, Declared] = {
    Switch.IN_MEMORY_CACHE: Declared("USE_IN_MEMORY_CACHE", _TRUTH, "false"),
    Switch.LLM_TIMEOUT_MS: Declared("LLM_TIMEOUT_MS", _MILLISECONDS, "30000"),
    Switch.LLM_ROUTING: Declared("LLM_ROUTING_STRATEGY", _ROUTING, "costOptimized"),
    Switch.LLM_MODEL: Declared("LLM_MODEL", _MODEL, "gpt-4"),
    Switch.LLM_TRIES: Declared("LLM_MAX_TRIES", re.compile("[1-9]"), "1"),
    Switch.LLM_BACKOFF_MS: Declared("LLM_BACKOFF_MS", _MILLISECONDS, "1000"),
    Switch.LLM_QUEUE: Declared("LLM_REQUEST_QUEUE", _TRUTH, "false"),
    Switch.NON_CRITICAL_LLM_OFF: Declared("NON_CRITICAL_LLM_OFF", _TRUTH, "false"),
    Switch.SERVE_CACHED: Declared("SERVE_CACHED", _TRUTH, "false"),
    Switch.PLAN_POLICY_TTL_SECONDS: Declared("PLAN_POLICY_TTL_SECONDS", _SECONDS, "3600"),
    Switch.DATABASE_POOL_MAX: Declared("DB_POOL_MAX", re.compile("[1-9][0-9]{0,2}"), "20"),
    Switch.DATABASE_CONNECT_TIMEOUT_MS: Declared("DB_CONNECT_TIMEOUT_MS", _MILLISECONDS, "2000"),
    # Names a prepared connection string; the string itself never leaves the platform.
    Switch.DATABASE_PROFILE: Declared(
        "DATABASE_PROFILE", re.compile("[a-z][a-z0-9-]{0,30}"), "primary"
    ),
    # Its start script hands it to Node as --max-old-space-size.
    Switch.NODE_HEAP_MB: Declared("NODE_HEAP_MB", re.compile("[1-9][0-9]{2,5}"), "2048"),
    Switch.PUSH_QUEUEING: Declared("PUSH_QUEUEING", _TRUTH, "false"),
    Switch.PUSH_RATE_PER_SECOND: Declared("PUSH_RATE_PER_SECOND", _RATE, "100"),
    Switch.PUSH_MINIMAL_PAYLOAD: Declared("PUSH_MINIMAL_PAYLOAD", _TRUTH, "false"),
}
"""Every switch, with the platform's usual names; the settings give others."""


class SetSwitches(Order):
    """An order to set some switches, all in one restart."""

    app: str = "pravado-api"
    values: dict[Switch, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _declared(self) -> Self:
        for switch, value in self.values.items():
            if not DECLARED[switch].values.fullmatch(value):
                raise ValueError(f"{value[:40]!r} is not a value for {switch}")
        return self


class SwitchValues(Answer):
    """What some switches are; None is not set, so that the platform's default counts."""

    values: dict[Switch, str | None]


class Switches(Supervised):
    """Sets the switches of one application."""

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        targets: Targets,
        declared: Mapping[Switch, Declared] = DECLARED,
        health: Health | None = None,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(supervisor, targets=targets, health=health, pace=pace)
        self._declared = dict(declared)

    @activity.defn(name="switches.set.read")
    async def set_read(self, order: SetSwitches) -> SwitchValues:
        """Read what the ordered switches are now."""
        present = await self._present(order)
        if torn := _torn(present, self._variables(order.values)):
            raise Refused(f"the instances do not agree on {torn}: somebody is changing it")
        variables = self._variables(order.values)
        values = {switch: present.environment.get(name) for switch, name in variables.items()}
        for switch, value in values.items():
            if value is not None and not SETTABLE.fullmatch(value):
                raise Refused(f"{switch} is {_shown(value)} now, which could not be put back")
        return SwitchValues(values=values)

    @activity.defn(name="switches.set")
    async def set(self, order: SetSwitches, before: SwitchValues) -> Done:
        """Set the switches, where they are still as *before*."""
        with attempt() as this:
            return await self._change(order, this, mine=before.values, wanted=dict(order.values))

    @activity.defn(name="switches.set.undo")
    async def set_undo(self, order: SetSwitches, before: SwitchValues) -> Done:
        """Put back what was there, where it is still what we set."""
        # pm2 cannot take a variable away again: what was not set gets the platform's default.
        wanted = {
            switch: self._declared[switch].default if value is None else value
            for switch, value in before.values.items()
        }
        with attempt() as this:
            return await self._change(order, this, mine=dict(order.values), wanted=wanted)

    async def _change(
        self,
        order: SetSwitches,
        this: Attempt,
        *,
        mine: Mapping[Switch, str | None],
        wanted: Mapping[Switch, str],
    ) -> Done:
        """Go from *mine* to *wanted*; any other value is somebody else's."""
        variables = self._variables(wanted)
        environment = {variables[switch]: value for switch, value in wanted.items()}
        async with self._one_change(f"setting {', '.join(wanted)}"):
            present = await self._present(order)
            if not this.first and not _holds(present, environment):
                # The order of the attempt before may be on its way still.
                await asyncio.sleep(self._pace.settle_seconds)
                present = await self._present(order)
            if not _holds(present, environment):
                self._still(present, mine, wanted, variables, torn_is_ours=not this.first)
                await self._supervisor.restart_with(environment)
                this.acted()
            done = await self._ready(
                lambda seen: _missing(seen, environment, len(present.instances)),
                done=f"restarted with {_said(wanted)}",
            )
        newest = max((i.started_at for i in done.instances if i.started_at), default=None)
        changed = this.has_acted or (not this.first and dict(mine) != dict(wanted))
        said = f"{'set' if changed else 'already set'}: {_said(wanted)}"
        return Done(said=said, changed=changed, at=newest if changed else None)

    def _still(
        self,
        present: Processes,
        mine: Mapping[Switch, str | None],
        wanted: Mapping[Switch, str],
        variables: Mapping[Switch, str],
        *,
        torn_is_ours: bool,
    ) -> None:
        """Refuse where any instance has a value that is not *mine*, nor ours halfway through."""
        for switch, variable in variables.items():
            expected = {mine.get(switch)} | ({wanted[switch]} if torn_is_ours else set())
            for each in present.instances:
                value = each.environment.get(variable)
                if value not in expected and value != wanted[switch]:
                    raise Refused(
                        f"{switch} is {_shown(value)} and was {_shown(mine.get(switch))}: "
                        "somebody changed it, so it is left to a person"
                    )

    async def _present(self, order: SetSwitches) -> Processes:
        self._check(order.app)
        return await self._supervisor.processes()

    def _variables(self, switches: Mapping[Switch, object]) -> dict[Switch, str]:
        return {switch: self._declared[switch].variable for switch in switches}


def _torn(present: Processes, variables: Mapping[Switch, str]) -> str:
    for switch, name in variables.items():
        if len({each.environment.get(name) for each in present.instances}) > 1:
            return switch
    return ""


def _holds(present: Processes, environment: Mapping[str, str]) -> bool:
    return all(environment.items() <= each.environment.items() for each in present.instances)


def _missing(seen: Processes, environment: Mapping[str, str], wanted: int) -> str:
    if seen.online != wanted:
        return f"{seen.online} of {wanted} online ({seen.summary})"
    return "" if _holds(seen, environment) else "not every instance has the new values"


def _said(values: Mapping[Switch, str]) -> str:
    return ", ".join(f"{switch} = {value}" for switch, value in sorted(values.items()))


def _shown(value: str | None) -> str:
    return "not set" if value is None else repr(value[:40])
