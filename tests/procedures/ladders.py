"""Ladders with every step that there is; run it at a release, to keep what that release says.

``python -m tests.procedures.ladders > tests/fixtures/procedures/<version>.json``
"""

import json
import sys
from collections.abc import Iterator

from tests.procedures import failing_api as failing
from tests.procedures import llm
from tests.procedures import slow_api as latency
from tests.procedures import test_api_down as down
from tests.procedures import test_dashboard_down as dashboard
from tests.procedures import test_database_connection_errors as errors
from tests.procedures import test_disk_space_low as disk
from tests.procedures import test_expo_push_service_down as expo
from tests.procedures import test_high_cache_miss_ratio as misses
from tests.procedures import test_high_database_connections as database
from tests.procedures import test_host_load as load
from tests.procedures import test_push as pushes
from tests.procedures import test_redis_connection_failure as redis
from tests.procedures import test_redis_high_memory_usage as memory
from tests.procedures import test_supabase_down as supabase
from tests.procedures.asking import consult
from workflows.consult import Consulted
from workflows.procedures import PROCEDURES


def every() -> Iterator[Consulted]:
    """Give the probes of every procedure, and plans that together have every step."""
    yield from (consult(procedure.__name__) for procedure in PROCEDURES)
    plans = (
        *map(latency.latency, (latency.SPIKE, latency.DATABASE, latency.LLM, latency.LEAK)),
        failing.high(failing.DEPLOYED),
        failing.critical(failing.DEPLOYED),
        redis.redis(),
        misses.missed(redis=misses.YOUNG),
        memory.full(),
        dashboard.dashboard(),
        llm.down(),
        llm.costly(),
        llm.limited(),
        database.full(),
        database.full(**database.ROOM),
        supabase.supabase(),
        errors.errors(),
        errors.errors({"database_backup": "backup"}, **errors.GONE),
        pushes.push(failures=pushes.failing(**{pushes.BIG: 1.0, pushes.GONE: 1.0})),
        expo.expo(),
        expo.expo(from_worker=expo.UP, from_api=expo.api(1), waiting=expo.queue(30)),
        down.down(),
        down.down(instances=down.LOOPING, logs=down.HEAP, capacity=load.ROOMY),
        load.cpu(busiest=load.AWAY),
        load.memory(capacity=load.ROOMY),
        disk.full(**disk.ELSEWHERE, **disk.OFF, **disk.IMAGES, deleted=disk.held()),
    )
    yield from (Consulted(plan=plan) for plan in plans)


if __name__ == "__main__":
    kept = [answer.model_dump(mode="json") for answer in every()]
    sys.stdout.write(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
