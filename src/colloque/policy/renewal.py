"""When somebody is asked to renew their attestation: 30, 7 and 1 day before it ends, and once when it has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.attestation import Attestation, Kind

DAYS = (30, 7, 1, 0)
"""How long before the end, in days; 0: it has ended."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody was last told of an end."""

    until: datetime
    """The end that they were told of."""
    days: int
    """One of DAYS."""


def due(held: Attestation, asked: Asked | None, now: datetime) -> int | None:
    """Which of DAYS somebody is to be told today; None when nothing.

    Of several that are due, the nearest to the end: whoever was away for a month reads one message. The end itself is
    told only to those who were told of it before: an attestation that was ended otherwise has its own words.
    """
    if held.kind is not Kind.PROFESSIONAL:
        return None
    last = asked.days if asked is not None and asked.until == held.valid_until else None
    left = held.valid_until - now
    if left <= timedelta(0):
        return 0 if last is not None and last > 0 else None
    reached = min((days for days in DAYS[:-1] if left <= timedelta(days=days)), default=None)
    # An attestation that is short from the beginning is not asked for at once.
    if reached is None or held.valid_until - held.issued_at <= timedelta(days=reached):
        return None
    return reached if last is None or reached < last else None
