"""How an instance of the API behaves as its release does, and as its faults do."""

import asyncio
import os
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from deploy.gameday.faults import Faults
from deploy.gameday.releases import FAILING, Behaviour, of_environment


class PlanUndefinedError(RuntimeError):
    """What the code of a bad release stumbles over."""


class Behaving:
    """Meets every request before it is served."""

    def __init__(self, environment: Mapping[str, str], faults: Faults) -> None:
        self._release = of_environment(environment)
        self._faults = faults
        self._met = 0
        self._due = 0.0

    async def meet(self) -> Response | None:
        """Wait, fail or end, as the release and the fault say; None is to be served."""
        fault = Behaviour.read(self._faults.text(FAILING))
        self._met += 1
        if self._release.crashes_after and self._met > self._release.crashes_after:
            os._exit(1)
        if wait := max(self._release.slow_seconds, fault.slow_seconds):
            await asyncio.sleep(wait)
        worse = max(self._release, fault, key=lambda each: each.share)
        self._due += worse.share
        if self._due < 1 or not worse.status:
            return None
        self._due -= 1
        if worse.status == 500:
            raise PlanUndefinedError("plan is undefined")
        return JSONResponse({"error": "broken on purpose"}, status_code=worse.status)
