"""The procedures, one class an alert, in runbook order."""

from __future__ import annotations

from workflows.procedures.api_performance import HighAPILatency
from workflows.procedures.base import Procedure
from workflows.procedures.cache import RedisConnectionFailure
from workflows.procedures.dashboard import DashboardDown
from workflows.procedures.database import HighDatabaseConnections

PROCEDURES: tuple[type[Procedure], ...] = (
    HighAPILatency,
    RedisConnectionFailure,
    HighDatabaseConnections,
    DashboardDown,
)
