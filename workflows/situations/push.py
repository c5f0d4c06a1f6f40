"""Runbook, "Mobile Push Notification Incidents"."""

from __future__ import annotations

from activities.expo import ExpoSeen, Finding
from activities.prometheus import SeriesAnswer
from activities.push_records import DeadTokens, ErrorCount, PushQueue, PushReceipts
from activities.status_pages import ProviderStatus
from workflows.procedures.expo import ExpoPushServiceDown
from workflows.procedures.push import HighPushNotificationFailureRate
from workflows.situations.base import Situation, Situations
from workflows.situations.usual import instances, series, value

_WELL = ExpoSeen(answers=True, sends=True, receipt="ok", milliseconds=90.0)
_SILENT = ExpoSeen(
    answers=False, sends=None, finding=Finding.DOWN, said="Expo answered 503", failures=3,
    milliseconds=5.0,
)  # fmt: skip
_STATUS = ProviderStatus(
    provider="expo", state="operational", said="Push: operational", url="https://status.expo.dev"
)


def _failing(error: str) -> SeriesAnswer:
    return series("error_type", {error: 2.0})


SITUATIONS = (
    Situations(
        HighPushNotificationFailureRate,
        {
            "from_worker": _WELL,
            "status": _STATUS,
            "failures": _failing("DeviceNotRegistered"),
            "receipts": PushReceipts(
                minutes=60, by_error=(ErrorCount(error="DeviceNotRegistered", count=40),)
            ),
            "tokens": DeadTokens(total=100_000, dead=400, once=7, ids=tuple(range(1, 401))),
            "instances": instances(),
        },
        (
            Situation("Phones have gone: fewer than 1 % of all tokens are dead"),
            Situation("More than 1 % of all tokens are dead: the credentials are suspected", {
                "tokens": DeadTokens(
                    total=100_000, dead=4000, once=7, ids=tuple(range(1, 1001))
                ),
            }),
            Situation("Messages are too big", {"failures": _failing("MessageTooBig")}),
            Situation("Too many are sent at once", {"failures": _failing("MessageRateExceeded")}),
            Situation("The credentials are wrong", {"failures": _failing("InvalidCredentials")}),
        ),
        by_hand="""\
psql "$DATABASE_URL" -c "SELECT error, count(*) FROM push_receipts
       WHERE at > now() - interval '1 hour' GROUP BY 1 ORDER BY 2 DESC"
PUSH_MINIMAL_PAYLOAD=true pm2 reload pravado-api --update-env    # MessageTooBig
PUSH_RATE_PER_SECOND=50 pm2 reload pravado-api --update-env      # MessageRateExceeded
# InvalidCredentials: renew EXPO_ACCESS_TOKEN at https://expo.dev; remove no token meanwhile
""",
    ),
    Situations(
        ExpoPushServiceDown,
        {
            "from_worker": _SILENT,
            "from_api": value(0.0),
            "status": _STATUS.model_copy(update={"state": "outage", "said": "Push: major outage"}),
            "waiting": PushQueue(waiting=30, urgent=4, expired=2, unknown=0, oldest_minutes=12.0),
            "instances": instances(),
        },
        (
            Situation("It takes nothing from the worker, nor from the API"),
            Situation("It takes nothing from the API, and answers the worker", {
                "from_worker": _WELL,
            }),
            Situation("It works again, and notifications wait", {
                "from_worker": _WELL, "from_api": value(1.0),
            }),
            Situation("It refuses our token", {
                "from_worker": _SILENT.model_copy(
                    update={"finding": Finding.CREDENTIALS, "said": "Expo answered 401"}
                ),
            }),
        ),
        by_hand="""\
# https://status.expo.dev; does our token still count?
curl -sS -X POST https://exp.host/--/api/v2/push/getReceipts -H "Content-Type: application/json" \\
     -H "Authorization: Bearer $EXPO_ACCESS_TOKEN" -d '{"ids": []}'
PUSH_QUEUEING=true pm2 reload pravado-api --update-env   # later: drain 100 a request, slowly
""",
    ),
)  # fmt: skip
