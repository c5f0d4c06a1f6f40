"""Runbook, "Error Rate Incidents"."""

from __future__ import annotations

from datetime import timedelta

from activities.host import HostPong, Logs
from activities.prometheus import Series, SeriesAnswer
from activities.redis import Pong
from activities.redis_findings import Finding
from workflows.procedures.error_rate import CriticalAPIErrorRate, HighAPIErrorRate
from workflows.situations.api_performance import API, LOOK, NO_ANSWER, SLOW_PROVIDER
from workflows.situations.base import Situation, Situations, asked_by
from workflows.situations.releases import BAD, WITH_MIGRATIONS, history
from workflows.situations.usual import instances, series, value

_SAID = "ERROR uncaughtException: Cannot read properties of undefined"
FAILING = API | {
    "failing": value(0.12),
    "throughout": value(0.02),
    "by_status": series("status", {"500": 1.8, "503": 0.2}),
    "by_route": SeriesAnswer(
        series=(Series(labels={"status": "500", "route": "/api/dashboard"}, value=1.8),)
    ),
    "logs": Logs(text=_SAID, lines=1),
}
_NO_REDIS = {
    "from_worker": Pong(answered=False, finding=Finding.REFUSED, milliseconds=1.0),
    "from_host": HostPong(answered=False, finding=Finding.REFUSED),
}
_NO_DATABASE = {"reach": NO_ANSWER, "reach_from_host": NO_ANSWER}
_ROLL_BACK = """\
# A release that came shortly before: back to one that is built already. No build on a sick host,
# no `git revert`; not if it brought migrations, and not while the database does not answer.
ls -l ~/pravado/current ~/pravado/releases    # which runs, and which are there
ln -sfn ~/pravado/releases/GOOD ~/pravado/next && mv -T ~/pravado/next ~/pravado/current
pm2 reload pravado-api
"""

SITUATIONS = (
    Situations(
        HighAPIErrorRate,
        asked_by(HighAPIErrorRate, FAILING),
        (
            Situation("Most answer 500, shortly after a deployment", {"releases": history(BAD)}),
            Situation("The same, and the deployment brought migrations", {
                "releases": history(WITH_MIGRATIONS),
            }),
            Situation("Most answer 500, and nothing was deployed"),
            Situation("Most answer 502: instances crashed", {
                "by_status": series("status", {"502": 2.0}),
            }),
            Situation("Most answer 502, and an instance crashes over and over", {
                "by_status": series("status", {"502": 2.0}),
                "instances": instances(up=timedelta(seconds=20), restarts=9),
            }),
            Situation("Most answer 503, and Redis is down", {
                "by_status": series("status", {"503": 2.0}), **_NO_REDIS,
            }),
            Situation("Most answer 504, and an LLM provider is slow", {
                "by_status": series("status", {"504": 2.0}), **SLOW_PROVIDER,
            }),
        ),
        by_hand=LOOK + _ROLL_BACK,
    ),
    Situations(
        CriticalAPIErrorRate,
        asked_by(CriticalAPIErrorRate, FAILING | {"failing": value(0.64)}),
        (
            Situation("Shortly after a deployment", {"releases": history(BAD)}),
            Situation("Nothing was deployed"),
            Situation("The database does not answer", _NO_DATABASE),
            Situation("Nothing was deployed, and it has been as bad for five minutes", {
                "throughout": value(0.64),
            }),
        ),
        by_hand=LOOK + _ROLL_BACK,
    ),
)  # fmt: skip
