"""The deploy log that the API server keeps, one JSON object a line."""

import json
from datetime import UTC, datetime, timedelta


def line(release: str, author: str, at: datetime | None = None, **told: object) -> str:
    """Write what a deployment writes; a release that came before tells how it ran."""
    found = {
        "at": (at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "release": release,
        "author": author,
        "migrations": False,
        "schema_changed": False,
        "environment_changed": False,
        **told,
    }
    return json.dumps(found) + "\n"


def history() -> str:
    """Write a log whose last entry is too old to be a cause."""
    now = datetime.now(UTC)
    releases = (
        (timedelta(days=9), "v1.41.0", "ana", "5b1c0de", True),
        (timedelta(days=4), "v1.41.1", "marek", "9f0aa31", False),
        (timedelta(hours=30), "v1.42.0", "ana", "c41d7e2", False),
    )
    return "".join(
        line(
            release,
            author,
            now - ago,
            commit=commit,
            migrations=migrations,
            # Half a day of each, as its pipeline measured it.
            healthy_minutes=720,
        )
        for ago, release, author, commit, migrations in releases
    )
