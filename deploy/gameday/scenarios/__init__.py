"""What can be broken on a game day, in runbook order."""

from deploy.gameday.scenarios import (
    api_performance,
    cache,
    dashboard,
    database,
    error_rate,
    error_rate_database,
    infrastructure,
    llm,
    push,
)
from deploy.gameday.scenarios.base import Scenario

__all__ = ["SCENARIOS", "Scenario"]

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for module in (
        api_performance,
        error_rate,
        error_rate_database,
        cache,
        database,
        llm,
        push,
        dashboard,
        infrastructure,
    )
    for scenario in module.SCENARIOS
}
