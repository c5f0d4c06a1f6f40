"""What this process tells of itself: its log, and metrics for Prometheus."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from temporalio.exceptions import ApplicationError
from temporalio.runtime import (
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from activities.errors import Failed, NotConfigured
from workers.redaction import RedactingFormatter
from workers.sections import TelemetrySettings
from workers.settings import SettingsWrong, variable

FORESEEN = frozenset(kind.__name__ for kind in Failed.__subclasses__())
"""The kinds of failure that activities tell apart: their texts say all that there is to know."""

_LAYOUT = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


def log_to_stderr(settings: TelemetrySettings, secrets: Sequence[str]) -> None:
    """Send the log of all libraries to the standard error output, without known secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets, _LAYOUT))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "asyncssh", "matplotlib", "aiohttp.access"):
        # At INFO they write a line a request, with its address.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("temporalio.activity").addFilter(in_a_line)


def in_a_line(record: logging.LogRecord) -> bool:
    """Say in one line that an activity failed as one may; only what nobody foresaw has a trace."""
    error = record.exc_info and record.exc_info[1]
    if not isinstance(error, ApplicationError) or error.type not in FORESEEN:
        return True
    about = getattr(record, "temporal_activity", {})
    record.msg, record.exc_info = "%s of %s, attempt %s: %s: %s", None
    record.args = (
        about.get("activity_type"),
        about.get("workflow_id"),
        about.get("attempt"),
        error.type,
        error.message,
    )
    if isinstance(error, NotConfigured):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def runtime(settings: TelemetrySettings, *, role: str) -> Runtime:
    """Make the core of this process, once; it serves the worker's metrics where it is told to."""
    metrics = settings.bind_address and PrometheusConfig(
        bind_address=settings.bind_address,
        durations_as_seconds=True,
        unit_suffix=True,
        counters_total_suffix=True,
    )
    try:
        return Runtime(
            telemetry=TelemetryConfig(
                metrics=metrics or None,
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level="WARN", other_level="ERROR")
                ),
                global_tags={"role": role},
            )
        )
    except (RuntimeError, ValueError) as error:
        raise SettingsWrong(
            f"telemetry.bind_address: {settings.bind_address} cannot be served: {error} "
            f"(set {variable('telemetry', 'bind_address')})"
        ) from None
