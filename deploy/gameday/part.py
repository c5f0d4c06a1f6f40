"""What an instance of the API does beside its plain routes, a module for each system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from deploy.gameday.api import Api

Endpoint = Callable[[Request], Awaitable[Response]]


class Part:
    """One system's share of an instance; it registers its series in ``api.meters.registry``."""

    def __init__(self, api: Api, environment: Mapping[str, str]) -> None:
        self.api = api
        self.environment = environment

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Give endpoints by method and path; each is counted and timed as every other."""
        return {}

    def looks(self) -> Mapping[Callable[[], Awaitable[None]], float]:
        """Give what is done again and again, and the seconds between."""
        return {}

    async def close(self) -> None:
        """Give back what is held."""
