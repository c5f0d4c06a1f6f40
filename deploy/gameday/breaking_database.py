"""The ways to break the platform's database, and to mend it by hand."""

from deploy.gameday.connecting import ALL, FORGOTTEN
from deploy.gameday.database import Database
from deploy.gameday.faults import Faults
from deploy.gameday.shell import Ssh
from deploy.local.processes import Child


class BreaksDatabase:
    """A platform whose database can be taken away."""

    ssh: Ssh
    faults: Faults
    _database: Database

    async def stop_database(self) -> None:
        """Stop the server as its provider's outage does; its data stay where they are."""
        await Child.stop(self._database)

    async def start_database(self) -> None:
        """Start it again on its data."""
        await self._database.start()

    async def forget_transactions(self) -> None:
        """Let the present instances keep all connections of their pools in transactions, once."""
        pids = [str(entry["pid"]) for entry in await self.ssh.jlist()]
        self.faults.put(FORGOTTEN, " ".join(pids))

    def hog_pools(self) -> None:
        """Let every instance keep every connection in a transaction, again and again."""
        self.faults.put(FORGOTTEN, ALL)

    def give_back_pools(self) -> None:
        """Deploy what gives the connections back."""
        self.faults.mend(FORGOTTEN)
