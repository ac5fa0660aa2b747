"""What the référentiel socle MSSanté #2 asks of a mail with an IHE_XDM archive (ECO.2.1.1 to 2.4.2), by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from colloque.errors import BadInput, Refused
from colloque.mail import mss
from colloque.mail.cda import ClinicalDocument
from colloque.mail.cda_pdf import pdf_of
from colloque.mail.documents import documents_in, is_archive, is_cda
from colloque.mail.hl7 import Identifier, oid_of
from colloque.mail.message import Attachment
from colloque.mail.xdm import FILE_NAME
from colloque.mail.xdm_classes import CLASS_OF_TYPE
from colloque.mail.xdm_write import Sender, build_xdm
from colloque_mssante.texts import documents as texts

_NEVER = {"patient-differs"}
"""Problems of a document that can be read, with which it must not leave all the same: it may be somebody else's."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The files as they leave, and what the mail must say of them."""

    files: tuple[Attachment, ...] = field(repr=False)
    subject: str = field(default="", repr=False)
    """As the référentiel names a mail with documents; empty for any other mail."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """The X-MSS- header fields."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes an archive, and of which mail."""

    sender: Sender
    message_id: str
    domain: str
    """Of the mailbox from which our services write: the sending system is named after it."""
    at: datetime


def enclosed(files: Sequence[Attachment], maker: Maker) -> Enclosed:
    """Look at what is about to leave; documents without an archive are put into one. Seconds, for the worst archives.

    Raises Refused, whose message is what the writer reads, for documents that their reader could not rely on: broken,
    about several patients, or about nobody that can be named.
    """
    return announced(_archived(files, maker))


def announced(files: Sequence[Attachment]) -> Enclosed:
    """The same, of files whose documents are in an archive already, or leave as files. Raises Refused, as above."""
    archives = [item for item in files if is_archive(item)]
    if not archives:
        return Enclosed(tuple(files))
    if len(archives) > 1:
        raise Refused("archives_several", texts.ONE_ARCHIVE)
    contents = documents_in(archives)
    each_wrong = (code for each in contents.documents for code in each.problems if each.data is None or code in _NEVER)
    wrong = (*contents.problems, *each_wrong)
    if wrong:
        raise Refused("archive_bad", texts.not_sent(texts.problems(wrong)))
    documents = [each.document for each in contents.documents if each.document is not None]
    if not documents:
        return Enclosed(tuple(files))
    try:
        subject, extra = mss.subject(documents), mss.headers(documents, ())
    except BadInput:
        raise Refused("archive_unnamed", texts.not_sent([texts.UNNAMED])) from None
    named = tuple(replace(item, name=FILE_NAME) if item in archives else item for item in files)
    return Enclosed((*_printed(documents, files), *named), subject, extra)


def _archived(files: Sequence[Attachment], maker: Maker) -> Sequence[Attachment]:
    """CDA documents leave in an IHE_XDM.ZIP (ECO.2.1.2), made here where their writer joined none.

    Not made of documents that are structured, or of a type whose class is not known: what the archive's metadata must
    say of these only the software that wrote them can. They leave as files.
    """
    loose = [item for item in files if is_cda(item)]
    if not loose or any(map(is_archive, files)):
        return files
    contents = documents_in(loose)
    broken = (*contents.problems, *(code for each in contents.documents if each.data is None for code in each.problems))
    if broken:
        raise Refused("archive_bad", texts.not_sent(texts.problems(broken)))
    classed = [(item.data, _class(each.document)) for item, each in zip(loose, contents.documents, strict=True)]
    if not all(code for _, code in classed):
        return files
    try:
        data = build_xdm(
            classed,
            submission=Identifier(oid_of(maker.message_id)),
            source=oid_of(maker.domain),
            sender=maker.sender,
            at=maker.at,
        )
    except BadInput:
        raise Refused("archive_bad", texts.not_sent([texts.INCOMPLETE])) from None
    return (*(item for item in files if item not in loose), Attachment(FILE_NAME, "application/zip", data))


def _class(document: ClinicalDocument | None) -> str:
    """Empty where it is not known, or where the document is not around a PDF."""
    if document is None or document.type is None or document.body is None or document.body.mime != "application/pdf":
        return ""
    return CLASS_OF_TYPE.get(document.type.code, "")


def _printed(documents: Sequence[ClinicalDocument], files: Sequence[Attachment]) -> list[Attachment]:
    """The documents as PDF, for those who can't open the archive; none where the writer joined one."""
    if any(item.mime == "application/pdf" or item.name.lower().endswith(".pdf") for item in files):
        return []
    printed = []
    for rank, document in enumerate(documents, 1):
        try:
            data = pdf_of(document)
        except BadInput:  # nothing to print, or too much: it is in the archive
            continue
        printed.append(Attachment(_name(document, rank), "application/pdf", data))
    return printed


def _name(document: ClinicalDocument, rank: int) -> str:
    try:
        return mss.pdf_name(document)
    except BadInput:  # its act has no date
        return f"document-{rank}.pdf"
