"""What this process tells of itself: its log, and metrics for Prometheus."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from temporalio.runtime import (
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from workers.redaction import RedactingFormatter
from workers.sections import TelemetrySettings
from workers.settings import SettingsWrong, variable

_LAYOUT = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


def log_to_stderr(settings: TelemetrySettings, secrets: Sequence[str]) -> None:
    """Send the log of all libraries to the standard error output, without known secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets, _LAYOUT))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "asyncssh", "matplotlib", "aiohttp.access"):
        # At INFO they write a line a request, with its address.
        logging.getLogger(chatty).setLevel(logging.WARNING)


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
