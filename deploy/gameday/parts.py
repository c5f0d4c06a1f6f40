"""All parts of an instance of the API."""

from deploy.gameday.cached_routes import CachedRoutes
from deploy.gameday.llm import LanguageModels
from deploy.gameday.part import Part
from deploy.gameday.push import PushNotifications

PARTS: tuple[type[Part], ...] = (CachedRoutes, LanguageModels, PushNotifications)
