"""Game days of the runbook's "Database Connection Errors"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario


async def _forget(day: Day) -> None:
    await day.platform.forget_transactions()


async def _hog(day: Day) -> None:
    day.platform.hog_pools()


async def _give_back(day: Day) -> None:
    day.platform.give_back_pools()


SCENARIOS = (
    Scenario(
        name="pool",
        alert="DatabaseConnectionErrors",
        story="A job of the API forgets to end its transactions: no connection is left in its "
        "pools; you are asked.",
        breaks=_forget,
    ),
    Scenario(
        name="pool-people",
        alert="DatabaseConnectionErrors",
        story="Every request keeps its connection for ever, however many there are.",
        breaks=_hog,
        after={Phase.WATCHING: _give_back},
        later="People deploy what gives the connections back.",
        people=True,
    ),
)
