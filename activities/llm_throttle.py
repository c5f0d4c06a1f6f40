"""Slows single organizations down at the platform's own door to the models.

The platform's side of it, ``/internal/llm/throttle``: GET gives ``{"organizations": {"42": 6}}``,
requests a minute by organization; POST takes the same and changes those that it names, null lifts.
What is posted twice is the same as once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated

import httpx
from pydantic import Field, SecretStr, StringConstraints
from temporalio import activity

from activities.changes import Attempt, Targets, attempt, heartbeats
from activities.errors import Refused, Unavailable, Unwell
from activities.web import Web
from activities.words import Answer, Done, Order

_SECONDS = 5.0
NAMED = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
"""Ids of organizations that can be ordered about."""
MOST = 10
Organization = Annotated[str, StringConstraints(pattern=NAMED.pattern)]
Rate = Annotated[int, Field(ge=0, le=100_000)]


class Throttle(Order):
    """An order to let so many requests a minute through, by organization."""

    organizations: dict[Organization, Rate] = Field(min_length=1, max_length=MOST)


class Throttled(Answer):
    """What the ordered organizations are slowed down to; None is not at all."""

    organizations: dict[str, int | None]


class LlmThrottle:
    """Asks the platform's endpoint."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        token: SecretStr,
        *,
        targets: Targets,
        seconds: float = _SECONDS,
    ) -> None:
        self._url = url
        self._token = token
        self._targets = targets
        secrets = (token.get_secret_value(),)
        self._web = Web(http, "the platform's throttle", secrets=secrets, seconds=seconds)

    @activity.defn(name="llm.throttle.read")
    async def throttle_read(self, order: Throttle) -> Throttled:
        """Read how the organizations are slowed down now."""
        return Throttled(organizations=await self._rates(order.organizations))

    @activity.defn(name="llm.throttle")
    async def throttle(self, order: Throttle, before: Throttled) -> Done:
        """Slow the organizations down, where they are still as *before*."""
        with attempt() as this:
            wanted = dict(order.organizations)
            return await self._change(this, mine=before.organizations, wanted=wanted)

    @activity.defn(name="llm.throttle.undo")
    async def throttle_undo(self, order: Throttle, before: Throttled) -> Done:
        """Put back what was there, where it is still what we set."""
        with attempt() as this:
            mine = dict(order.organizations)
            return await self._change(this, mine=mine, wanted=before.organizations)

    async def _change(
        self, this: Attempt, *, mine: Mapping[str, int | None], wanted: Mapping[str, int | None]
    ) -> Done:
        """Go from *mine* to *wanted*; any other rate is somebody else's."""
        note = "slowing organizations down"
        async with self._targets.one_at_a_time(self._url), heartbeats(note):
            present = await self._rates(wanted)
            for each, rate in present.items():
                if rate not in (mine.get(each), wanted[each]):
                    raise Refused(
                        f"organization {each} is at {_shown(rate)} and was at "
                        f"{_shown(mine.get(each))}: somebody changed it, so it is left to a person"
                    )
            if present != wanted:
                await self._post(wanted)
                this.acted()
                present = await self._rates(wanted)
            if present != wanted:
                raise Unwell(f"it was taken, but the platform still has {_said(present)}")
        changed = this.has_acted or (not this.first and dict(mine) != dict(wanted))
        return Done(said=f"{'set' if changed else 'already'}: {_said(wanted)}", changed=changed)

    async def _rates(self, organizations: Mapping[str, object]) -> dict[str, int | None]:
        answer = await self._web.ask("GET", self._url, headers=self._headers())
        if answer.status != 200:
            raise self._web.refused(answer)
        found = answer.json(self._web.system).get("organizations")
        if not isinstance(found, dict) or not all(_is_rate(rate) for rate in found.values()):
            raise Unavailable(f"{self._web.system} answered 200, but names no organizations")
        return {each: found.get(each) for each in organizations}

    async def _post(self, wanted: Mapping[str, int | None]) -> None:
        content = json.dumps({"organizations": dict(wanted)}).encode()
        answer = await self._web.ask("POST", self._url, headers=self._headers(), content=content)
        if answer.status not in (200, 202, 204):
            raise self._web.refused(answer)

    def _headers(self) -> dict[str, str]:
        token = self._token.get_secret_value()
        return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def _is_rate(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _said(rates: Mapping[str, int | None]) -> str:
    return ", ".join(f"organization {each} at {_shown(rate)}" for each, rate in rates.items())


def _shown(rate: int | None) -> str:
    return "no limit of its own" if rate is None else f"{rate} requests a minute"
