"""What the pictures show comes about, also where there is no browser to take them with."""

from activities.record import Phase
from deploy.gameday.standins.slack_state import Message
from tests.pictures import scenes
from tests.pictures.stage import stage


def buttons(message: Message) -> list[str]:
    return [
        each["text"]["text"]
        for block in message.blocks
        if block["type"] == "actions"
        for each in block["elements"]
    ]


async def test_an_approval_is_pressed_in_slack_and_the_incident_ends_there() -> None:
    async with stage() as raised:
        story = await scenes.question(raised)
        root, asked = await scenes.root_of(story), await scenes.asked_of(story)
        shown = {each.ts: each for each in raised.slack.messages()}
        assert buttons(shown[asked.ts]) == ["Approve", "Reject"]
        assert "Acknowledge" in buttons(shown[root.ts])

        await raised.slack.press(root.ts, "acknowledge", user="U0DANA")
        await raised.slack.press(asked.ts, "approve", user="U0DANA")
        await story.until(lambda r: r.phase is Phase.VERIFYING and r.people.acknowledged_by)
        await story.pass_time(minutes=12)
        await story.over()
        await story.ends()

        shown = {each.ts: each for each in raised.slack.messages()}
        assert "Approved by dana" in shown[asked.ts].text
        assert buttons(shown[asked.ts]) == buttons(shown[root.ts]) == []
        assert "RESOLVED" in str(shown[root.ts].blocks)


async def test_somebody_who_is_called_is_named_beneath_what_it_is_about() -> None:
    async with stage() as raised:
        story = await scenes.unanswered(raised)

        called = await scenes.escalated(raised, story)

        assert called.thread_ts == (await scenes.root_of(story)).ts
        assert "engineering-lead" in str(called.blocks)
