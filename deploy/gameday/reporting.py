"""A report on users, which the API runs again and again while it is asked to."""

from collections.abc import Awaitable, Callable, Mapping

from deploy.gameday.part import Part

REPORT = "report"
"""The fault by which the report runs; its text says whose users it is on."""
ONE, ALL = "one", "all"
KIND = "report"

# read_slowly stands for a disk: it comes first, so that it is paid for every row that is read.
_OF_ONE = "SELECT count(*) FROM users WHERE read_slowly(id) AND organization_id = %s"
_OF_ALL = "SELECT count(*) FROM users WHERE read_slowly(id) AND organization_id <> %s"
_EVERY_SECONDS = 0.4
_ORGANIZATION = 7


class Reporting(Part):
    """The report; on one organization's users it reads all there are, unless an index is there."""

    def looks(self) -> Mapping[Callable[[], Awaitable[None]], float]:
        """Run it again and again."""
        return {self._report: _EVERY_SECONDS}

    async def _report(self) -> None:
        if whose := self.api.faults.text(REPORT):
            await self.api.query(KIND, _OF_ONE if whose == ONE else _OF_ALL, _ORGANIZATION)
