"""What incidents say to each other."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from activities.words import Order


class Relates(StrEnum):
    """What one incident is to another."""

    EXPLAINS = "explains"
    """Said by a cause to a symptom."""
    JOINED = "joined"
    """Said by a symptom to its cause."""
    LEFT = "left"
    """Said by a symptom to its cause: it is not explained by it after all."""


class Relation(Order):
    """One incident's word to another; a newer one may say more than is known here."""

    model_config = ConfigDict(extra="ignore")

    kind: Relates
    id: str = Field(min_length=1, max_length=300)
    """Workflow id of who says it."""
    title: str = Field(max_length=200)
