"""What an `IHE_XDM.ZIP` is to us: documents with the metadata that came with them. `xdm_read` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from colloque.mail.cda import ClinicalDocument
from colloque.mail.hl7 import Coded, Identifier, Moment

FILE_NAME = "IHE_XDM.ZIP"
"""The attachment's name (CI-SIS). Senders vary its case."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of an archive: what METADATA.XML says of it, and what it holds.

    `document` and `data` are empty when `problems` names why the file can't be trusted or read.
    """

    path: str
    """Its name in the archive, in capitals; what the metadata name when there is no such file."""
    mime: str
    title: str
    type: Coded | None
    created: Moment | None
    unique_id: str
    patient: Identifier | None
    """patientId: whom the document is about (référentiel socle #2, ECO.2.1.2: never the subject)."""
    data: bytes | None = field(default=None, repr=False)
    document: ClinicalDocument | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """One archive. No entries and no problems: it truly holds no document."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
