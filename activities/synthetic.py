"""Walks the platform as a user does, by HTTP: log in, open the dashboard, look at a subscription.

Each flow is one request whose answer is known beforehand. The maintenance page is walked past with
the bypass header, where the settings have one; `as_user` leaves it out, and sees what users see.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr
from temporalio import activity

from activities.errors import Failed, NotConfigured, Refused
from activities.verification import Sample
from activities.web import Answered, Web
from activities.words import Answer, Name, Order

_MOST_BYTES = 1024 * 1024
_SECONDS = 5.0


@dataclass(frozen=True)
class Flow:
    """One way of a user: what is asked, and by which answer it is known to work."""

    name: str
    path: str
    method: str = "GET"
    status: int = 200
    text: str = ""
    """What a good answer says somewhere; empty takes any."""
    body: SecretStr | None = None
    """JSON that is sent: a synthetic user's password may be in it."""
    headers: Mapping[str, SecretStr] = field(default_factory=dict)


class CheckFlows(Order):
    """A question whether flows of users work."""

    names: tuple[Name, ...] = ()
    """Empty: all that are configured."""
    as_user: bool = False
    """Without the bypass header: a maintenance page is then what users see."""


class FlowSeen(Answer):
    """One flow as it went."""

    name: str
    good: bool
    said: str
    took_seconds: float


class FlowsSeen(Answer):
    """All flows that were asked for, as they are configured in order."""

    flows: tuple[FlowSeen, ...]

    @property
    def good(self) -> bool:
        """Whether every one works."""
        return all(each.good for each in self.flows)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Those that do not work, each with its reason."""
        return tuple(f"{each.name}: {each.said}" for each in self.flows if not each.good)


class Flows:
    """Walks the configured flows of one site, each once, side by side."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        flows: Sequence[Flow],
        *,
        bypass: Mapping[str, SecretStr] | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        self._web = Web(http, "the platform", seconds=seconds, most_bytes=_MOST_BYTES)
        self._url = url.rstrip("/")
        self._flows = tuple(flows)
        self._bypass = dict(bypass or {})

    @activity.defn(name="flows.check")
    async def check(self, ask: CheckFlows) -> FlowsSeen:
        """Walk each flow once; one that fails in any way is an answer, not an error."""
        if not self._flows:
            raise NotConfigured("the check of user flows", "RESPONDER_FLOWS__FLOWS")
        known = {flow.name: flow for flow in self._flows}
        if strangers := [name for name in ask.names if name not in known]:
            raise Refused(f"no flow is called {', '.join(strangers)}; there are {', '.join(known)}")
        wanted = [known[name] for name in ask.names] if ask.names else self._flows
        seen = await asyncio.gather(*(self._walk(flow, as_user=ask.as_user) for flow in wanted))
        return FlowsSeen(flows=tuple(seen))

    async def sample(self) -> Sample:
        """Look once whether all flows work behind a maintenance page."""
        return await self._sample(CheckFlows())

    async def sample_as_user(self) -> Sample:
        """Look once whether all flows work for users, who have no bypass."""
        return await self._sample(CheckFlows(as_user=True))

    async def _sample(self, ask: CheckFlows) -> Sample:
        seen = await self.check(ask)
        slowest = max(each.took_seconds for each in seen.flows)
        note = "; ".join(seen.complaints)
        return Sample(at=datetime.now(UTC), good=seen.good, value=slowest, note=note)

    async def _walk(self, flow: Flow, *, as_user: bool) -> FlowSeen:
        secret = {**flow.headers, **({} if as_user else self._bypass)}
        headers = {name: value.get_secret_value() for name, value in secret.items()}
        content = flow.body.get_secret_value().encode() if flow.body else None
        if content:
            headers.setdefault("Content-Type", "application/json")
        began = time.monotonic()
        try:
            answer = await self._web.ask(
                flow.method, self._url + flow.path, headers=headers, content=content
            )
        except Failed as failed:
            said = failed.message
        else:
            said = complaint(answer, flow)
        took = round(time.monotonic() - began, 3)
        return FlowSeen(name=flow.name, good=not said, said=said, took_seconds=took)


def complaint(answer: Answered, flow: Flow) -> str:
    """Say what is wrong with an answer; empty is as expected."""
    if answer.status != flow.status:
        return f"answers {answer.status} instead of {flow.status}"
    if flow.text and flow.text not in answer.text:
        return f"answers {answer.status}, but without {flow.text!r}"
    return ""
