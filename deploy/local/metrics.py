"""A real Prometheus and a real Alertmanager, as children."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from deploy.local import data, processes, programs


class _Configured(processes.Child):
    """A server of the Prometheus family: one configuration file, and a reload by HTTP."""

    config_name: str

    def __init__(
        self,
        name: str,
        folder: Path,
        config: str,
        *,
        port: int | None,
        files: Mapping[str, str] | None,
    ) -> None:
        self.folder = folder.absolute()
        self.config = config
        self.files = dict(files or {})
        self.port = port or processes.free_port()
        super().__init__(
            name,
            [],
            log=self.folder / f"{name.lower()}.log",
            ready=processes.answers(f"{self.url}/-/ready"),
            env=processes.bare(),
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def reload(self, config: str, files: Mapping[str, str] | None = None) -> None:
        """Go on with another configuration; a wrong one raises and the old stays in force."""
        self.config = config
        self.files.update(files or {})
        self._write()
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{self.url}/-/reload")
        if not answer.is_success:
            message = f"{self.name} did not take its new configuration: {answer.text.strip()}"
            raise ValueError(message)

    def _write(self) -> Path:
        # The token of the door and the passwords of receivers are among them.
        for name, text in {**self.files, self.config_name: self.config}.items():
            data.write_private(self.folder / name, text)
        return self.folder / self.config_name


class Prometheus(_Configured):
    """A Prometheus server on a loopback port, its data and log in one folder."""

    config_name = "prometheus.yml"

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        port: int | None = None,
        files: Mapping[str, str] | None = None,
        retention: str = "2h",
    ) -> None:
        """Describe the server; nothing starts yet.

        Args:
            folder: Where it writes.
            config: The text of its configuration.
            port: A free one when left out.
            files: Texts put beside the configuration, by file name: the rules.
            retention: How long it keeps samples.
        """
        self.retention = retention
        super().__init__("Prometheus", folder, config, port=port, files=files)

    async def start(self) -> Self:
        """Start the server and wait until it is ready."""
        self.command = [
            await asyncio.to_thread(programs.prometheus),
            f"--config.file={self._write()}",
            f"--storage.tsdb.path={self.folder / 'prometheus-data'}",
            f"--storage.tsdb.retention.time={self.retention}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--web.external-url={self.url}/",
            "--web.enable-lifecycle",
        ]
        return await super().start()


class Alertmanager(_Configured):
    """An Alertmanager on a loopback port, its data and log in one folder."""

    config_name = "alertmanager.yml"

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        port: int | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the server; nothing starts yet.

        Args:
            folder: Where it writes.
            config: The text of its configuration.
            port: A free one when left out.
            files: Texts put beside the configuration, by file name: templates, credentials.
        """
        super().__init__("Alertmanager", folder, config, port=port, files=files)

    async def start(self) -> Self:
        """Start the server and wait until it is ready."""
        program = await asyncio.to_thread(programs.alertmanager)
        self.cwd = programs.working_folder(program)
        self.command = [
            program,
            f"--config.file={self._write()}",
            f"--storage.path={self.folder / 'alertmanager-data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--web.external-url={self.url}/",
            "--cluster.listen-address=",  # no gossip, so no wait for peers
        ]
        return await super().start()
