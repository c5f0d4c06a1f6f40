import logging

import pytest

from activities.errors import NotConfigured, Throttled
from workers.telemetry import in_a_line

ABOUT = {"activity_type": "redis.ping", "workflow_id": "Redis-cache-1", "attempt": 2}


def record(error: BaseException | None) -> logging.LogRecord:
    trace = (type(error), error, None) if error else None
    made = logging.LogRecord("temporalio.activity", logging.WARNING, "", 0, "failed", (), trace)
    made.temporal_activity = ABOUT
    return made


@pytest.mark.parametrize(
    ("error", "level", "said"),
    [
        pytest.param(
            NotConfigured("Redis", "RESPONDER_REDIS__URL"),
            "INFO",
            "NotConfigured: Redis is not configured: set RESPONDER_REDIS__URL",
            id="what is not set up is no news",
        ),
        pytest.param(
            Throttled("Slack answered 429"),
            "WARNING",
            "Throttled: Slack answered 429",
            id="what was foreseen needs no trace",
        ),
    ],
)
def test_a_failure_that_was_foreseen_is_one_line(error, level, said):
    logged = record(error)

    assert in_a_line(logged)
    line = logging.Formatter("%(levelname)s %(message)s").format(logged)
    assert line == f"{level} redis.ping of Redis-cache-1, attempt 2: {said}"


@pytest.mark.parametrize("error", [KeyError("oops"), None], ids=["a bug", "nothing"])
def test_what_nobody_foresaw_is_logged_as_it_is(error):
    logged = record(error)

    assert in_a_line(logged)
    assert logged.msg == "failed"
    assert bool(logged.exc_info) is bool(error)
