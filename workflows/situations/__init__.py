"""What the procedures may meet, in runbook order."""

from __future__ import annotations

from workflows.situations import (
    api_performance,
    cache,
    database,
    error_rate,
    host,
    infrastructure,
    llm,
    push,
)
from workflows.situations.base import Situations

SITUATIONS: tuple[Situations, ...] = tuple(
    each
    for section in (
        api_performance,
        error_rate,
        cache,
        database,
        llm,
        push,
        infrastructure,
        host,
    )
    for each in section.SITUATIONS
)
