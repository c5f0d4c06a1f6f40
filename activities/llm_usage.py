"""Who spends what on language models, by the platform's own log of requests."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from temporalio import activity

from activities.postgres_connection import Database
from activities.words import Answer, Order

# Two statements: the day of all organizations would be read for the sake of ten.
_HOUR = """
SELECT organization_id::text AS organization, count(*) AS requests,
       sum(cost_usd)::float8 AS cost, sum(sum(cost_usd)) OVER ()::float8 AS total
  FROM llm_request_logs
 WHERE created_at > now() - make_interval(secs => %(seconds)s)
 GROUP BY organization_id
 ORDER BY sum(cost_usd) DESC NULLS LAST
 LIMIT %(most)s
"""
_DAY = """
SELECT organization_id::text AS organization, sum(cost_usd)::float8 AS cost
  FROM llm_request_logs
 WHERE created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
   AND organization_id::text = ANY(%(organizations)s)
 GROUP BY organization_id
"""
_LONGEST_NAME = 100


class TopOrganizations(Order):
    """A question for the organizations that spent most of late."""

    hours: float = Field(default=1.0, gt=0, le=48)
    most: int = Field(default=10, ge=1, le=50)


class Spender(Answer):
    """What one organization spent."""

    organization: str
    requests: int
    cost_usd: float
    """In the hours that were asked about."""
    day_usd: float
    """Since midnight, UTC."""
    limit_usd: float | None = None
    """What it may spend in a day; None: it has no limit."""

    @property
    def over(self) -> bool:
        """Whether it spent more than it may."""
        return self.limit_usd is not None and self.day_usd > self.limit_usd


class Spending(Answer):
    """Who spent most, highest first; empty where no request is logged, or none is shown to us."""

    hours: float
    total_usd: float
    """Of all organizations, in those hours."""
    organizations: tuple[Spender, ...] = ()


class LlmUsage:
    """Reads the log of requests; *limits* are the dollars a day that differ from *limit_usd*."""

    def __init__(
        self,
        database: Database,
        *,
        limit_usd: float | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._database = database
        self._limit = limit_usd
        self._limits = dict(limits or {})

    @activity.defn(name="llm.top_organizations")
    async def top(self, ask: TopOrganizations) -> Spending:
        """Sum up what was spent, by organization, and what of its day's limit that is."""
        asked = {"seconds": ask.hours * 3600, "most": ask.most}
        async with self._database.session() as session:
            rows = await (await session.execute(_HOUR, asked)).fetchall()
            named = {"organizations": [row["organization"] for row in rows]}
            spent = await (await session.execute(_DAY, named)).fetchall() if rows else []
        days = {row["organization"]: row["cost"] or 0.0 for row in spent}
        return Spending(
            hours=ask.hours,
            total_usd=(rows[0]["total"] or 0.0) if rows else 0.0,
            organizations=tuple(
                Spender(
                    organization=(row["organization"] or "none")[:_LONGEST_NAME],
                    requests=row["requests"],
                    cost_usd=row["cost"] or 0.0,
                    day_usd=days.get(row["organization"], 0.0),
                    limit_usd=self._limits.get(row["organization"] or "", self._limit),
                )
                for row in rows
            ),
        )
