"""The base of everything that an incident keeps."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Kept(BaseModel):
    """A part of the record: changed in place by the workflow, and read by old and new code alike."""

    model_config = ConfigDict(extra="ignore")
