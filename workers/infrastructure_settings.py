"""Settings of the machines that the platform runs on."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from workers.sections import Section
from workers.values import HostPath, Variable, Web


class ApiSettings(Section):
    """How the API is seen to be up: from outside, and on its host instance by instance."""

    health_url: Web = ""
    """Its public address, which answers 200; that of the processes' health where it is empty."""
    local_path: str = Field(default="", pattern=r"^$|^/[A-Za-z0-9/_.-]*$")
    """The health check on the host itself; the path of the public one where it is empty."""
    port_variable: Variable = "PORT"
    """Tells an instance its port."""
    port: int = Field(default=0, ge=0, le=65535)
    """That of all instances, where no variable says it."""

    def public(self, health_url: str) -> str:
        """Give the public address, with that of the processes in reserve."""
        return self.health_url or health_url

    def local(self, health_url: str) -> str:
        """Give the path on the host."""
        return self.local_path or urlsplit(self.public(health_url)).path


class DiskSettings(Section):
    """What may be cleared from the disk of the API's host; nothing until it is named."""

    log_folder: HostPath = ""
    """The one folder in which old logs may be deleted: /var/log/pravado."""
    archive_folder: HostPath = ""
    """On another disk of the host: logs are copied there before they are deleted."""
    log_days: int = Field(default=7, ge=7, le=3650)
    """How old a log is that may go."""
    archive_most_bytes: int = Field(default=8 * 2**30, ge=2**20)
    """Copying more would take too long."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.log_folder.count("/") == 1:
            raise ValueError("log_folder: name a folder of logs, like /var/log/pravado")
        inside = f"{self.archive_folder}/".startswith(f"{self.log_folder}/")
        if self.log_folder and self.archive_folder and inside:
            raise ValueError("archive_folder is in log_folder: what is kept there would be deleted")
        return self
