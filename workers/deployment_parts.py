"""Puts together who tells of deployments, and Sentry."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

from activities.deployments import DeployLog, Deployments, Source
from activities.github import GitHub
from activities.host import Host
from activities.prometheus_api import PrometheusApi
from activities.sentry import Sentry
from activities.supervisor import Keeper
from workers.deployment_settings import GitHubSettings, SentrySettings
from workers.parts import Parts
from workers.settings import Settings, SettingsWrong, variable


def deployments(
    parts: Parts,
    settings: Settings,
    http: httpx.AsyncClient,
    told: Sequence[Source] = (),
    *,
    host: Host | None,
    keeper: Keeper | None,
    prometheus: PrometheusApi | None,
) -> None:
    """Add the history of releases from all sources that are set up, *told* first, and Sentry."""
    sources: list[Source] = [*told]
    if host is not None and settings.host.deploy_log:
        sources.append(DeployLog(host))
    if settings.github.repository:
        sources.append(github(settings.github, http))
    if sources:
        parts.add(Deployments(sources, supervisor=keeper, prometheus=prometheus))
    else:
        setting = f"{variable('host', 'deploy_log')} or {variable('github', 'repository')}"
        parts.lack("deployments", setting, Deployments)
    if settings.sentry.token.get_secret_value():
        parts.add(sentry(settings.sentry, http))
    else:
        parts.lack("Sentry", variable("sentry", "token"), Sentry)


def sentry(section: SentrySettings, http: httpx.AsyncClient) -> Sentry:
    """Make the client of Sentry."""
    return Sentry(
        http,
        section.organization,
        section.token,
        project=section.project,
        environment=section.environment,
        url=section.base_url,
    )


def github(section: GitHubSettings, http: httpx.AsyncClient) -> GitHub:
    """Make the client of GitHub."""
    paths = {
        "migrations": section.migrations,
        "schema": section.schema_files,
        "environment": section.environment_files,
    }
    try:
        return GitHub(
            http,
            section.repository,
            section.token,
            environment=section.environment,
            url=section.base_url,
            paths=paths,
        )
    except re.error:
        raise SettingsWrong("github: an expression for paths is none") from None
