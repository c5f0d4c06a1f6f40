"""A real Temporal server as a child: the dev server, its database one file that outlives it."""

import asyncio
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Self

from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from deploy.local import ports, processes, programs
from workers import search_attributes
from workflows.case import SEARCH_ATTRIBUTES

NAMESPACE = "default"
"""The one that every client and tool of Temporal looks into when it is told nothing."""

RETENTION = timedelta(days=30)
"""How long a closed incident can be read; the dev server's own 24 hours lose it by tomorrow."""

DATABASE = "temporal.db"
WRITTEN_BY = "temporal.json"

PRAGMAS = {"journal_mode": "wal", "synchronous": "normal"}
"""Twice the throughput; a killed server loses nothing, only a power cut the last moments."""

DYNAMIC_CONFIG = {
    # Made for thousands of workflows a second; here a hop waits 50 ms for nothing, a timer 1 s.
    "history.transferProcessorMaxPollRPS": "200",
    "history.timerProcessorMaxPollRPS": "200",
    "history.timerProcessorMaxTimeShift": '"10ms"',
    # One small server has no use for four queues in each.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # A workflow whose code fails is retried in silence; after two it can be found.
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2",
}


class WrittenByAnother(RuntimeError):
    """The database is not one that this Temporal server can go on with."""


class _WrittenBy(BaseModel):
    """Which server a database is of, and whether it ever answered anybody with it."""

    server: str
    answered: bool


class Temporal(processes.Child):
    """A Temporal dev server on loopback ports, its database in one folder."""

    namespace = NAMESPACE

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        log: Path | None = None,
    ) -> None:
        """Describe the server; nothing starts yet.

        Args:
            folder: Where its database is, made when there is none.
            port: Where clients connect; a free one when left out.
            ui_port: Where browsers do; a free one when left out.
            log: Where its output goes; into the folder when left out.
        """
        self.folder = folder.absolute()
        self.port = port or processes.free_port()
        self.ui_port = ui_port or processes.free_port()
        super().__init__(
            "Temporal",
            [],
            log=log or self.folder / "temporal.log",
            ready=self._answers,
            env=processes.bare(),
            cwd=self.folder,
        )

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        """Where browsers do."""
        return f"http://127.0.0.1:{self.ui_port}"

    async def connect(self) -> Client:
        """Connect a client; it survives restarts of the server."""
        return await Client.connect(
            self.address, namespace=self.namespace, data_converter=pydantic_data_converter
        )

    async def start(self) -> Self:
        """Start the server on its database, and wait until the namespace answers."""
        if self.running:
            return self
        # Else the one that listens there would answer our probe in place of ours.
        await ports.require_free(self.port, self.name)
        await ports.require_free(self.ui_port, "Temporal's user interface")
        server = await asyncio.to_thread(self._prepare)
        try:
            await super().start()
            await self._settle()
        except BaseException:
            await self.stop()
            raise
        self._note(server, answered=True)
        return self

    async def _answers(self) -> bool:
        client = await self.connect()
        await client.count_workflows()
        return True

    async def _settle(self) -> None:
        """Put right what the server does only for a namespace that it makes."""
        client = await self.connect()
        await search_attributes.register(client)
        if lacks := await search_attributes.missing(client):
            raise WrittenByAnother(
                f"{self.folder / DATABASE} has {', '.join(lacks)} with another type than Keyword,"
                " so it was made by another program. Move the file away, or use another folder."
            )
        there = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=self.namespace)
        )
        # Less only: somebody may have chosen more.
        if there.config.workflow_execution_retention_ttl.ToTimedelta() < RETENTION:
            retention = Duration()
            retention.FromTimedelta(RETENTION)
            await client.workflow_service.update_namespace(
                UpdateNamespaceRequest(
                    namespace=self.namespace,
                    config=NamespaceConfig(workflow_execution_retention_ttl=retention),
                )
            )

    def _prepare(self) -> str:
        """Choose the command, and give the version of the server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        program = programs.temporal()
        server = _server_version(program)
        self._keep_or_begin_anew(server)
        options = {
            "--ip": "127.0.0.1",
            "--port": str(self.port),
            "--ui-port": str(self.ui_port),
            "--namespace": self.namespace,
            # By its bare name: the server files the search attributes under what it is told,
            # and would not find them again in a folder that was moved.
            "--db-filename": DATABASE,
            "--log-level": "warn",
        }
        self.command = [
            program,
            *("server", "start-dev", "--ui-disable-news-fetch"),
            *(part for option in options.items() for part in option),
            *_repeated("--sqlite-pragma", PRAGMAS),
            *_repeated("--dynamic-config-value", DYNAMIC_CONFIG),
            *_repeated("--search-attribute", {key.name: "Keyword" for key in SEARCH_ATTRIBUTES}),
        ]
        return server

    def _keep_or_begin_anew(self, server: str) -> None:
        database, written_by = self.folder / DATABASE, self.folder / WRITTEN_BY
        if not database.exists():
            self._note(server, answered=False)
        elif written_by.exists():
            before = _WrittenBy.model_validate_json(written_by.read_text())
            if not before.answered:
                # Killed while it made its tables, before anybody could give it anything to keep.
                for leftover in self.folder.glob(f"{DATABASE}*"):
                    leftover.unlink()
                self._note(server, answered=False)
            elif _release(before.server) != _release(server):
                raise WrittenByAnother(
                    f"{database} was written by Temporal server {before.server}, and this is"
                    f" {server}, which cannot take it over. Go on with the version it was written"
                    " by, or move the file away and begin without its incidents."
                )

    def _note(self, server: str, *, answered: bool) -> None:
        note = self.folder / WRITTEN_BY
        arriving = note.with_suffix(".part")
        arriving.write_text(_WrittenBy(server=server, answered=answered).model_dump_json())
        arriving.replace(note)


def _repeated(option: str, values: dict[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in (option, f"{name}={value}")]


def _server_version(program: Path) -> str:
    said = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=30
    ).stdout
    found = re.search(r"[Ss]erver (\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def _release(version: str) -> list[str]:
    """What decides over the tables: patch releases leave them alone."""
    return version.split(".")[:2]
