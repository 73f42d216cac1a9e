"""What getting one picture from a path or URL may cost."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.core.errors import InputError


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What getting one picture may cost. `total_timeout_s` covers all attempts, redirects and pauses together."""

    max_bytes: int = 20_000_000
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    total_timeout_s: float = 20.0
    attempts: int = 4
    backoff_s: float = 0.5
    max_redirects: int = 5
    concurrency: int = 16

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if min(self.max_bytes, self.attempts, self.concurrency) < 1:
            raise InputError("max_bytes, attempts and concurrency must be at least 1.")
        if min(self.connect_timeout_s, self.read_timeout_s, self.total_timeout_s) <= 0:
            raise InputError("Timeouts must be longer than 0 s.")
        if self.backoff_s < 0 or self.max_redirects < 0:
            raise InputError("backoff_s and max_redirects cannot be negative.")
