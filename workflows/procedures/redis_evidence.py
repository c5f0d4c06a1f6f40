"""What Redis says of its memory and its keys, in words for people."""

from __future__ import annotations

from activities.host import Capacity
from activities.redis import Memory
from activities.redis_keys import Keys, Prefix
from activities.report_words import count as counted
from workflows.procedures.measured import mebibytes

_MOST_NAMED = 5


def biggest(keys: Keys | None) -> tuple[str, ...]:
    """Name the largest keys, and say how many were looked at."""
    if keys is None or not keys.biggest:
        return ()
    named = (
        f"{key.name} ({key.kind or 'key'}, {size(key.size_bytes)}, "
        f"{_lives(key.expires_in_seconds)})"
        for key in keys.biggest[:_MOST_NAMED]
    )
    return (f"largest keys of {_looked(keys)}: {', '.join(named)}",)


def by_prefix(keys: Keys | None) -> tuple[str, ...]:
    """Say how long keys live, by the beginning of their names."""
    if keys is None or not keys.prefixes:
        return ()
    named = (_prefix(prefix) for prefix in keys.prefixes[:_MOST_NAMED])
    return (f"keys by prefix, of {_looked(keys)}: {'; '.join(named)}",)


def prefix_of(keys: Keys | None, name: str) -> Prefix | None:
    """Find what was seen of the keys that begin with *name*, where a sample tells it apart."""
    group = name.split(":", 1)[0]
    if keys is None or name not in {group, f"{group}:"}:
        return None
    return next((each for each in keys.prefixes if each.name == group), None)


def room_to_fork(memory: Memory, host: Capacity | None) -> str:
    """Say why a snapshot may not fit into the host's memory; empty where it does.

    *host* is None where Redis runs elsewhere, or where its host could not be read.
    """
    needed = memory.resident_bytes
    if needed is None:
        return "what Redis takes of its host is not known"
    if host is not None and host.memory_available_bytes is not None:
        left = host.memory_available_bytes
    elif memory.host_bytes is not None:
        left = memory.host_bytes - needed
    else:
        return "the memory of its host is not known"
    if needed > left:
        return f"a snapshot may take {mebibytes(needed)} more, and its host has {mebibytes(left)}"
    return ""


def size(count: int) -> str:
    """Give bytes for people, few or many."""
    if count >= 10 * 2**20:
        return mebibytes(count)
    return f"{count / 2**10:.0f} KiB" if count >= 2**10 else f"{count} bytes"


def _prefix(prefix: Prefix) -> str:
    never = f", {prefix.without_expiry:,} of them never expire" if prefix.without_expiry else ""
    others = "others" if prefix.without_expiry else "keys"
    half = (
        f", half of the {others} go within {prefix.expires_in_seconds} s"
        if prefix.expires_in_seconds is not None
        else ""
    )
    return f"{prefix.name} ({counted(prefix.keys, 'key')}, {size(prefix.size_bytes)}{never}{half})"


def _looked(keys: Keys) -> str:
    if keys.complete:
        return f"all {keys.total:,}"
    return f"{keys.scanned:,} of {keys.total:,} looked at"


def _lives(seconds: int | None) -> str:
    return "never expires" if seconds is None else f"expires in {seconds} s"
