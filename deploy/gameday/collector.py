"""What is measured of one system that does not measure itself, a module for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Where the exporter finds what it measures; a file that only its owner reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int
    """Its own."""
    redis_port: int
    host_folder: Path
    """Of the API server."""
    environment: dict[str, str] = {}
    """What the instances of the API are told: where the services outside are."""


class Collector(ABC):
    """One job of Prometheus; its series are registered in ``registry``."""

    job: ClassVar[str]
    """Under which Prometheus keeps the series."""
    path: ClassVar[str]
    """The route of the exporter that serves them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()

    @abstractmethod
    async def look(self) -> None:
        """Measure anew, before each scrape; what it raises leaves the scrape without series."""

    async def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Give back what is held."""
