"""Game days of the runbook's "Mobile Push Notification Incidents"."""

from __future__ import annotations

import psycopg

from activities.record import Phase
from deploy.gameday import push
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario

_GONE = tuple(range(991, 995))
"""Four of a thousand tokens: fewer than make the credentials suspect, and soon all written to."""
_NOTHING_SINCE = "DELETE FROM push_receipts WHERE token_id = ANY(%s) AND error = ''"
"""On a day that has gone on for a while they were written to, as every phone is."""
_EARLIER = """
INSERT INTO push_receipts (token_id, kind, bytes, error, at)
SELECT token, 'digest', 90, 'DeviceNotRegistered', now() - hours * interval '1 hour'
FROM unnest(%s::bigint[]) AS token, unnest(ARRAY[50, 25]) AS hours
"""


async def _campaign(day: Day) -> None:
    """Have a campaign go to phones that have thrown the app away, and have said so twice."""
    day.outside.expo.dead |= {f"ExponentPushToken[phone-{number}]" for number in _GONE}
    async with await psycopg.AsyncConnection.connect(day.platform.postgres_dsn) as platform:
        await platform.execute(_NOTHING_SINCE, (list(_GONE),))
        await platform.execute(_EARLIER, (list(_GONE),))
    day.platform.faults.put(push.CAMPAIGN, ",".join(map(str, _GONE)))


async def _campaign_over(day: Day) -> None:
    day.platform.faults.mend(push.CAMPAIGN)


async def _large(day: Day) -> None:
    day.platform.faults.put(push.LARGE)


async def _small(day: Day) -> None:
    day.platform.faults.mend(push.LARGE)


async def _revoked(day: Day) -> None:
    day.outside.expo.wrong_credentials = True


async def _renewed(day: Day) -> None:
    day.outside.expo.wrong_credentials = False


async def _down(day: Day) -> None:
    day.outside.expo.down = True
    day.outside.status_pages.report("expo", "major_outage", "Push notifications fail")


async def _back(day: Day) -> None:
    day.outside.expo.down = False
    day.outside.status_pages.mend("expo")


SCENARIOS = (
    Scenario(
        name="push",
        alert="HighPushNotificationFailureRate",
        story="A campaign goes to phones that have thrown the app away; you are asked.",
        breaks=_campaign,
        after={Phase.SETTLING: _campaign_over},
        later="The campaign is over.",
    ),
    Scenario(
        name="push-large",
        alert="HighPushNotificationFailureRate",
        story="A release puts more into notifications than a phone takes; you are asked.",
        breaks=_large,
        after={Phase.SETTLING: _small},
        later="The release is mended: notifications are small again.",
    ),
    Scenario(
        name="push-people",
        alert="HighPushNotificationFailureRate",
        story="The app's keys at Apple and Google are refused: that is for people.",
        breaks=_revoked,
        after={Phase.WATCHING: _renewed},
        later="People renew the keys.",
        people=True,
    ),
    Scenario(
        name="expo",
        alert="ExpoPushServiceDown",
        story="Expo is down: notifications are queued, and sent when it is back.",
        breaks=_down,
        after={Phase.VERIFYING: _back},
        later="Expo is back.",
    ),
    Scenario(
        name="expo-people",
        alert="ExpoPushServiceDown",
        story="Expo is down for long: what is urgent goes by e-mail, and people wait for it.",
        breaks=_down,
        after={Phase.WATCHING: _back},
        later="Expo is back.",
        people=True,
    ),
)
