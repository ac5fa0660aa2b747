"""A closed room's conversation as documents of health: each part of it as CDA R2 N1, in an IHE_XDM archive. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from colloque import __version__
from colloque.errors import BadInput
from colloque.mail.cda import Act, ClinicalDocument, Media, Patient
from colloque.mail.cda_write import write_cda
from colloque.mail.documents import documents_in
from colloque.mail.hl7 import LOINC, Coded, Identifier, Moment, oid_of
from colloque.mail.message import Attachment
from colloque.mail.mss import subject
from colloque.mail.standing import Standing, agent_of, keeper_of
from colloque.mail.xdm import FILE_NAME
from colloque.mail.xdm_classes import CLASS_OF_TYPE
from colloque.mail.xdm_write import Sender, build_xdm
from colloque.professional import Professional
from colloque_salles.texts import archive as says

TYPE = Coded("34133-9", LOINC, "Synthèse d'épisode de soins")
"""JDV_J07 has no type for what professionals said to each other; this one is of class 11, "Synthèse" (ASS_X04)."""
MIME = "application/zip"


@dataclass(frozen=True, slots=True)
class Papers:
    """What all parts of a conversation have in common."""

    words: str
    """The room's."""
    patient: Patient
    person: Professional = field(repr=False)
    """Its referent: author, and who answers for it."""
    standing: Standing
    opened_at: datetime
    closed_at: datetime
    made_at: datetime
    name: str
    """No other archive in the world bears it; it says nothing of the room."""
    domain: str
    """The sending system is named after it."""


def archives(sheets: Sequence[bytes], papers: Papers) -> list[bytes]:
    """An IHE_XDM archive for each sheet (PDF/A-1), read back before it is given. Takes seconds.

    Raises BadInput or DocumentRefused for what can't be written, or does not read as it was written.
    """
    return [_archive(sheet, rank, len(sheets), papers) for rank, sheet in enumerate(sheets, 1)]


def _archive(sheet: bytes, rank: int, count: int, papers: Papers) -> bytes:
    name, place = f"{papers.name}-{rank}", papers.standing.place
    document = _document(sheet, name, says.part_title(papers.words, rank, count), papers)
    archive = build_xdm(
        [(write_cda(document), CLASS_OF_TYPE[TYPE.code])],
        submission=Identifier(oid_of(f"submission.{name}.{papers.domain}")),
        source=oid_of(papers.domain),
        sender=Sender(papers.person.full_name, place.name if place is not None else "", says.AUTHOR, __version__),
        at=papers.made_at,
    )
    _check(archive, sheet, papers.patient)
    return archive


def _document(sheet: bytes, name: str, title: str, papers: Papers) -> ClinicalDocument:
    made, person, standing = Moment.of(papers.made_at), papers.person, papers.standing
    referent = agent_of(person, standing, made)
    return ClinicalDocument(
        id=Identifier(oid_of(f"document.{name}.{papers.domain}")),
        set_id=Identifier(oid_of(f"set.{name}.{papers.domain}")),
        version=1,
        type=TYPE,
        title=title,
        at=made,
        patient=papers.patient,
        authors=(referent,),
        custodian=keeper_of(person, standing),
        signer=referent,
        acts=(
            Act(
                start=Moment.of(papers.opened_at),
                stop=Moment.of(papers.closed_at),
                performer=agent_of(person, standing, None),
                practice=standing.practice,
            ),
        ),
        facility=standing.facility,
        body=Media("application/pdf", sheet),
    )


def _check(archive: bytes, sheet: bytes, patient: Patient) -> None:
    """As the bridge, and whoever receives it, will read it."""
    contents = documents_in([Attachment(FILE_NAME, MIME, archive)])
    found = contents.documents[0].document if len(contents.documents) == 1 else None
    same = found is not None and found.patient == patient and found.body is not None and found.body.data == sheet
    if not contents.whole or contents.problems or found is None or not same:
        raise BadInput("the archive does not read as it was written")
    subject([found])
