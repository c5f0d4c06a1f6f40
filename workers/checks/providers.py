"""Looks at the services of others that we ask: models, Cloudflare, Sentry, GitHub, status pages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.cloudflare import CloudflareApi
from activities.cloudflare_kv import Cell, Place
from activities.errors import Failed, Refused
from activities.llm_clients import LlmClient
from activities.pages_project import Project
from activities.public_page import Publish
from activities.sentry import NewestIssues
from activities.status_pages import PROVIDERS, StatusOf, StatusPages
from workers.checks.check import Check, Seen
from workers.deployment_parts import github, sentry
from workers.llm_parts import llm_clients
from workers.settings import variable
from workers.status_parts import own_page

_SOON = timedelta(days=14)
_MOST_NAMED = 5


class _ModelCheck(Check):
    """Whether a provider lets us in, and has the model; nothing is completed."""

    provider: str

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return self._client is not None

    @property
    def _client(self) -> LlmClient | None:
        return llm_clients(self.settings.llm, self.http).get(self.provider)

    async def look(self) -> Seen:
        """List the models."""
        if (client := self._client) is None:
            raise Refused(f"{self.name} has no key")
        models = (await client.models()).must().models
        setting = variable("llm", self.provider, "model")
        if client.model not in models:
            named = ", ".join(sorted(models)[:_MOST_NAMED])
            lacks = f"the key may not use {client.model}: {setting} names another, such as {named}"
            return Seen(f"{len(models)} models", (lacks,))
        ends = models[client.model]
        told = f"; {client.model} ends on {ends}: {setting} names another" if ends else ""
        return Seen(f"{client.model} is there; that it is paid for is not tried{told}")


class OpenAiCheck(_ModelCheck):
    """OpenAI."""

    name = "OpenAI"
    setting = variable("llm", "openai", "key")
    provider = "openai"


class AnthropicCheck(_ModelCheck):
    """Anthropic."""

    name = "Anthropic"
    setting = variable("llm", "anthropic", "key")
    provider = "anthropic"


class MaintenanceCheck(Check):
    """Whether Cloudflare's token is alive and may read the flag of the maintenance page."""

    name = "the maintenance page"
    setting = variable("maintenance", "token")

    @property
    def configured(self) -> bool:
        """Whether there is a token."""
        return bool(self.settings.maintenance.token.get_secret_value())

    async def look(self) -> Seen:
        """Verify the token, and read the flag."""
        section = self.settings.maintenance
        api = CloudflareApi(self.http, section.token, url=section.base_url)
        told, lacks = await _verified(api, section.account)
        place = Place(section.account, section.namespace, section.key, section.base_url)
        try:
            flag = await Cell(self.http, place, section.token).get()
        except Refused as refused:
            right = "the token needs Account, Workers KV Storage, Edit, for this account"
            return Seen(told, (*lacks, f"{refused.message}; {right}"))
        shown = "no flag is set" if flag is None else "a flag is set"
        return Seen(f"{told}; {shown}; that it may write is not tried", lacks)


class PagesCheck(Check):
    """Whether Cloudflare's token is alive and may read the dashboard's project."""

    name = "Cloudflare Pages"
    setting = variable("pages", "project")

    @property
    def configured(self) -> bool:
        """Whether there is a project."""
        return bool(self.settings.pages.project)

    async def look(self) -> Seen:
        """Verify the token, and read the project."""
        section = self.settings.pages
        api = CloudflareApi(self.http, section.token, url=section.url)
        told, lacks = await _verified(api, section.account)
        try:
            live = await Project(api, section.account, section.project).live()
        except Refused as refused:
            right = "the token needs Account, Cloudflare Pages, Edit, for this account"
            return Seen(told, (*lacks, f"{refused.message}; {right}"))
        served = "is served" if live else "serves nothing yet"
        return Seen(
            f"{told}; {section.project} {served}; that it may roll back is not tried", lacks
        )


class SentryCheck(Check):
    """Whether Sentry lets us read events."""

    name = "Sentry"
    setting = variable("sentry", "token")

    @property
    def configured(self) -> bool:
        """Whether there is a token."""
        return bool(self.settings.sentry.token.get_secret_value())

    async def look(self) -> Seen:
        """List the newest errors, as an investigation does."""
        section = self.settings.sentry
        try:
            await sentry(section, self.http).issues(NewestIssues(most=1))
        except Refused as refused:
            right = f"the token needs event:read on {section.organization}"
            return Seen("", (f"{refused.message}; {right}",))
        return Seen(f"events of {section.organization} can be read")


class GitHubCheck(Check):
    """Whether GitHub lets us read deployments."""

    name = "GitHub"
    setting = variable("github", "repository")

    @property
    def configured(self) -> bool:
        """Whether there is a repository."""
        return bool(self.settings.github.repository)

    async def look(self) -> Seen:
        """List the last deployment, compared with the one before."""
        section = self.settings.github
        try:
            told = await github(section, self.http).releases(1)
        except Refused as refused:
            # GitHub says of what may not be seen that it is not there.
            right = f"the token needs Deployments: read and Contents: read on {section.repository}"
            return Seen("", (f"{refused.message}; {right}",))
        if told.lacks:
            return Seen("answers", (f"{told.lacks}; the token needs Contents: read",))
        where = f"{section.repository}, {section.environment}"
        none = f"; no deployment to {section.environment} yet"
        return Seen(f"deployments of {where} can be read{'' if told.releases else none}")


class StatusPagesCheck(Check):
    """Whether the providers' status pages can be read, and name what matters here."""

    name = "status pages"
    setting = variable("status_pages", "urls")

    @property
    def configured(self) -> bool:
        """Whether any has an address."""
        return any(self.settings.status_pages.pages.values())

    async def look(self) -> Seen:
        """Read each."""
        section = self.settings.status_pages
        pages = StatusPages(self.http, section.pages, section.named)
        asked = [name for name in PROVIDERS if section.pages.get(name)]
        found = await asyncio.gather(
            *(pages.status(StatusOf(provider=name)) for name in asked), return_exceptions=True
        )
        lacks = []
        for name, told in zip(asked, found, strict=True):
            if isinstance(told, Failed):
                lacks.append(f"{told.message} ({variable('status_pages', 'urls', name)})")
            elif isinstance(told, BaseException):
                raise told
            elif told.said.startswith("the page names no component"):
                lacks.append(
                    f"{name}: {told.said} ({variable('status_pages', 'components', name)})"
                )
        return Seen(f"{len(asked)} pages: {', '.join(asked)}", tuple(lacks))


class OwnPageCheck(Check):
    """Whether our own status page lets us list incidents; nothing is published."""

    name = "our status page"
    setting = variable("status_pages", "own", "page")

    @property
    def configured(self) -> bool:
        """Whether there is a page of ours."""
        return bool(self.settings.status_pages.own.page)

    async def look(self) -> Seen:
        """List what stands there."""
        page = own_page(self.settings, self.http)
        await page.publish_read(Publish(key="doctor", name="nothing", body="nothing"))
        wanted = self.settings.policy.public_from
        asks = f"people are asked from {wanted.value} on" if wanted else "nobody is asked"
        setting = variable("policy", "public_from")
        lacks = () if wanted else (f"it is set up, and never used: set {setting}",)
        return Seen(f"its incidents can be read; {asks}; that it takes more is not tried", lacks)


async def _verified(api: CloudflareApi, account: str) -> tuple[str, tuple[str, ...]]:
    """Ask whether the token is alive: one of a user, or one of the account."""
    try:
        told = await api.get("user/tokens/verify")
    except Refused as refused:
        try:
            told = await api.get(f"accounts/{account}/tokens/verify")
        except Failed:
            raise Refused(f"{refused.message}: make another token") from None
    answer: dict[str, Any] = told if isinstance(told, dict) else {}
    state = str(answer.get("status"))
    if state != "active":
        return f"the token is {state}", (f"the token is {state}: make another",)
    ends = str(answer.get("expires_on") or "")
    if ends and _ends_soon(ends):
        return f"the token ends on {ends}", (f"the token ends on {ends}: make another before",)
    return "the token is active", ()


def _ends_soon(ends: str) -> bool:
    try:
        at = datetime.fromisoformat(ends)
    except ValueError:
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) < datetime.now(UTC) + _SOON
