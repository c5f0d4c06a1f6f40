"""What a command on the API server printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    out: str = ""
    error: str = ""
    code: int = 0
