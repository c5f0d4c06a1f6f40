"""The settings: read once, at start, from ``RESPONDER_…`` variables and from ``responder.toml``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from activities.commands import WORD
from activities.pagerduty import DEFAULT_ROUTE
from workers.cache_settings import CacheSettings
from workers.deployment_settings import GitHubSettings, ReleasesSettings, SentrySettings
from workers.email_settings import EmailSettings
from workers.expo_settings import ExpoSettings
from workers.infrastructure_settings import ApiSettings, DiskSettings
from workers.kubernetes_settings import KubernetesSettings
from workers.llm_settings import LlmSettings
from workers.outage_settings import (
    FailoverSettings,
    IntegritySettings,
    MaintenanceSettings,
    ReachSettings,
)
from workers.pagerduty_settings import PagerDutySettings
from workers.pages_settings import DashboardSettings, PagesSettings
from workers.proof_settings import ProofSettings
from workers.sections import (
    AlertmanagerSettings,
    CodecSettings,
    DoorSettings,
    HostSettings,
    PostgresSettings,
    ProcessesSettings,
    PrometheusSettings,
    RedisSettings,
    ReportsSettings,
    TelemetrySettings,
    WorkerSettings,
    passwords,
)
from workers.slack_settings import SlackSettings
from workers.status_settings import FlowsSettings, StatusPagesSettings
from workers.summary_settings import SummarySettings
from workflows.policy import Policy
from workflows.procedures.base import Given

PREFIX = "RESPONDER_"
CONFIG = f"{PREFIX}CONFIG"
"""Names the file; without it, a ``responder.toml`` in the working folder is read."""
DEFAULT_FILE = "responder.toml"
_NOT_OURS = {CONFIG, f"{PREFIX}PROGRAMS"}


class SettingsWrong(ValueError):
    """The settings cannot be used; the text names each field, and the variable that sets it."""


class Settings(BaseSettings):
    """Everything that is decided outside of the program."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a variable that compose or a shell passes on empty is not set
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    environment: str = Field(default="", max_length=100)
    """What the platform is called where an alert does not say: production, staging."""
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    redis: RedisSettings = RedisSettings()
    cache: CacheSettings = CacheSettings()
    postgres: PostgresSettings = PostgresSettings()
    host: HostSettings = HostSettings()
    reach: ReachSettings = ReachSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    integrity: IntegritySettings = IntegritySettings()
    failover: FailoverSettings = FailoverSettings()
    processes: ProcessesSettings = ProcessesSettings()
    api: ApiSettings = ApiSettings()
    disk: DiskSettings = DiskSettings()
    slack: SlackSettings = SlackSettings()
    pagerduty: PagerDutySettings = PagerDutySettings()
    proof: ProofSettings = ProofSettings()
    status_pages: StatusPagesSettings = StatusPagesSettings()
    flows: FlowsSettings = FlowsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    pages: PagesSettings = PagesSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    email: EmailSettings = EmailSettings()
    expo: ExpoSettings = ExpoSettings()
    llm: LlmSettings = LlmSettings()
    releases: ReleasesSettings = ReleasesSettings()
    github: GitHubSettings = GitHubSettings()
    sentry: SentrySettings = SentrySettings()
    reports: ReportsSettings = ReportsSettings()
    summary: SummarySettings = SummarySettings()
    policy: Policy = Policy()
    given: Given = Given()
    door: DoorSettings = DoorSettings()
    worker: WorkerSettings = WorkerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    codec: CodecSettings = CodecSettings()

    @model_validator(mode="after")
    def _known_alerts(self) -> Self:
        if strange := _strange_alerts(self.policy):
            raise ValueError(
                f"policy.modes: there is no procedure for {', '.join(strange)} "
                f"({variable('policy', 'modes')})"
            )
        return self

    @model_validator(mode="after")
    def _agreeing(self) -> Self:
        if bool(self.llm.summary) is not self.policy.summary:
            raise ValueError(
                "policy.summary: a summary by a model needs this and llm.summary alike "
                f"({variable('policy', 'summary')}, {variable('llm', 'summary')})"
            )
        for names in self.policy.phones.values():
            # The door has the policy and no tokens: those are the worker's.
            if self.expo.phones and (lacks := sorted(set(names) - set(self.expo.phones))):
                raise ValueError(
                    f"policy.phones: {', '.join(lacks)} has no push token "
                    f"({variable('expo', 'phones')})"
                )
        for name, text in (("app", self.given.app), ("redis_unit", self.given.redis_unit)):
            if text and not WORD.fullmatch(text):
                raise ValueError(
                    f"given.{name}: is not a name of letters, digits and _ . @ : - alone "
                    f"({variable('given', name)})"
                )
        return self

    @model_validator(mode="after")
    def _known_levels(self) -> Self:
        levels = {"on-call"}.union(*(each.levels for each in self.policy.severities.values()))
        named = {
            ("policy", "phones"): set(self.policy.phones),
            ("policy", "addresses"): set(self.policy.addresses),
            ("pagerduty", "routing_keys"): set(self.pagerduty.routes) - {DEFAULT_ROUTE},
            ("pagerduty", "escalation_policies"): set(self.pagerduty.policies),
            ("proof", "level"): {self.proof.level},
        }
        for path, chosen in named.items():
            for level in sorted(chosen - levels):
                setting = path if path[0] != "pagerduty" else (*path, level.replace("-", "_"))
                raise ValueError(
                    f"{'.'.join(path)}: no severity has a level {level!r}; there are "
                    f"{', '.join(sorted(levels))} ({variable(*setting)})"
                )
        return self

    @model_validator(mode="after")
    def _known_audiences(self) -> Self:
        heard = set(self.policy.audiences)
        # The door has the policy, and may know no channel.
        lacks = heard - set(self.slack.channels) if self.slack.channels else set()
        if wrong := sorted(lacks | heard & {"incidents"}):
            raise ValueError(
                f"policy.audiences: {', '.join(wrong)} must be a channel of slack.channels, other "
                f"than incidents, which hears everything ({variable('policy', 'audiences')})"
            )
        return self

    @model_validator(mode="after")
    def _known_people(self) -> Self:
        known = {"slack": self.slack.people, "pagerduty": self.pagerduty.people}
        for section, people in known.items():
            for user, name in people.items():
                if self.policy.rights(name) is None:
                    raise ValueError(
                        f"{section}.people: {user} is {name!r}, whom policy.people does not have "
                        f"({variable(section, 'people')})"
                    )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        sources = [init_settings, env_settings]
        if file := _file():
            sources.append(TomlConfigSettingsSource(settings_cls, file))
        return tuple(sources)


def _strange_alerts(policy: Policy) -> list[str]:
    """Name what has a mode of its own and no procedure: it was meant for another one."""
    if not policy.modes:
        return []
    from workflows.procedures import PROCEDURES  # only where it is asked for: there are many

    return sorted(set(policy.modes) - {procedure.__name__ for procedure in PROCEDURES})


def load() -> Settings:
    """Read the settings, or say what is wrong with them."""
    try:
        wrong = [f"{name}: there is no such setting" for name in _strangers(os.environ)]
        if wrong:
            raise SettingsWrong(_listed(wrong))
        return Settings()
    except ValidationError as error:
        # Of an error only place and reason are told: the rest quotes what was given.
        raise SettingsWrong(_listed([_said(each) for each in error.errors()])) from None
    except SettingsError as error:
        raise SettingsWrong(_listed([f"{error}: it is not the JSON that is expected"])) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SettingsWrong(_listed([f"{_file()}: {reason}"])) from None
    except ValueError as error:
        if isinstance(error, SettingsWrong):
            raise
        raise SettingsWrong(_listed([f"{_file()}: {error}"])) from None


def variable(*path: str) -> str:
    """Name the variable that sets a field."""
    return PREFIX + "__".join(path).upper()


def secrets_of(part: BaseModel) -> list[str]:
    """List every secret in *part*, and what a connection string among them hides."""
    return [secret for value in vars(part).values() for secret in _secrets(value) if secret]


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
        yield from passwords(value.get_secret_value())
    elif isinstance(value, BaseModel):
        yield from secrets_of(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _secrets(each)


def _file() -> Path | None:
    named = os.environ.get(CONFIG)
    if named:
        path = Path(named)
        if not path.is_file():
            raise SettingsWrong(_listed([f"{CONFIG}: there is no file {path}"]))
        return path
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _strangers(environment: Mapping[str, str]) -> list[str]:
    known = {variable(name) for name in Settings.model_fields}
    return sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX)
        and name.upper() not in _NOT_OURS
        and name.upper().partition("__")[0] not in known
    )


def _said(error: Mapping[str, Any]) -> str:
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        reason = "there is no such setting"
    else:
        reason = str(error["msg"]).removeprefix("Value error, ")
    if not path:
        return reason
    # Of a whole section: its fields are what is set.
    more = "__…" if len(path) == 1 and error["type"] == "value_error" else ""
    # A list is set by one variable, whichever of its members is wrong.
    named = [str(part) for part in error["loc"] if isinstance(part, str)]
    return f"{'.'.join(path)}: {reason} ({variable(*named)}{more})"


def _listed(wrong: list[str]) -> str:
    return "the settings cannot be used:\n" + "\n".join(f"  {line}" for line in wrong)
