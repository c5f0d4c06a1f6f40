"""What can be broken on a game day, in runbook order."""

from deploy.gameday.scenarios import api_performance, cache, dashboard, database, llm, push
from deploy.gameday.scenarios.base import Scenario

__all__ = ["SCENARIOS", "Scenario"]

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for module in (
        api_performance,
        cache,
        database,
        llm,
        push,
        dashboard,
    )
    for scenario in module.SCENARIOS
}
