"""What became of an archive as a document of health. Pure."""

from __future__ import annotations

from enum import StrEnum


class Document(StrEnum):
    """What became of the archive as a document of health (CDA)."""

    NONE = ""
    """The patient's identity was not given."""
    ENCLOSED = "enclosed"
    UNCONFIRMED = "unconfirmed"
    UNVERIFIED = "unverified"
    """Whoever confirmed the identity is not verified any more."""
    UNPLACED = "unplaced"
    """The directory does not say in what standing its referent works, or says several."""
    TOO_BIG = "too_big"
    FAILED = "failed"
