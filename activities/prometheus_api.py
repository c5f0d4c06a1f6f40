"""One question to Prometheus's HTTP API, by a blocking client in threads of its own."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from activities.errors import Failed, Refused, Unavailable, from_status
from activities.redaction import beginning

if TYPE_CHECKING:
    import requests
    from prometheus_api_client import PrometheusConnect

MOST_BYTES = 8 * 1024 * 1024
"""Of one answer; what is larger was asked wrongly."""
_GRACE_SECONDS = 1.0
"""Between the time-out that Prometheus is given and our own, so that its words arrive."""
_SYSTEM = "Prometheus"
_WORDS = 500
_ASKED_WRONGLY = {"bad_data", "execution", "not_found", "not_acceptable"}

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """The envelope of one successful answer."""

    kind: str
    """vector, matrix, scalar or string"""
    result: list[Any]
    warnings: tuple[str, ...]

    def values(self) -> list[tuple[dict[str, str], float | None, datetime]]:
        """Take the series of an instant query: labels, value, time."""
        if self.kind == "scalar":
            at, raw = self.result
            return [({}, _number(raw), _time(at))]
        if self.kind != "vector":
            raise Refused(f"the expression yields a {self.kind or 'nothing'} instead of values")
        # A native histogram has "histogram" in place of "value": nothing that could be compared.
        return [
            (each["metric"], _number(each["value"][1]), _time(each["value"][0]))
            for each in self.result
            if "value" in each
        ]

    def history(self) -> Iterator[tuple[datetime, float]]:
        """Take the numbers of all series of a range query, with their times."""
        if self.kind != "matrix":
            raise Refused(f"the expression yields a {self.kind or 'nothing'} instead of a history")
        for series in self.result:
            for at, raw in series.get("values", ()):
                value = _number(raw)
                if value is not None:
                    yield _time(at), value


@dataclass
class _Seen:
    """What the response hook saw: the library passes on neither status, nor error, nor warnings."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    envelope: dict[str, Any] | None = None


class PrometheusApi:
    """Asks Prometheus; a thread has its own session, for sessions are not made to be shared."""

    def __init__(
        self,
        url: str,
        *,
        token: SecretStr | None = None,
        basic: tuple[str, SecretStr] | None = None,
        authority: Path | None = None,
        seconds: float = 10.0,
        at_once: int = 16,
    ) -> None:
        """Take where Prometheus is; nothing is asked yet.

        Args:
            url: Its address, with the path prefix if it has one.
            token: Bearer token.
            basic: User name and password, where there is no token.
            authority: Certificates that its own is checked against, instead of the usual ones.
            seconds: Given to one query.
            at_once: Queries at the same time; the rest wait.
        """
        self._url = url.rstrip("/")
        self._token = token
        self._basic = basic
        self._authority = authority
        self._seconds = seconds
        # Not the loop's own pool: a Prometheus that hangs would take name resolution with it.
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="prometheus")
        self._of_thread = threading.local()
        self._asking: dict[str, asyncio.Task[Answered]] = {}
        self._secrets = [s.get_secret_value() for s in (token, basic and basic[1]) if s]

    async def instant(self, expression: str, at: datetime | None = None) -> Answered:
        """Evaluate *expression* at one time, by Prometheus's clock when *at* is None.

        What is asked for now, and is being asked already, is asked once: in a storm many incidents
        watch the same.
        """
        if at is not None:
            return await self._instant(expression, at)
        asking = self._asking.get(expression)
        if asking is None:
            asking = asyncio.create_task(self._instant(expression, None))
            self._asking[expression] = asking
            asking.add_done_callback(lambda task: self._answered(expression, task))
        # Whoever gives up takes it from nobody else.
        return await asyncio.shield(asking)

    def _answered(self, expression: str, task: asyncio.Task[Answered]) -> None:
        self._asking.pop(expression, None)
        if not task.cancelled():
            task.exception()  # seen, also where all who asked have gone

    async def _instant(self, expression: str, at: datetime | None) -> Answered:
        when = {} if at is None else {"time": f"{at.timestamp():.3f}"}
        params = {**when, "timeout": f"{self._seconds:g}s"}
        return await self._ask(
            lambda connect, wait: connect.custom_query(expression, params=params, timeout=wait)
        )

    async def over(
        self, expression: str, start: datetime, end: datetime, step_seconds: float
    ) -> Answered:
        """Evaluate *expression* at each step between two times."""
        params = {"timeout": f"{self._seconds:g}s"}
        return await self._ask(
            lambda connect, wait: connect.custom_query_range(
                expression, start, end, f"{step_seconds:g}", params=params, timeout=wait
            )
        )

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, query: Callable[[PrometheusConnect, float], list[Any]]) -> Answered:
        loop = asyncio.get_running_loop()
        try:
            # A thread ends by a deadline of its own; this one is for the wait for a free thread.
            async with asyncio.timeout(2 * (self._seconds + _GRACE_SECONDS)):
                return await loop.run_in_executor(self._threads, self._blocking, query)
        except TimeoutError:
            raise Unavailable(f"{_SYSTEM} is too slow: queries wait for each other") from None

    def _blocking(self, query: Callable[[PrometheusConnect, float], list[Any]]) -> Answered:
        import requests
        import urllib3
        from prometheus_api_client.exceptions import PrometheusApiClientException

        wait = self._seconds + _GRACE_SECONDS
        connect = self._connect()
        self._of_thread.seen = seen = _Seen()
        self._of_thread.deadline = time.monotonic() + wait
        try:
            result = query(connect, wait)
        except PrometheusApiClientException:
            raise self._classified(seen) from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            raise Unavailable(f"{_SYSTEM} did not answer within {wait:g} s") from None
        except (requests.exceptions.JSONDecodeError, KeyError, TypeError):
            raise self._classified(seen) from None
        except requests.exceptions.SSLError:
            raise Refused(f"{_SYSTEM}'s certificate is not one that is trusted here") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema):
            raise Refused(f"{_SYSTEM}'s address in the settings is none") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            # Its text can hold the address with a password in it: only the kind is passed on.
            raise Unavailable(f"{_SYSTEM} cannot be reached ({type(error).__name__})") from None
        if seen.envelope is None:
            raise self._classified(seen)
        warnings = [*seen.envelope.get("warnings", ()), *seen.envelope.get("infos", ())]
        return Answered(
            kind=str(seen.envelope.get("data", {}).get("resultType", "")),
            result=result,
            warnings=tuple(self._said(str(each)) for each in warnings[:10]),
        )

    def _connect(self) -> PrometheusConnect:
        import requests
        from prometheus_api_client import PrometheusConnect
        from urllib3 import Retry

        connect: PrometheusConnect | None = getattr(self._of_thread, "connect", None)
        if connect is None:
            session = requests.Session()
            session.trust_env = False  # a .netrc would replace our Authorization header
            session.verify = str(self._authority) if self._authority else True
            session.hooks["response"].append(self._read)
            headers = (
                {"Authorization": f"Bearer {self._token.get_secret_value()}"} if self._token else {}
            )
            auth = (self._basic[0], self._basic[1].get_secret_value()) if self._basic else None
            # Without a Retry of our own the library waits and retries for seconds, in this thread.
            connect = PrometheusConnect(
                self._url, headers=headers, auth=auth, session=session, retry=Retry(0)
            )
            self._of_thread.connect = connect
        return connect

    def _read(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Read the body here, where its size and its time can be bounded, and keep what it says."""
        seen: _Seen = self._of_thread.seen
        body = bytearray()
        # read1 gives what is there; read and iter_content wait for more, past any deadline.
        while piece := response.raw.read1(64 * 1024, decode_content=True):
            body += piece
            if len(body) > MOST_BYTES:
                response.close()
                raise Unavailable(f"{_SYSTEM}'s answer is larger than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > self._of_thread.deadline:
                response.close()
                raise TimeoutError
        response._content = bytes(body)  # noqa: SLF001 (as requests itself keeps a body that was read)
        seen.status = response.status_code
        seen.headers = dict(response.headers)
        try:
            envelope = json.loads(body)
        except ValueError:
            envelope = None
        seen.envelope = envelope if isinstance(envelope, dict) else None

    def _classified(self, seen: _Seen) -> Failed:
        kind = str((seen.envelope or {}).get("errorType", ""))
        if seen.envelope is not None and kind:
            text = f"{_SYSTEM}: {kind}: {self._said(str(seen.envelope.get('error', '')))}"
            return Refused(text) if kind in _ASKED_WRONGLY else Unavailable(text)
        if 200 <= seen.status < 400:
            # A proxy's own page passes: it is no answer, and no refusal either.
            return Unavailable(
                f"{seen.status} without an answer of {_SYSTEM}: something else stands at its "
                "address, perhaps a login page"
            )
        return from_status(_SYSTEM, seen.status, headers=seen.headers, writes=False)

    def _said(self, text: str) -> str:
        return beginning(text, _WORDS, *self._secrets)


def _number(raw: str) -> float | None:
    """Read a number; NaN and the infinities come of a division by zero and measure nothing."""
    value = float(raw)
    return value if math.isfinite(value) else None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
