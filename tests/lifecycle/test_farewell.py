"""The last part of an incident: what is still unsent keeps neither it nor its worker for ever."""

import pytest

from activities.errors import NotConfigured, Unavailable
from activities.record import Phase
from activities.words import Severity
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Town, World, alert, library


def all_fail(world: World, broken: list[str], error: Exception) -> None:
    world.fails |= dict.fromkeys(broken, lambda: error)


@pytest.mark.parametrize(
    "broken",
    [["slack.post_root"], ["pagerduty.page", "pagerduty.resolve"]],
    ids=["Slack", "PagerDuty"],
)
async def test_it_ends_although_a_channel_that_was_set_up_meanwhile_is_down(
    town: Town, world: World, broken
) -> None:
    world.library = library(drill())
    all_fail(world, broken, NotConfigured("the channel", "its token"))
    story = await town.fire(
        alert("HighDrill", severity=Severity.WARNING), policy=QUICK, world=world
    )
    await story.until(lambda r: bool(r.slack.off or r.pagerduty.off))
    all_fail(world, broken, Unavailable("it is down"))
    await story.pass_time(minutes=20)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("escalate", text="who knows this?")
    await story.pass_time(minutes=1)

    await story.act("resolve", text="the drill is over")
    await story.over()
    await story.pass_time(minutes=10)

    assert (await story.ends()).how == "resolved by a person"
    assert (await story.record()).aftermaths, "what is unsent is another's to send"
