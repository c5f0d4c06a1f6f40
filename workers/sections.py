"""The sections of the settings, one for each system."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from activities.alerts import SCOPE_LABELS
from activities.switches import DECLARED, Declared, Switch
from workers.values import (
    Address,
    HostPath,
    Label,
    PostgresDsn,
    RedisUrl,
    Token,
    Variable,
    Web,
    Word,
)

_NOTHING = SecretStr("")
_PASSWORD = re.compile(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", re.IGNORECASE)
KEY_BYTES = 32
"""Of an AES-256 key."""


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AlertmanagerSettings(Section):
    """Alertmanager: what it shows at our door, and where its own is."""

    token: Token = _NOTHING
    """What it shows at the door as a bearer token."""
    url: Web = ""
    """Its API, with which open incidents are compared."""
    api_token: SecretStr = _NOTHING
    api_user: str = ""
    api_password: SecretStr = _NOTHING
    scope_labels: tuple[Label, ...] = Field(default=SCOPE_LABELS, min_length=1)
    """The labels whose values make two alerts the same incident."""


class PrometheusSettings(Section):
    """Prometheus: whether the platform is well."""

    url: Web = ""
    token: SecretStr = _NOTHING
    user: str = ""
    password: SecretStr = _NOTHING
    authority: Path | None = None
    """Certificates that its own is checked against."""


class RedisSettings(Section):
    """Redis, as the worker reaches it."""

    url: RedisUrl = _NOTHING


class PostgresSettings(Section):
    """PostgreSQL, as the worker reaches it."""

    dsn: PostgresDsn = _NOTHING


class HostSettings(Section):
    """The API's host, entered over ssh."""

    address: Address = ""
    port: int = Field(default=22, gt=0, le=65535)
    user: Word = ""
    key_file: Path | None = None
    known_hosts_file: Path | None = None
    redis_host: Word = "127.0.0.1"
    """Redis as the host reaches it."""
    redis_port: int = Field(default=6379, gt=0, le=65535)
    units: tuple[Word, ...] = ()
    """The services that may be restarted; none until they are named."""
    deploy_log: HostPath = ""
    """The host's log of deployments, JSON lines."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {"user": self.user, "key_file": self.key_file,
                  "known_hosts_file": self.known_hosts_file}  # fmt: skip
        lacks = [name for name, value in needed.items() if not value]
        if self.address and lacks:
            raise ValueError(f"address needs {', '.join(lacks)} too")
        return self


class ProcessesSettings(Section):
    """The API's processes, who keeps them, and how each is seen to be healthy."""

    kind: Literal["pm2", "kubernetes"] = "pm2"
    """Who keeps them: pm2 on the API's host, or a Deployment of a cluster."""
    health_url: Web = ""
    """Answers 200 once an instance is ready, seen from the worker."""
    ramp_seconds: float = Field(default=5.0, ge=0, le=300)
    """Between one instance and the next."""
    ready_seconds: float = Field(default=60.0, gt=0, le=300)
    """Given to an instance to be online and healthy."""
    settle_seconds: float = Field(default=3.0, ge=0, le=60)
    """Given to an order of an earlier attempt, still on its way, to arrive."""
    variables: dict[str, Variable] = Field(default_factory=dict)
    """Names of the platform's environment variables, by switch: in_memory_cache, llm_routing."""
    defaults: dict[str, str] = Field(default_factory=dict)
    """What a switch is where its variable is not set."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [switch.name.lower() for switch in Switch]
        for name in (*self.variables, *self.defaults):
            if name.lower() not in names:
                raise ValueError(f"{name} is not a switch; there are {', '.join(names)}")
        for switch, declared in self.switches.items():
            if not declared.values.fullmatch(declared.default):
                raise ValueError(f"defaults.{switch.name.lower()}: is not a value for {switch}")
        used = Counter(declared.variable for declared in self.switches.values())
        if twice := [name for name, count in used.items() if count > 1]:
            raise ValueError(f"variables: {', '.join(twice)} is that of two switches")
        return self

    @property
    def switches(self) -> dict[Switch, Declared]:
        """The declared switches, under the names that this platform gives them."""
        variables = {name.lower(): value for name, value in self.variables.items()}
        defaults = {name.lower(): value for name, value in self.defaults.items()}
        return {
            switch: replace(
                declared,
                variable=variables.get(switch.name.lower(), declared.variable),
                default=defaults.get(switch.name.lower(), declared.default),
            )
            for switch, declared in DECLARED.items()
        }


class ReportsSettings(Section):
    """Where reports are written, and where people find them."""

    folder: Path = Path("reports")
    base_url: Web = ""
    """The folder as a web server shows it; empty gives paths of files."""


class DoorSettings(Section):
    """The door that webhooks come to."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    insecure: bool = False
    """Takes alerts from anybody; on a loopback address alone."""
    body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    at_once: int = Field(default=20, ge=1, le=200)
    """Incidents of one delivery that are told at the same time."""
    deadline_seconds: float = Field(default=8.0, gt=0, le=60)
    """After which a delivery is answered, come what may: under the sender's own time-out."""


class WorkerSettings(Section):
    """The worker process."""

    build_id: str = ""
    """Turns worker versioning on."""
    deployment: str = "incident-responder"
    graceful_seconds: float = Field(default=20.0, ge=0, le=600)
    """Given to running activities when the process is to end."""


class TelemetrySettings(Section):
    """What Prometheus reads of ourselves."""

    bind_address: str = Field(default="", pattern=r"^$|^[^\s]+:\d{1,5}$")
    """Of the worker's metrics, as host:port; empty shows none."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


class CodecSettings(Section):
    """Encryption of what Temporal keeps."""

    keys: dict[str, SecretStr] = Field(default_factory=dict)
    """32 bytes in base64, by key id; an old key stays until no history needs it."""
    current: str = ""
    """Id of the key that encrypts; with one key, that one."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, key in self.keys.items():
            try:
                size = len(base64.b64decode(key.get_secret_value(), validate=True))
            except (binascii.Error, ValueError):
                size = 0
            if size != KEY_BYTES:
                raise ValueError(f"keys.{name} is not {KEY_BYTES} bytes in base64")
        if self.keys and self.chosen not in self.keys:
            raise ValueError(f"current names none of the keys: {', '.join(sorted(self.keys))}")
        return self

    @property
    def chosen(self) -> str:
        """Id of the key that encrypts, empty where none does."""
        return next(iter(self.keys)) if len(self.keys) == 1 and not self.current else self.current


def passwords(secret: str) -> Iterator[str]:
    """Find the passwords in a connection string; any other secret has none."""
    for quoted, bare in _PASSWORD.findall(secret):
        yield re.sub(r"\\(.)", r"\1", quoted) or bare
    if "://" not in secret:
        return
    try:
        password = urlsplit(secret).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
