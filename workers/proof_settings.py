"""Settings of the daily proof that a person can be reached."""

from __future__ import annotations

from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, model_validator

from activities.words import Name, Urgency
from workers.sections import Section

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d$")]


class ProofSettings(Section):
    """The daily test page."""

    at: TimeOfDay = ""
    """Time of day, as 10:30; empty sends none. In working hours: it rings like any other page."""
    time_zone: str = "UTC"
    level: Name = "on-call"
    urgency: Urgency = Urgency.HIGH
    wait_seconds: float = Field(default=900, gt=0, le=3600)
    """Given to whoever is paged to acknowledge."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("time_zone: is none, such as Europe/Berlin") from None
        return self
