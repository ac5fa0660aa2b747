"""A clinical document as the room shows it, by value: a few lines, and the files beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from colloque.errors import BadInput
from colloque.mail import texts as mail_texts
from colloque.mail.cda import Agent, ClinicalDocument, Patient
from colloque.mail.cda_pdf import pdf_of
from colloque.mail.documents import Found, documents_in
from colloque.mail.message import Attachment
from colloque_mssante.texts import documents as texts

CARDS_LIMIT = 20
"""Documents of one mail that are shown each by itself."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of one document."""

    lines: tuple[str, ...]
    """Type, author, date, recipients: what may stand anywhere that the sender's name may."""
    identifying: tuple[str, ...] = field(repr=False)
    """Its title or file name, in the sender's own words, and the patient: in an encrypted event, and nowhere else."""
    warnings: tuple[str, ...]
    files: tuple[Attachment, ...] = field(repr=False)
    """What it holds to read: its PDF, and other files inside it."""

    @property
    def body(self) -> str:
        """The whole card, as one encrypted event has it."""
        return "\n".join((*self.lines, *self.identifying, *(f"⚠️ {warning}" for warning in self.warnings)))


def cards_of(files: Sequence[Attachment]) -> tuple[Card, ...]:
    """Of a mail's files: what is wrong with all of them first, then each document. Seconds, for the worst archives."""
    contents = documents_in(files)
    found = [card(each) for each in contents.documents[:CARDS_LIMIT]]
    above = texts.problems(contents.problems)
    if above:
        title = texts.DOCUMENTS_TITLE if contents.documents else texts.UNREADABLE_TITLE
        found.insert(0, Card((title,), (), tuple(above), ()))
    if len(contents.documents) > CARDS_LIMIT:
        found.append(Card((texts.DOCUMENTS_TITLE, texts.more(len(contents.documents) - CARDS_LIMIT)), (), (), ()))
    return tuple(found)


def card(found: Found) -> Card:
    """Of a document, or of what was meant to be one."""
    warnings = tuple(texts.problems(found.problems))
    document = found.document
    if document is None and found.data is not None:  # an archive may hold other files, each with its metadata
        return Card((texts.DOCUMENT_TITLE,), (), warnings, (_file(1, found.mime, found.data),))
    if document is None:
        return Card((texts.UNREADABLE_TITLE,), (texts.original(found.source),), warnings, ())
    readers = [each.who.label + ("" if each.primary else texts.COPY) for each in document.recipients if each.who.label]
    lines = [
        texts.DOCUMENT_TITLE,
        _type(document),
        texts.by(" ; ".join(_author(each) for each in document.authors if each.label) or texts.NO_AUTHOR),
        texts.on(mail_texts.moment(document.at) if document.at is not None else texts.NO_DATE),
        *([texts.recipients(readers)] if readers else []),
    ]
    about = [texts.title(document.title)] if document.title and document.title != _type(document) else []
    about += [_patient(document.patient)] if document.patient is not None else []
    files = _files(document)
    if document.sections and not any(item.mime == "application/pdf" for item in files):
        warnings = (*warnings, texts.NOT_PRINTED)
    return Card(tuple(lines), tuple(about), warnings, files)


def _type(document: ClinicalDocument) -> str:
    return (document.type.label or document.type.code) if document.type is not None else texts.NO_TYPE


def _author(author: Agent) -> str:
    place = author.organization.name if author.organization is not None else ""
    return ", ".join(part for part in (author.label, place if place != author.label else "") if part)


def _patient(patient: Patient) -> str:
    born = texts.born(mail_texts.moment(patient.birth)) if patient.birth is not None else ""
    name = f"{patient.family} {patient.given}".strip()
    return texts.patient(name, born, mail_texts.SEXES.get(patient.sex, ""))


_EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "text/plain": ".txt",
    "text/rtf": ".rtf",
}


def _file(rank: int, mime: str, data: bytes) -> Attachment:
    return Attachment(f"document-{rank}{_EXTENSIONS.get(mime, '.bin')}", mime, data)


def _files(document: ClinicalDocument) -> tuple[Attachment, ...]:
    """A PDF to read first; names say nothing of anybody."""
    files = [_file(rank, item.mime, item.data) for rank, item in enumerate(document.files, 1)]
    if document.body is None:
        with suppress(BadInput):  # nothing to print, or too much
            files.insert(0, Attachment("document.pdf", "application/pdf", pdf_of(document)))
    return tuple(files)
