"""The PDF/A-1 that stands beside a CDA in a mail (référentiel socle #2, ECO.2.1.5).

Of an N1 document it is the very PDF inside; of a structured one, its header and every word of its narrative.
"""

from __future__ import annotations

from colloque.errors import BadInput
from colloque.mail import texts
from colloque.mail.cda import ClinicalDocument, Media, Organization, Paragraph, Patient, Section
from colloque.mail.hl7 import Moment
from colloque.mail.pdf import Sheet, render


def pdf_of(document: ClinicalDocument) -> bytes:
    """Raises BadInput when there is nothing to print, or too much."""
    body = document.body
    if body is not None and body.mime == "application/pdf":
        return body.data
    if document.at is None or not (document.sections or (body is not None and body.mime == "text/plain")):
        raise BadInput("the document has nothing to print")
    sheet = Sheet(
        title=document.title or (document.type.label if document.type is not None else ""),
        facts=(_about(document), _patient(document.patient)),
        sections=_sections(document, body),
        author=document.authors[0].label if document.authors else "",
        footer=_footer(document.patient),
    )
    return render(sheet, document.at.at, {item.ref: item for item in document.media})


def _sections(document: ClinicalDocument, body: Media | None) -> tuple[Section, ...]:
    if body is not None:
        return (Section("", 1, (Paragraph(body.data.decode("utf-8", "replace")),)),)
    return document.sections


def _about(document: ClinicalDocument) -> tuple[tuple[str, str], ...]:
    act = document.acts[0] if document.acts else None
    facts = [
        (texts.WRITTEN, texts.moment(document.at) if document.at is not None else ""),
        *((texts.AUTHOR, _with_place(author.label, author.organization)) for author in document.authors),
        (texts.SIGNER, document.signer.label if document.signer is not None else ""),
        (texts.RECIPIENTS, ", ".join(each.who.label for each in document.recipients if each.who.label)),
        (texts.ACT, act.code.label if act is not None and act.code is not None else ""),
        (texts.ACT_DATE, _when(act.start) if act is not None else ""),
        (texts.CUSTODIAN, document.custodian.name if document.custodian is not None else ""),
    ]
    return tuple((name, value) for name, value in facts if value)


def _with_place(who: str, place: Organization | None) -> str:
    return ", ".join(part for part in (who, place.name if place is not None and place.name != who else "") if part)


def _when(moment: Moment | None) -> str:
    return texts.moment(moment) if moment is not None else ""


def _patient(patient: Patient | None) -> tuple[tuple[str, str], ...]:
    if patient is None:
        return ()
    number = patient.ins or (patient.ids[0] if patient.ids else None)
    return (
        (texts.PATIENT, _named(patient)),
        (texts.BORN, _when(patient.birth)),
        (texts.SEX, texts.SEXES.get(patient.sex, "")),
        (texts.INS if patient.ins is not None else texts.OTHER_NUMBER, number.extension if number is not None else ""),
    )


def _named(patient: Patient) -> str:
    names = [f"{patient.family} {patient.given}".strip()]
    used = f"{patient.used_family} {patient.used_given}".strip()
    return " / ".join(dict.fromkeys(name for name in (*names, used) if name))


def _footer(patient: Patient | None) -> str:
    return " · ".join(part for part in (_named(patient), _when(patient.birth)) if part) if patient is not None else ""
