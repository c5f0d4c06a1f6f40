"""Ending parts of the responder as kill -9 does, in the middle of what they do."""

import asyncio
import contextlib
import os
import signal

import httpx
import psycopg

from activities.record import Phase
from deploy.gameday.nightly_report import NAME
from tests.gameday.watching import until

LOOKS_TAKE_SECONDS = 0.7
START_TAKES_SECONDS = 1.5
"""What would be over too soon to be hit takes so long."""

REDIS = (
    Phase.OPENING,
    Phase.INVESTIGATING,
    Phase.MITIGATING,
    Phase.VERIFYING,
    Phase.SETTLING,
    Phase.DOCUMENTING,
)
PHASES = {
    "redis": REDIS,
    "connections": (*REDIS[:2], Phase.ASKING, *REDIS[2:]),
    # The rest is as in those two.
    "latency": (Phase.MITIGATING, Phase.UNDOING),
}
"""The phases in which each scenario is hit, in order."""


class Victims:
    """Parts of the responder that are killed together; in the end all are up."""

    def __init__(self, stack, name):
        self._stack = stack
        self._named = ("temporal", "worker", "door") if name == "all three" else (name,)
        self._rising = None

    def __contains__(self, part):
        return part in self._named

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._halt()
        await self.rise()
        await self._rising

    async def die(self):
        # While they start, if the response is that quick.
        await self._halt()
        await self._each("kill", self._named)

    async def rise(self):
        """Start them; that worker and door are ready is not waited for."""
        if "temporal" in self:
            await self._stack.start_temporal()
        self._rising = asyncio.create_task(self._each("start", self._named))

    async def _halt(self):
        if self._rising is not None:
            self._rising.cancel()
            await asyncio.wait([self._rising])

    async def _each(self, what, parts):
        await asyncio.gather(*(getattr(self._stack, f"{what}_{part}")() for part in parts))


async def struck(incident, victims, phases):
    """Kill the victims at each of the phases, and bring them back; wait for the end."""
    platform = incident.platform
    if not {Phase.ASKING, Phase.MITIGATING} & {*phases}:
        incident.may_approve.set()
    if Phase.INVESTIGATING in phases:
        platform.slow_looks(LOOKS_TAKE_SECONDS)
    if Phase.MITIGATING in phases and incident.scenario.name == "redis":
        platform.slow_redis_start(START_TAKES_SECONDS)
    if Phase.OPENING in phases:
        refused = await refusals(platform)
        await victims.die()
        await incident.breaks()
        await alert_came(incident, victims, refused)
        await victims.rise()
    else:
        await incident.breaks()
    await incident.opens()
    for phase in phases:
        if phase is Phase.OPENING:
            continue
        async with prolonged(incident, phase):
            await incident.reaches(phase)
            await victims.die()
        if phase is Phase.ASKING and Phase.MITIGATING not in phases:
            incident.may_approve.set()
        await victims.rise()
    incident.may_approve.set()
    return await incident.ends()


async def alert_came(incident, victims, refused):
    """Wait until the alert came: to a door that is dead, or to an incident without a worker."""
    if "door" not in victims and "temporal" not in victims:
        await incident.opens()
        return

    async def missing():
        return [] if await refusals(incident.platform) > refused else ["nothing was refused"]

    await until(missing)


async def refusals(platform):
    """Count the deliveries that Alertmanager could not make."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"{platform.alertmanager_url}/metrics")).text
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("alertmanager_notification_requests_failed_total")
        and 'integration="webhook"' in line
    )


@contextlib.asynccontextmanager
async def prolonged(incident, phase):
    """Let a phase last until it was hit."""
    platform = incident.platform
    if phase is Phase.INVESTIGATING:
        yield
        platform.slow_looks(0)
    elif phase is Phase.MITIGATING and incident.scenario.name == "redis":
        yield
        platform.slow_redis_start(0)
    elif phase is Phase.MITIGATING and incident.scenario.name == "connections":
        async with stopped_session(platform):
            incident.may_approve.set()
            yield
    else:
        yield


@contextlib.asynccontextmanager
async def stopped_session(platform):
    """Stop one of the leaked sessions: what it is told, it hears only when it goes on."""
    connection = await psycopg.AsyncConnection.connect(platform.postgres_dsn)
    async with connection:
        found = await connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
            " ORDER BY backend_start LIMIT 1",
            (NAME,),
        )
        [(pid,)] = await found.fetchall()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
