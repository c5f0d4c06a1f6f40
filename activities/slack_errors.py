"""What Slack's error codes mean for trying again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from activities.errors import (
    Ambiguous,
    Failed,
    Gone,
    Refused,
    Throttled,
    Unavailable,
    from_status,
    retry_after,
)
from activities.redaction import redact

PAYLOAD_ERRORS = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_arg_name",
        "invalid_array_arg",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "markdown_text_conflict",
        "metadata_must_be_sent_from_app",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""It is not the message that is unwelcome but its form: short plain text may pass."""

GONE_ERRORS = frozenset(
    {
        "block_mismatch",
        "cannot_reply_to_message",
        "cant_update_message",
        "edit_window_closed",
        "is_archived",
        "is_inactive",
        "message_not_found",
        "restricted_action_thread_locked",
        "streaming_state_conflict",
        "thread_not_found",
    }
)
"""The message cannot be changed or answered any more, but a new one may be posted."""

_THROTTLED = frozenset({"ratelimited", "rate_limited"})
_LATER: Mapping[str, timedelta | None] = {
    "external_channel_migrating": timedelta(minutes=2),
    "internal_error": None,
    "org_login_required": timedelta(minutes=2),
    "request_timeout": None,
    "service_unavailable": None,
    "team_added_to_org": timedelta(minutes=2),
    "update_failed": None,
}


class SlackRefused(Refused):
    """Slack said no, with a code."""

    def __init__(self, said: str, code: str) -> None:
        super().__init__(said)
        self.code = code


def sort(method: str, response: Any, secret: str, *, posts: bool, changes: bool) -> Failed:
    """Sort what is no success; *response* is slack-sdk's, or aiohttp's if it could not be read."""
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    headers = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    body = data if isinstance(data, dict) else {}
    code = str(body.get("error") or "")[:100]
    said = redact(f"Slack {method}: {code}{_particulars(body)}", secret)
    lost = Ambiguous if posts else Unavailable
    failed: Failed
    if code in _THROTTLED:
        failed = Throttled(said, wait=retry_after(headers))
    elif status != 200:
        failed = from_status(f"Slack {method}", status, redact(code, secret), headers, writes=posts)
    elif not code:
        failed = lost(f"Slack {method}: answered 200 with something that is not Slack's")
    elif code == "fatal_error":
        failed = lost(said)
    elif code in _LATER:
        failed = Unavailable(said, wait=retry_after(headers) or _LATER[code])
    elif changes and code in GONE_ERRORS:
        failed = Gone(said)
    else:
        failed = SlackRefused(said, code)
    return failed


def _particulars(body: Mapping[str, Any]) -> str:
    if needed := body.get("needed"):
        return f" (needs the scope {str(needed)[:100]})"
    metadata = body.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    if isinstance(messages, list) and messages:
        return f" ({'; '.join(str(message) for message in messages)[:300]})"
    return ""
