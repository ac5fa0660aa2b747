"""The clinical documents that a mail, or one file, holds: archives are opened, CDA documents are read, nothing else is.

What looked like a document and could not be read is listed with its problem: it never counts as "no document".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from colloque.mail.cda import ClinicalDocument
from colloque.mail.cda_read import read_cda
from colloque.mail.hl7 import Identifier
from colloque.mail.message import Attachment
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xdm import FILE_NAME
from colloque.mail.xdm_read import read_xdm

ARCHIVES_LIMIT = 3
"""Archives opened of one mail. Senders put all documents into one; each more costs up to a few seconds."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_IN_ARCHIVE = re.compile(rb"ihe_xdm[/\\]", re.IGNORECASE)
_ROOTS = (b"ClinicalDocument", "ClinicalDocument".encode("utf-16-le")[:-1])


@dataclass(frozen=True, slots=True)
class Found:
    """A document, or what was meant to be one. `document` is None where it is no CDA, or could not be read."""

    source: str = field(repr=False)
    """Name of the attachment that it is, or is in (a sender may name a patient there)."""
    path: str
    """Where in the archive; empty for a CDA that came by itself."""
    mime: str = "text/xml"
    data: bytes | None = field(default=None, repr=False)
    """None when it could not be read."""
    document: ClinicalDocument | None = None
    patient: Identifier | None = None
    """patientId of the archive's metadata."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What one mail or file holds. Neither documents nor problems: there truly is none."""

    documents: tuple[Found, ...]
    problems: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """False when something that was meant to be a document could not be read."""
        unread = any(each.data is None for each in self.documents)
        return not unread and set(self.problems) <= {"patients-several"}


def documents_in(files: Sequence[Attachment]) -> Contents:
    """Look into a mail's attachments. Never raises; takes seconds for the worst archives (run it in a thread)."""
    found: list[Found] = []
    problems: list[str] = []
    archives = 0
    for item in files:
        if is_archive(item):
            archives += 1
            if archives <= ARCHIVES_LIMIT:
                of_archive(item, found, problems)
            else:
                problems.append("archives-many")
        elif is_cda(item):
            found.append(of_cda(item))
    if _patients(found) > 1:
        problems.append("patients-several")  # ECO.2.1.1: one patient a message
    return Contents(tuple(found), tuple(dict.fromkeys(problems)))


def is_archive(item: Attachment) -> bool:
    """True for what calls itself an IHE_XDM archive, by its name or by its folders."""
    named = item.name.upper() == FILE_NAME
    return named or (item.data.startswith(_ZIP) and _IN_ARCHIVE.search(item.data) is not None)


def is_cda(item: Attachment) -> bool:
    """True for XML that speaks of a ClinicalDocument."""
    xml = "xml" in item.mime or item.name.lower().endswith(".xml")
    return xml and any(root in item.data for root in _ROOTS)


def of_cda(item: Attachment) -> Found:
    """A CDA document that came by itself."""
    try:
        document = read_cda(item.data)
    except DocumentRefused as refused:
        return Found(item.name, "", problems=(refused.reason,))
    return Found(item.name, "", data=item.data, document=document, problems=document.problems)


def of_archive(item: Attachment, found: list[Found], problems: list[str]) -> None:
    """Add what an archive holds; a problem when it can't be opened."""
    try:
        package = read_xdm(item.data)
    except DocumentRefused as refused:
        problems.append(refused.reason)
        return
    problems += package.problems
    for entry in package.entries:
        odd = (*entry.problems, *(entry.document.problems if entry.document is not None else ()))
        found.append(Found(item.name, entry.path, entry.mime, entry.data, entry.document, entry.patient, odd))


def _patients(found: Sequence[Found]) -> int:
    """How many different people the documents are about, as far as their numbers tell."""
    people = [
        each.document.patient for each in found if each.document is not None and each.document.patient is not None
    ]
    return sum(not any(one.is_same(earlier) for earlier in people[:rank]) for rank, one in enumerate(people))
