"""Every alert of the runbook is played, once mended by the steps and once by people."""

from collections import Counter

import pytest

from deploy.gameday import scenarios
from deploy.gameday.scenarios import SCENARIOS
from workflows.rules import rules

MODULES = [
    module for module in vars(scenarios).values() if hasattr(module, "SCENARIOS")
]  # as imported: api_performance, cache and so on
ALERTS = [rule.alert for rule in rules()]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_played_with_steps_that_help_and_with_steps_that_do_not(alert):
    played = [scenario.people for scenario in SCENARIOS.values() if scenario.alert == alert]

    assert set(played) == {False, True}


def test_no_two_scenarios_have_the_same_name():
    named = Counter(scenario.name for module in MODULES for scenario in module.SCENARIOS)

    assert named.total() == len(SCENARIOS), [name for name, times in named.items() if times > 1]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_a_scenario_is_about_an_alert_of_the_runbook_and_tells_a_story(scenario):
    assert scenario.alert in ALERTS
    assert scenario.name.endswith("-people") is scenario.people
    assert scenario.story.endswith(".")
    assert bool(scenario.after) is bool(scenario.later)
    if scenario.people:
        assert scenario.after, "somebody has to mend it, or it never ends"
