"""Whether the data are whole: configured questions to the database that must answer true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity

from activities.errors import Failed
from activities.postgres_connection import Connection, Database
from activities.redaction import beginning
from activities.verification import Sample
from activities.words import Answer, Nothing

_SAID = 200


@dataclass(frozen=True)
class Assertion:
    """One question, from the settings: a single SELECT that yields true while all is well."""

    name: str
    statement: str


class Asserted(Answer):
    """What one assertion came to."""

    name: str
    holds: bool | None
    """None: it could not be asked, which is not "holds"."""
    said: str = ""


class Assertions(Answer):
    """What all of them came to, as they are configured in order."""

    assertions: tuple[Asserted, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        """Those that do not hold or could not be asked, each with its reason."""
        return tuple(
            f"{each.name}: {each.said or 'does not hold'}"
            for each in self.assertions
            if not each.holds
        )


class PostgresAssertions:
    """Asks the assertions in read-only transactions, each with an end."""

    def __init__(self, database: Database, assertions: Sequence[Assertion]) -> None:
        self._database = database
        self._assertions = tuple(assertions)

    @activity.defn(name="postgres.assertions")
    async def assertions(self, ask: Nothing) -> Assertions:  # noqa: ARG002
        """Ask every assertion; one that cannot be asked is an answer too."""
        return Assertions(assertions=tuple([await self._ask(each) for each in self._assertions]))

    async def sample(self) -> Sample:
        """Look once whether every assertion holds."""
        found = await self.assertions(Nothing())
        holds = [each.holds for each in found.assertions]
        good = False if False in holds else None if None in holds else True
        note = "; ".join(found.complaints) or ("" if holds else "no assertion is configured")
        return Sample(at=datetime.now(UTC), good=good, note=note)

    async def _ask(self, assertion: Assertion) -> Asserted:
        try:
            async with self._database.session() as session:
                return await _asked(session, assertion)
        except Failed as failed:
            said = beginning(failed.message, _SAID)
            return Asserted(name=assertion.name, holds=None, said=f"could not be asked: {said}")


async def _asked(session: Connection, assertion: Assertion) -> Asserted:
    async with session.transaction():
        await session.execute("SET TRANSACTION READ ONLY")
        # Binary makes it one statement by the protocol: a second one could end the transaction,
        # and with it the READ ONLY.
        cursor = await session.execute(assertion.statement.encode(), binary=True)
        rows = await cursor.fetchall() if cursor.description else []
        columns = len(cursor.description or ())
    values = [value for row in rows for value in row.values()]
    if columns != 1 or len(values) != 1 or not isinstance(values[0], bool):
        said = "does not answer with one true or false"
        return Asserted(name=assertion.name, holds=None, said=said)
    return Asserted(name=assertion.name, holds=values[0])
