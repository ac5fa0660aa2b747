"""When a closed room's conversation counts as kept: what proves it, and what is due until then. Pure.

Proofs, in their order: the referent says that it is in the patient's record; else their mailbox has taken all of it,
and some days have passed since, with a reminder in between; else nothing does, and the administrators are told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Proof(StrEnum):
    """What stands in the receipt."""

    FILED = "filed_by_referent"
    """The referent said that it is in the record."""
    FILED_NOT_ALL = "filed_by_referent.some_files_not_needed"
    """The same, and that files which no mail could take are of no use there."""
    DELIVERED = "delivered_and_time_passed"
    """Their mailbox took every part, and they had the time to object."""
    NOTHING_SAID = "nothing_said"
    """Nobody ever wrote there."""
    ALREADY_KEPT = "not_kept.already_in_record"
    NO_CARE = "not_kept.nothing_of_use_to_care"
    MISTAKE = "not_kept.opened_by_mistake"
    UNREACHABLE = "not_kept.room_unreachable"
    """The server did not have the room any more: there was nothing left to read."""


WAIVERS = (Proof.ALREADY_KEPT, Proof.NO_CARE, Proof.MISTAKE)
"""Why a referent may want nothing to be kept: a closed list, because a receipt holds no free text."""

FILED = (Proof.FILED, Proof.FILED_NOT_ALL)
"""What became of files that no mail could take, by their referent's word."""
BY_A_PERSON = frozenset({*FILED, *WAIVERS})
"""What a referent said themselves: no accident of ours ends a room then."""


@dataclass(frozen=True, slots=True)
class KeepingRule:
    """Raises ValueError unless both are positive."""

    wait: timedelta
    """From the delivery to the proof, at least."""
    late: timedelta
    """From the closing to the moment when the administrators are told."""

    def __post_init__(self) -> None:
        if min(self.wait, self.late) <= timedelta(0):
            raise ValueError("an archive needs times to wait")

    @property
    def reminder(self) -> timedelta:
        """From what is waited for to the reminder: five days of seven."""
        return self.wait * 5 / 7

    @property
    def grace(self) -> timedelta:
        """From the reminder to the proof, at least: a day of seven."""
        return self.wait / 7


@dataclass(frozen=True, slots=True)
class Keeping:
    """An archive that was handed over, as far as known now."""

    handed_at: datetime
    whole: bool
    """True when nothing is left to be fetched from the room itself."""
    delivered_at: datetime | None = None
    """When every part was known to be in the referent's mailbox."""
    reminded_at: datetime | None = None

    def from_(self, at: datetime) -> Keeping:
        """The same for somebody who can't look at it before `at`: their time begins then."""
        delivered = max(self.delivered_at, at) if self.delivered_at is not None else None
        return replace(self, handed_at=max(self.handed_at, at), delivered_at=delivered)


class Due(StrEnum):
    """The one thing due."""

    REMIND = "remind"
    PROVEN = "proven"


def due(kept: Keeping, rule: KeepingRule, now: datetime) -> Due | None:
    """What is due for it at `now`. A clock that steps back, or a service that was away, only makes things wait."""
    delivered = kept.delivered_at if kept.whole else None
    since = delivered or kept.handed_at
    # One that came before the delivery promised that nothing is erased without an answer.
    reminded = kept.reminded_at is not None and (delivered is None or kept.reminded_at >= delivered)
    if not reminded:
        return Due.REMIND if now >= since + rule.reminder else None
    if delivered is None:
        return None
    assert kept.reminded_at is not None
    return Due.PROVEN if now >= max(delivered + rule.wait, kept.reminded_at + rule.grace) else None


def is_late(closed_at: datetime, rule: KeepingRule, now: datetime) -> bool:
    """Is it time to tell the administrators that nothing proves it yet?"""
    return now >= closed_at + rule.late
