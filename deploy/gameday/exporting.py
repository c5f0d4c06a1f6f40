"""The exporter as a child of the platform, and how Prometheus scrapes it."""

import sys
from pathlib import Path
from typing import Self

from deploy.gameday.collector import Settings
from deploy.gameday.collectors import COLLECTORS
from deploy.gameday.exporter import READY
from deploy.gameday.host import Settings as Host
from deploy.local import processes
from deploy.local.data import write_private

_ROOT = Path(__file__).resolve().parents[2]


class Exporter(processes.Child):
    """The process that measures what does not measure itself."""

    def __init__(self, folder: Path, port: int, host: Host) -> None:
        """Describe the process; nothing starts yet."""
        self._file = folder / "exporter.json"
        self._settings = Settings(
            port=port,
            redis_port=host.redis_port,
            host_folder=host.folder,
            environment=host.environment,
        )
        super().__init__(
            "the exporter of the game day",
            [sys.executable, "-m", "deploy.gameday.exporter", str(self._file)],
            log=folder / "exporter.log",
            cwd=_ROOT,
            ready=processes.answers(f"http://127.0.0.1:{port}{READY}"),
        )

    async def start(self) -> Self:
        """Write its settings, and start it."""
        write_private(self._file, self._settings.model_dump_json())
        return await super().start()


def scraped(port: int) -> list[dict[str, object]]:
    """Give the jobs of Prometheus that the exporter serves, one for each collector."""
    return [
        {
            "job_name": each.job,
            "metrics_path": each.path,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for each in COLLECTORS
    ]
