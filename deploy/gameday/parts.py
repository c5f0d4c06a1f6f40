"""All parts of an instance of the API."""

from deploy.gameday.cached_routes import CachedRoutes
from deploy.gameday.part import Part

PARTS: tuple[type[Part], ...] = (CachedRoutes,)
