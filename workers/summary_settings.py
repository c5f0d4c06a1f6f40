"""Settings of the weekly summary: when it is sent, and to whom."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from activities.email import EmailAddress
from workers.proof_settings import TimeOfDay
from workers.sections import Section

Weekday = Literal["", "sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class SummarySettings(Section):
    """The weekly summary: what the responder did or would have done, and what people did."""

    weekday: Weekday = ""
    """The day on which it is sent; empty sends none."""
    at: TimeOfDay = "09:00"
    time_zone: str = "UTC"
    channel: str = Field(default="engineering", max_length=80)
    """The role of a Slack channel; empty is none."""
    to: tuple[EmailAddress, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.weekday and not self.at:
            raise ValueError("weekday needs at too")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("time_zone: is none, such as Europe/Berlin") from None
        return self
