"""Settings of what was deployed: the releases on the host, GitHub, and Sentry."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from activities.github import ENVIRONMENT, GITHUB_URL, MIGRATIONS, SCHEMA
from activities.pm2 import ReleaseFolders
from activities.sentry import SENTRY_URL
from workers.sections import Section
from workers.values import HostPath, Web

_NOTHING = SecretStr("")
FileName = Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}$")]
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,100}$")]


class ReleasesSettings(Section):
    """Prebuilt releases on the API's host, to which a rollback can switch."""

    root: HostPath = ""
    """The folder with ``releases/<name>`` and ``current``, a link to one of them; empty: no
    rollback by us."""
    ready_file: FileName = ".ready"
    """Written into a release's folder by its deployment, last."""
    left_file: FileName = ".rolled-back"
    """Written into the folder of a release that an incident has left."""
    lock_file: FileName = "deploy.lock"
    """In the root while a deployment is under way: no rollback meanwhile."""

    @property
    def folders(self) -> ReleaseFolders | None:
        """Give them as pm2's adapter takes them."""
        if not self.root:
            return None
        return ReleaseFolders(self.root, self.ready_file, self.left_file, self.lock_file)


class GitHubSettings(Section):
    """GitHub: which deployments there were, and what files each changed."""

    repository: str = Field(default="", pattern=r"^$|^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")
    """As ``owner/name``."""
    token: SecretStr = _NOTHING
    """May read deployments and contents, and nothing else."""
    environment: str = Field(default="production", max_length=100)
    base_url: Web = GITHUB_URL
    migrations: tuple[str, ...] = MIGRATIONS
    """Expressions for the paths by which a change is a migration."""
    schema_files: tuple[str, ...] = SCHEMA
    environment_files: tuple[str, ...] = ENVIRONMENT

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.repository and not self.token.get_secret_value():
            raise ValueError("a repository needs a token too")
        return self


class SentrySettings(Section):
    """Sentry: the newest errors and the slowest transactions."""

    organization: Slug = ""
    project: Slug = ""
    """Id of the project; all of them when left out."""
    environment: str = Field(default="", max_length=100)
    token: SecretStr = _NOTHING
    """May read events (``event:read``), and nothing else."""
    base_url: Web = SENTRY_URL

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token.get_secret_value() and not self.organization:
            raise ValueError("a token needs the organization too")
        return self
