"""Builds an `IHE_XDM.ZIP`: README.TXT, INDEX.HTM, and CDA documents with the XDS metadata that their headers give.

Sources: IHE ITI XDM; CI-SIS ("Volet échange de documents de santé"), names as in ISO 9660 level 1; the mapping of CDA
headers to XDS metadata that ANS publishes. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from colloque.clock import PARIS
from colloque.errors import BadInput
from colloque.mail import texts
from colloque.mail.cda import ClinicalDocument
from colloque.mail.cda_read import read_cda
from colloque.mail.hl7 import Identifier, Moment
from colloque.mail.mss import one_patient, plain
from colloque.mail.xdm_metadata import Described, metadata

_FOLDER = "IHE_XDM/SUBSET01"
_DOCUMENTS_LIMIT = 99_999


@dataclass(frozen=True, slots=True)
class Sender:
    """Who makes the archive, for its README.TXT and INDEX.HTM."""

    name: str
    organization: str
    software: str
    version: str
    mail: str = ""


def build_xdm(
    documents: Sequence[tuple[bytes, str]], *, submission: Identifier, source: str, sender: Sender, at: datetime
) -> bytes:
    """`documents` are CDA documents with the code of their class (JDV_J06, e.g. `11` for a summary).

    `submission` is this archive's own id, `source` the OID of the sending system. Raises BadInput: no document, one
    that lacks what the metadata need, more than one patient; DocumentRefused when one is no CDA.
    """
    if not 0 < len(documents) <= _DOCUMENTS_LIMIT:
        raise BadInput("an archive holds at least one document")
    described = [
        Described(f"DOC{rank:05}.XML", data, read_cda(data), class_code)
        for rank, (data, class_code) in enumerate(documents, 1)
    ]
    one_patient([each.document for each in described])
    files = {
        "README.TXT": _readme(sender, [each.name for each in described]),
        "INDEX.HTM": _index(sender, described),
        f"{_FOLDER}/METADATA.XML": metadata(described, submission=submission, source=source, at=Moment.of(at)),
        **{f"{_FOLDER}/{each.name}": each.data for each in described},
    }
    return _zipped(files, at)


def _zipped(files: dict[str, bytes], at: datetime) -> bytes:
    out = io.BytesIO()
    local = at.astimezone(PARIS)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (local.year, local.month, local.day, local.hour, local.minute, local.second))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data)
    return out.getvalue()


def _readme(sender: Sender, names: Sequence[str]) -> bytes:
    """7-bit ASCII with CRLF, as IHE asks."""
    tree = ["README.TXT", "INDEX.HTM", f"{_FOLDER}/METADATA.XML", *(f"{_FOLDER}/{name}" for name in names)]
    text = texts.readme(
        sender=[("Nom", plain(sender.name)), ("Organisme", plain(sender.organization)), ("Courriel", sender.mail)],
        software=[("Nom", plain(sender.software)), ("Version", sender.version)],
        files=tree,
    )
    return text.encode("ascii", "replace")


def _index(sender: Sender, described: Sequence[Described]) -> bytes:
    """XHTML 1.0 that any browser shows; types and dates, nobody's name but the sender's."""
    items = "".join(
        f'<li><a href="{_FOLDER}/{each.name}">{escape(_line(each.document))}</a></li>' for each in described
    )
    who = escape(", ".join(part for part in (sender.name, sender.organization) if part))
    page = (
        '<?xml version="1.0" encoding="US-ASCII"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr">'
        f"<head><title>{texts.INDEX_TITLE}</title></head><body><h1>{texts.INDEX_TITLE}</h1>"
        f"<p>{texts.INDEX_SENDER} : {who}</p><h2>{texts.INDEX_DOCUMENTS}</h2><ul>{items}</ul>"
        '<p><a href="README.TXT">README.TXT</a></p></body></html>\n'
    )
    return page.encode("ascii", "xmlcharrefreplace")


def _line(document: ClinicalDocument) -> str:
    label = document.type.label if document.type is not None else ""
    return f"{label}, {texts.moment(document.at)}" if document.at is not None else label
