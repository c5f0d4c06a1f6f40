"""How pm2 rotates the logs of what it runs, and switching that on."""

from __future__ import annotations

import re

from pydantic import Field
from temporalio import activity

from activities import host_commands
from activities.changes import Targets, attempt, heartbeats
from activities.errors import Refused, Unwell
from activities.redaction import plain
from activities.ssh import Session, Ssh
from activities.words import Answer, Done, Nothing, Order

_SET = re.compile(r"^\$ pm2 set pm2-logrotate:(\w+) (.{0,60})$", re.MULTILINE)


class Rotation(Answer):
    """How logs are rotated; without the module they are not."""

    installed: bool
    values: dict[str, str] = Field(default_factory=dict)
    """max_size, retain and compress, where they are set."""

    @property
    def on(self) -> bool:
        """Whether a log is cut at a size, and the old ones are dropped at some time."""
        return self.installed and bool(self.values.get("max_size")) and self._drops

    @property
    def _drops(self) -> bool:
        # To the module "all" keeps every file for ever.
        return self.values.get("retain", "").isdecimal()


class RotateLogs(Order):
    """An order to cut each log at a size and to keep so many old ones, compressed."""

    max_size: str = Field(default="50M", pattern=r"^[1-9]\d{0,4}[KMG]$")
    retain: int = Field(default=7, ge=1, le=1000)

    @property
    def wanted(self) -> dict[str, str]:
        """The values of pm2's module."""
        return {"max_size": self.max_size, "retain": str(self.retain), "compress": "true"}


class LogRotation:
    """Reads and sets the rotation of logs on one host."""

    def __init__(self, ssh: Ssh, *, targets: Targets) -> None:
        self._ssh = ssh
        self._targets = targets

    @activity.defn(name="host.log_rotation")
    async def look(self, ask: Nothing) -> Rotation:  # noqa: ARG002
        """Read how logs are rotated."""
        async with self._ssh.session() as session:
            return await _rotation(session)

    @activity.defn(name="host.rotate_logs.read")
    async def rotate_read(self, order: RotateLogs) -> Rotation:  # noqa: ARG002
        """Read what was set; the module itself is not installed while a disk is full."""
        async with self._ssh.session() as session:
            present = await _rotation(session)
        if not present.installed:
            raise Refused(
                "pm2-logrotate is not installed; to fetch a program from the internet onto a "
                "production host is for a person: `pm2 install pm2-logrotate`"
            )
        return present

    @activity.defn(name="host.rotate_logs")
    async def rotate(self, order: RotateLogs, before: Rotation) -> Done:
        """Set what is not as ordered yet; it stays, for logs grow again."""
        with attempt() as this:
            target = f"{self._ssh.host}/logs"
            async with (
                self._targets.one_at_a_time(target),
                heartbeats("switching on rotation"),
                self._ssh.session() as session,
            ):
                present = await _rotation(session)
                for key, value in order.wanted.items():
                    was = present.values.get(key)
                    if was == value:
                        continue
                    if this.first and was != before.values.get(key):
                        raise Refused(f"somebody set {key} to {was!r} meanwhile: left to a person")
                    (await session.run(host_commands.set_rotation(key, value))).must()
                    this.acted()
                present = await _rotation(session)
        wrong = [key for key, value in order.wanted.items() if present.values.get(key) != value]
        if wrong:
            raise Unwell(f"pm2-logrotate took the order, and not {', '.join(wrong)}")
        kept = f"logs are cut at {order.max_size}, and {order.retain} old ones are kept"
        return Done(said=kept, changed=not this.untouched)


async def _rotation(session: Session) -> Rotation:
    ran = await session.run(host_commands.rotation())
    # Where nothing is known of the module, pm2 says nothing and exits with 1, or with 0.
    if ran.status == 127:
        raise ran.failure()
    values = dict(_SET.findall(plain(ran.out)))
    return Rotation(
        installed=bool(values),
        values={key: values[key] for key in ("max_size", "retain", "compress") if key in values},
    )
