"""Runbook, "Cache Performance Incidents"."""

from __future__ import annotations

from activities.host import Deployments, HostPong
from activities.redis import Pong
from activities.redis_findings import Finding
from activities.services import Unit
from activities.status_pages import ProviderStatus
from workflows.procedures.cache import RedisConnectionFailure
from workflows.situations.base import Situation, Situations
from workflows.situations.usual import instances

_FAILED = Unit(loaded=True, state="failed", result="signal", pid=0, self_hosted=True)
_LOADING = "LOADING Redis is loading the dataset in memory"
_REFUSED = Pong(answered=False, finding=Finding.REFUSED, said="refused", milliseconds=1.0)

SITUATIONS = (
    Situations(
        RedisConnectionFailure,
        {
            "from_worker": _REFUSED,
            "from_host": HostPong(answered=False, finding=Finding.REFUSED, said="refused"),
            "provider": ProviderStatus(
                provider="upstash",
                state="operational",
                said="All Systems Operational",
                url="https://status.upstash.com",
            ),
            "service": _FAILED,
            "deployment": Deployments(last=(), newest_minutes_ago=None),
            "instances": instances(),
        },
        (
            Situation(
                "Down from both sides, and a service of the API host that keeps its data",
                declared={"redis_persists": True},
            ),
            Situation("The same, and not declared to keep its data"),
            Situation(
                "Down, and it crashes over and over",
                {"service": _FAILED.model_copy(update={"result": "start-limit-hit"})},
            ),
            Situation("Down, and managed by a provider", declared={"redis_unit": ""}),
            Situation(
                "It answers the API host, and not the worker",
                {"from_host": HostPong(answered=True)},
            ),
            Situation(
                "It runs, and still loads its data",
                {
                    "from_worker": _REFUSED.model_copy(
                        update={"finding": Finding.LOADING, "said": _LOADING}
                    ),
                    "from_host": HostPong(answered=False, finding=Finding.LOADING, said=_LOADING),
                },
            ),
        ),
        by_hand="""\
redis-cli -u "$REDIS_URL" PING                # from the API host, and from where you are
systemctl status redis; journalctl -u redis -n 50
sudo systemctl restart redis                  # not while LOADING; it may lose all
# until it is back; the database carries more, so watch it:
USE_IN_MEMORY_CACHE=true pm2 restart pravado-api --update-env
""",
    ),
)  # fmt: skip
