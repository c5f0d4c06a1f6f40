"""What Alertmanager holds open: a resolve can be lost or come first, so incidents compare."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
from pydantic import AwareDatetime, Field, SecretStr, TypeAdapter, ValidationError
from temporalio import activity

from activities.errors import Refused, Unavailable, from_status
from activities.expressions import any_of, matcher
from activities.redaction import READ, beginning
from activities.words import CUT_BYTES, Answer, Name, Order

_SYSTEM = "Alertmanager"
_SECONDS = 10.0
_MOST_BYTES = 8 * 1024 * 1024
_SAID = 300


class OpenAlerts(Order):
    """A question for the alerts that have exactly these labels and one of these names."""

    labels: dict[str, str] = Field(default_factory=dict)
    names: tuple[Name, ...] = ()
    """Empty: alerts of any name."""


class OpenAlert(Answer):
    """One alert as Alertmanager holds it."""

    fingerprint: str
    labels: dict[str, str]
    starts_at: AwareDatetime
    state: Literal["active", "suppressed", "unprocessed"]
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()


class OpenAlertsAnswer(Answer):
    """The alerts that are open, oldest first."""

    alerts: tuple[OpenAlert, ...]
    truncated: int = 0
    """How many more there are: nothing may be concluded from what is not here."""


class _Status(Answer):
    state: Literal["active", "suppressed", "unprocessed"]
    silenced_by: tuple[str, ...] = Field(default=(), alias="silencedBy")
    inhibited_by: tuple[str, ...] = Field(default=(), alias="inhibitedBy")
    muted_by: tuple[str, ...] = Field(default=(), alias="mutedBy")


class _Gettable(Answer):
    fingerprint: str
    labels: dict[str, str]
    starts_at: AwareDatetime = Field(alias="startsAt")
    status: _Status


_GETTABLE = TypeAdapter(tuple[_Gettable, ...])


class Alertmanager:
    """Asks one Alertmanager, or one member of a cluster of them."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        *,
        token: SecretStr | None = None,
        basic: tuple[str, SecretStr] | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._token = token
        self._basic = basic
        self._seconds = seconds

    @activity.defn(name="alertmanager.open_alerts")
    async def open_alerts(self, ask: OpenAlerts) -> OpenAlertsAnswer:
        """List the open alerts; silenced and inhibited ones are open as well."""
        try:
            filters = [matcher(name, value) for name, value in sorted(ask.labels.items())]
        except ValueError as error:
            raise Refused(str(error)) from None
        if ask.names:
            filters.append(any_of("alertname", ask.names))
        try:
            held = _GETTABLE.validate_json(await self._get("/api/v2/alerts", filters))
        except ValidationError:
            raise Unavailable(
                f"{_SYSTEM}'s answer is not a list of alerts: is its address right?"
            ) from None
        alerts = [
            OpenAlert(
                fingerprint=each.fingerprint,
                labels=each.labels,
                starts_at=each.starts_at,
                state=each.status.state,
                silenced_by=each.status.silenced_by,
                inhibited_by=(*each.status.inhibited_by, *each.status.muted_by),
            )
            for each in sorted(held, key=lambda each: each.starts_at)
        ]
        fitting = _fitting(alerts)
        return OpenAlertsAnswer(alerts=tuple(alerts[:fitting]), truncated=len(alerts) - fitting)

    async def _get(self, path: str, filters: list[str]) -> bytes:
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        auth = httpx.BasicAuth(self._basic[0], self._secret) if self._basic else None
        request = self._http.build_request(
            "GET",
            self._url + path,
            params={"filter": filters} if filters else None,
            headers=headers,
            timeout=self._seconds,
        )
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):  # httpx counts each read by itself
                answer = await self._http.send(request, auth=auth, stream=True)
                try:
                    async for piece in answer.aiter_bytes():
                        body += piece
                        if len(body) > _MOST_BYTES:
                            raise Unavailable(f"{_SYSTEM}'s answer is over {_MOST_BYTES >> 20} MiB")
                finally:
                    await answer.aclose()
        except (httpx.TimeoutException, TimeoutError):
            raise Unavailable(f"{_SYSTEM} did not answer within {self._seconds:g} s") from None
        except httpx.HTTPError as error:
            # Its text can hold the address with a password in it: only the kind is passed on.
            raise Unavailable(f"{_SYSTEM} cannot be reached ({type(error).__name__})") from None
        if not answer.is_success:
            text = bytes(body[:READ]).decode(errors="replace")
            said = beginning(text, _SAID, self._secret, cut=len(body) > READ)
            raise from_status(_SYSTEM, answer.status_code, said, answer.headers, writes=False)
        return bytes(body)

    @property
    def _secret(self) -> str:
        secret = self._token or (self._basic[1] if self._basic else None)
        return secret.get_secret_value() if secret else ""


def _fitting(alerts: list[OpenAlert]) -> int:
    """Count how many of *alerts* one answer may hold."""
    size = 0
    for count, alert in enumerate(alerts):
        size += len(alert.model_dump_json())
        if size > CUT_BYTES:
            return count
    return len(alerts)
