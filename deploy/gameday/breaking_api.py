"""The ways to break the platform's API by what is deployed, and by what it asks the database."""

from pathlib import Path

import psycopg

from deploy.gameday import deployments, host
from deploy.gameday.database import DATABASE, Database
from deploy.gameday.faults import Faults
from deploy.gameday.releases import FAILING, Behaviour, ReleaseFolders
from deploy.gameday.reporting import ONE, REPORT
from deploy.gameday.shell import Ssh


class BreaksApi:
    """A platform whose API runs releases."""

    ssh: Ssh
    faults: Faults
    releases: ReleaseFolders
    _host_folder: Path
    _settings: host.Settings
    _database: Database

    async def deploy(self, name: str, behaviour: Behaviour, *, author: str = "marek") -> None:
        """Deploy a release as a pipeline does: build, point, log, reload."""
        self.releases.build(name, behaviour)
        self.releases.point(name)
        line = deployments.line(name, author)
        with self._settings.deployments.open("a") as log:
            log.write(line)
        await self.ssh.run("pm2 reload pravado-api")

    def fail_requests(self, behaviour: Behaviour) -> None:
        """Have requests fail or wait whatever the release."""
        self.faults.put(FAILING, str(behaviour))

    def mend_requests(self) -> None:
        """Serve them as usual again."""
        self.faults.mend(FAILING)

    async def report_slowly(self, *, whose: str = ONE) -> None:
        """Have the API run a report that reads a whole table; for one on all no index helps."""
        index = "DROP INDEX IF EXISTS" if whose == ONE else "CREATE INDEX IF NOT EXISTS"
        on = "" if whose == ONE else " ON users (organization_id)"
        admin = await psycopg.AsyncConnection.connect(self._database.dsn(DATABASE), autocommit=True)
        async with admin:
            await admin.execute(f"{index} idx_users_organization_id{on}".encode())
        self.faults.put(REPORT, whose)

    def stop_reporting(self) -> None:
        """End the report."""
        self.faults.mend(REPORT)
