"""Keeps the secrets of the settings out of every error that leaves an activity, and of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.errors import Failed
from activities.redaction import GONE, redact

_SHORTEST = 4
"""What is shorter stands in too many words to be taken out of all."""
_DEEPEST = 10


class Secrets:
    """The known secret values."""

    def __init__(self, values: Iterable[str]) -> None:
        # The longest first: a password may be part of a connection string.
        self._values = sorted({v for v in values if len(v) >= _SHORTEST}, key=len, reverse=True)

    def out_of(self, text: str) -> str:
        """Replace every known secret in *text*."""
        for value in self._values:
            text = text.replace(value, GONE)
        return text

    def out_of_any(self, value: Any) -> Any:
        """Replace every known secret in the strings of *value*."""
        match value:
            case str():
                return self.out_of(value)
            case dict():
                return {key: self.out_of_any(each) for key, each in value.items()}
            case list() | tuple():
                return [self.out_of_any(each) for each in value]
            case _:
                return value if self.out_of(repr(value)) == repr(value) else GONE


class Redaction(Interceptor):
    """Rewrites the errors of activities."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Put ourselves around an activity."""
        return _Redacting(next, self._secrets)


class _Redacting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, secrets: Secrets) -> None:  # noqa: A002
        super().__init__(next)
        self._secrets = secrets

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await super().execute_activity(input)
        except Exception as error:
            clean = self._clean(error, _DEEPEST)
            if clean is error:
                raise
            # "from" hides what was raised first, from the history and from the log.
            raise clean from clean.__cause__

    def _clean(self, error: BaseException, depth: int) -> BaseException:
        cause = error.__cause__
        clean_cause = cause and (self._clean(cause, depth - 1) if depth else None)
        if isinstance(error, FailureError) and not isinstance(error, ApplicationError):
            return error  # a cancellation: it has no words of ours
        text = error.message if isinstance(error, ApplicationError) else str(error)
        # Our own errors have seen to patterns themselves; of a library's nobody has.
        said = self._secrets.out_of(text)
        said = said if isinstance(error, Failed) else redact(said)
        if isinstance(error, ApplicationError):
            details = self._secrets.out_of_any(list(error.details))
            if said == text and details == list(error.details) and clean_cause is cause:
                return error
            clean = ApplicationError(
                said,
                *details,
                type=error.type,
                non_retryable=error.non_retryable,
                next_retry_delay=error.next_retry_delay,
                category=error.category,
            )
        else:
            if said == text and clean_cause is cause:
                return error
            clean = ApplicationError(said, type=type(error).__name__)
        clean.__cause__ = clean_cause
        clean.__suppress_context__ = True
        return clean.with_traceback(error.__traceback__)


class RedactingFormatter(logging.Formatter):
    """Takes the known secrets out of each line of the log, tracebacks included."""

    def __init__(self, secrets: Sequence[str], layout: str) -> None:
        super().__init__(layout)
        self._secrets = Secrets(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        return self._secrets.out_of(super().format(record))
