"""A process that works on the incidents of a town; what it did outside is kept where kills end.

python -m tests.lifecycle.working ADDRESS JOURNAL
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.lifecycle.drills import ASKS, drill, restart, scale
from tests.lifecycle.world import Town, World, library


class Journal:
    """What was done to the outside, a line each; it outlives whoever did it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, incident: str, name: str, arguments: list[Any]) -> None:
        line = json.dumps([incident, name, arguments]) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())  # whole or not at all, as a far side takes a request
        os.close(file)

    def of(self, incident: str, name: str) -> list[list[Any]]:
        """The arguments of each time that it was done."""
        if not self._path.exists():
            return []
        lines = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [arguments for one, done, arguments in lines if (one, done) == (incident, name)]


class Remembering(World):
    """A world that is as it was left, whoever is killed."""

    def __init__(self, town: Town, incident: str, journal: Journal) -> None:
        super().__init__(town)
        self._incident, self._journal = incident, journal
        self.library = library(drill(scale(asks=ASKS), restart(asks=ASKS)))
        self.cures = {"processes.scale": True}
        if journal.of(incident, "processes.scale"):
            self.up, self.replicas = True, 5

    async def call(self, name: str, arguments: list[Any]) -> Any:
        self._journal.note(self._incident, name, arguments)
        return await super().call(name, arguments)


class RememberingTown(Town):
    """A town whose incidents others have opened."""

    def __init__(self, client: Client, journal: Journal) -> None:
        super().__init__(SimpleNamespace(client=client))  # type: ignore[arg-type]
        self._journal = journal

    def world_of(self, workflow_id: str) -> World:
        incident = workflow_id.partition("/")[0]
        if incident not in self.worlds:
            self.worlds[incident] = Remembering(self, incident, self._journal)
        return self.worlds[incident]


async def work(address: str, journal: Path) -> None:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    async with RememberingTown(client, Journal(journal)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
