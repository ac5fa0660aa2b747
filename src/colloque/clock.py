"""The only place that asks the time. Rules get it as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
"""The zone in which French clinicians read dates ("today" is never computed in UTC)."""


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> datetime:
        """Current time, timezone-aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Current time, aware UTC."""
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to; for tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """The time it was set to."""
        return self._at

    def advance(self, **delta: float) -> None:
        """Move by `timedelta(**delta)`, e.g. `advance(days=3)`."""
        self._at += timedelta(**delta)


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring, never for dates."""
    return time.monotonic()


def to_millis(at: datetime) -> int:
    """Milliseconds since 1970, as stores and Matrix keep times. Refuses naive datetimes."""
    if at.tzinfo is None:
        raise ValueError("naive datetime")
    return round(at.timestamp() * 1000)


def from_millis(ms: int) -> datetime:
    """The reverse of `to_millis`, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def start_of_day_in_paris(at: datetime) -> datetime:
    """Midnight, Paris time, of the day that `at` falls on there; UTC."""
    local = at.astimezone(PARIS)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
