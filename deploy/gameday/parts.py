"""All parts of an instance of the API."""

from deploy.gameday.burdens import Burdens
from deploy.gameday.cached_routes import CachedRoutes
from deploy.gameday.connecting import DatabaseConnections
from deploy.gameday.llm import LanguageModels
from deploy.gameday.part import Part
from deploy.gameday.push import PushNotifications
from deploy.gameday.reporting import Reporting

PARTS: tuple[type[Part], ...] = (
    CachedRoutes,
    LanguageModels,
    PushNotifications,
    Reporting,
    Burdens,
    DatabaseConnections,
)
