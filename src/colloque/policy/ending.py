"""Why somebody's access ends, and what follows from each reason. Pure.

Sources: code de la santé publique L1110-4 (who may share what), CNIL délibération 2014-239 (unused accounts are closed
after a year at most, their holder warned beforehand).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class End(StrEnum):
    """Why. Stable codes: journals hold them."""

    ADMIN = "revoked"
    """An administrator's word."""
    FHIR = "inactive"
    """The Annuaire Santé said `active: false` twice."""
    GONE = "gone"
    """The extraction lacked them for longer than the grace."""
    UNUSED = "unused"
    """Nobody used the account for a year."""
    SPONSOR = "sponsor"
    """The professional under whom they worked ended it."""
    STAFF = "staff"
    """No administrator any more."""

    @property
    def bars(self) -> bool:
        """No proof of theirs counts until an administrator gives the access back."""
        return self in {End.ADMIN, End.FHIR}

    @property
    def locks(self) -> bool:
        """The account is suspended and can't be logged into."""
        return self in {End.ADMIN, End.FHIR, End.SPONSOR, End.STAFF}

    @property
    def closes_sessions(self) -> bool:
        """Every session ends. (Whoever is merely not listed keeps theirs, to prove themselves again.)"""
        return self is not End.GONE


class Use(StrEnum):
    """What is due for an account, by how long nobody has used it."""

    NOTHING = "nothing"
    WARN = "warn"
    CLOSE = "close"
    USED = "used"
    """It was warned of, and has been used since."""


NOTICE = timedelta(days=30)
"""Between the warning and the closing, at least."""


def unused(last_use: datetime, warned_at: datetime | None, now: datetime, limit: timedelta) -> Use:
    """What is due. Nobody is closed before `limit`, nor without a warning NOTICE before."""
    if warned_at is not None and last_use > warned_at:
        return Use.USED
    if warned_at is None:
        return Use.WARN if now - last_use >= limit - NOTICE else Use.NOTHING
    due = now - last_use >= limit and now - warned_at >= NOTICE
    return Use.CLOSE if due else Use.NOTHING
