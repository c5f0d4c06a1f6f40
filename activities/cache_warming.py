"""The platform's own endpoint that fills its cache with what users ask for most."""

from __future__ import annotations

import json

from pydantic import AwareDatetime, Field, SecretStr, ValidationError
from temporalio import activity

from activities.changes import attempt, heartbeats
from activities.errors import Unavailable
from activities.web import Web
from activities.words import Answer, Done, Order

KEY_HEADER = "Idempotency-Key"
"""By which the platform knows an order that it was given before."""
_TAKEN = (200, 202)
_PROGRESS = "warming the cache"


class WarmUp(Order):
    """An order to fill the cache once."""

    requested_at: AwareDatetime
    """By the workflow's clock: it makes this order a different one from the next."""
    keys_a_second: int = Field(default=50, ge=1, le=1000)
    """How fast, at most: each key is a query of the database."""


class WarmUpBefore(Answer):
    """What was there before: warming adds keys and takes none away, so nothing is put back."""


class _Warmed(Answer):
    warmed: int = Field(ge=0)


class CacheWarming:
    """Asks the platform to fill its cache; the same order is given any number of times."""

    def __init__(self, web: Web, url: str, token: SecretStr) -> None:
        self._web = web
        self._url = url
        self._token = token

    @activity.defn(name="cache.warm_up.read")
    async def warm_up_read(self, order: WarmUp) -> WarmUpBefore:  # noqa: ARG002
        """Give what is needed to undo it, which is nothing."""
        return WarmUpBefore()

    @activity.defn(name="cache.warm_up")
    async def warm_up(self, order: WarmUp, before: WarmUpBefore) -> Done:  # noqa: ARG002
        """Give the order; given twice it is carried out once."""
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Content-Type": "application/json",
            KEY_HEADER: f"incident-responder {order.requested_at.isoformat()}",
        }
        body = json.dumps({"keys_per_second": order.keys_a_second}).encode()
        with attempt() as this:
            async with heartbeats(_PROGRESS):
                answer = await self._web.ask("POST", self._url, headers=headers, content=body)
            if answer.status not in _TAKEN:
                raise self._web.refused(answer, answer.text)
            try:
                warmed = _Warmed.model_validate(answer.json(self._web.system)).warmed
            except ValidationError:
                raise Unavailable(
                    f"{self._web.system} does not say how many keys it warmed"
                ) from None
        going_on = answer.status == 202
        return Done(
            said=f"the cache is being warmed: {warmed} keys so far"
            if going_on
            else f"the cache was warmed: {warmed} keys",
            changed=bool(warmed) or going_on or not this.first,
        )
