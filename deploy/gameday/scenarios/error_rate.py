"""Game days of the runbook's "Error Rate Incidents"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.releases import Behaviour
from deploy.gameday.scenarios.base import Act, Scenario

_ERROR = "PlanUndefinedError: plan is undefined"
_SOME, _MOST = 0.12, 0.6


def _deploy(behaviour: Behaviour) -> Act:
    """Push a bad release."""

    async def push(day: Day) -> None:
        day.outside.sentry.issue(_ERROR, count=212, culprit="billing.ts in plan")
        await day.platform.deploy("v1.43.0", behaviour)

    return push


def _fail(behaviour: Behaviour) -> Act:
    """Have requests fail, whatever the release."""

    async def fail(day: Day) -> None:
        day.outside.sentry.issue(_ERROR, count=212, culprit="billing.ts in plan")
        day.platform.fail_requests(behaviour)

    return fail


async def _mend(day: Day) -> None:
    day.platform.mend_requests()


SCENARIOS = (
    Scenario(
        name="errors",
        alert="HighAPIErrorRate",
        story=f"A release is deployed that answers 500 to {_SOME:.0%} of the requests; "
        "you are asked.",
        breaks=_deploy(Behaviour(status=500, share=_SOME)),
    ),
    Scenario(
        name="errors-people",
        alert="HighAPIErrorRate",
        story=f"A partner sends data that {_SOME:.0%} of the requests stumble over: "
        "nothing was deployed.",
        breaks=_fail(Behaviour(status=500, share=_SOME)),
        after={Phase.WATCHING: _mend},
        later="People deploy a hotfix.",
        people=True,
    ),
    Scenario(
        name="errors-critical",
        alert="CriticalAPIErrorRate",
        story=f"A release is deployed that answers 500 to {_MOST:.0%} of the requests.",
        breaks=_deploy(Behaviour(status=500, share=_MOST)),
    ),
    Scenario(
        name="errors-critical-people",
        alert="CriticalAPIErrorRate",
        story=f"A partner sends data that {_MOST:.0%} of the requests stumble over: "
        "no restart helps.",
        breaks=_fail(Behaviour(status=500, share=_MOST)),
        after={Phase.WATCHING: _mend},
        later="People deploy a hotfix.",
        people=True,
    ),
)
