"""The base of everything that an incident keeps."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Kept(BaseModel):
    """A part of the record: changed in place by the workflow, read by old and new code."""

    model_config = ConfigDict(extra="ignore")
