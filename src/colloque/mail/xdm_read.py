"""`IHE_XDM.ZIP` to its documents: each must have the size and SHA-1 that METADATA.XML gives it.

Never "no document" where one could not be read: either the archive is refused by name, or an entry carries the problem.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from lxml import etree

from colloque.errors import BadInput
from colloque.mail.cda_read import read_cda
from colloque.mail.hl7 import Coded, Identifier, Moment
from colloque.mail.message import NAME_LIMIT, SUBJECT_LIMIT, one_line
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xdm import Entry, Package
from colloque.mail.xdm_zip import Archive
from colloque.mail.xds import DOCUMENT_ID, DOCUMENT_PATIENT, RIM, TYPE_CODE
from colloque.mail.xml import parse_xml

TAGS_LIMIT = 400_000
"""Tags of all documents of one archive together: hundreds of files may each be just below their own limit."""

_METADATA = re.compile(r"IHE_XDM/[^/]+/METADATA\.XML\Z")
_ZIP = b"PK\x03\x04"


def read_xdm(data: bytes) -> Package:
    """Read an archive. Raises DocumentRefused: what `Archive` refuses; `xdm-no-metadata`; `xdm-metadata` and what
    `parse_xml` refuses, of METADATA.XML."""
    archive = Archive(data)
    metadata = sorted(name for name in archive.names if _METADATA.match(name))
    if not metadata:
        raise DocumentRefused("xdm-no-metadata")
    reading = _Reading(archive)
    entries = [entry for name in metadata for entry in reading.subset(name)]
    return Package(tuple(entries), tuple(_odd(archive, metadata, entries)))


def _odd(archive: Archive, metadata: list[str], entries: list[Entry]) -> list[str]:
    listed = {entry.path for entry in entries} | set(metadata)
    problems = []
    if any(name.startswith("IHE_XDM/") and name.endswith(".XML") and name not in listed for name in archive.names):
        problems.append("file-unlisted")
    patients = {entry.patient for entry in entries if entry.patient is not None}
    if len(patients) > 1:
        problems.append("patients-several")  # ECO.2.1.1: one patient a message
    return problems


@dataclass
class _Reading:
    """One archive on its way."""

    archive: Archive
    tags: int = 0

    def subset(self, metadata: str) -> list[Entry]:
        """The documents of one folder."""
        root = parse_xml(self._counted(self.archive.read(metadata)))
        if etree.QName(root).localname != "SubmitObjectsRequest":
            raise DocumentRefused("xdm-metadata")
        folder = metadata.rpartition("/")[0]
        return [self._entry(folder, each) for each in root.iter(f"{RIM}ExtrinsicObject")]

    def _counted(self, data: bytes) -> bytes:
        self.tags += data.count(b"<")
        if self.tags > TAGS_LIMIT:
            raise DocumentRefused("xml-nodes")
        return data

    def _entry(self, folder: str, described: etree._Element) -> Entry:
        slots = _slots(described)
        problems: list[str] = []
        path = f"{folder}/{slots.get('URI', '').replace(chr(92), '/').removeprefix('./')}".upper()
        entry = Entry(
            path=one_line(path, NAME_LIMIT),
            mime=one_line(described.get("mimeType") or "", NAME_LIMIT).lower(),
            title=one_line(_name(described), SUBJECT_LIMIT),
            type=_type(described),
            created=_moment(slots.get("creationTime", "")),
            unique_id=_external(described, DOCUMENT_ID),
            patient=_patient(_external(described, DOCUMENT_PATIENT), problems),
        )
        data = _checked(self.archive, path, slots, problems)
        if data is None:
            return replace(entry, problems=tuple(problems))
        if data.startswith(_ZIP):
            return replace(entry, problems=(*problems, "nested-archive"))  # never opened
        if "xml" not in entry.mime:
            return replace(entry, data=data, problems=tuple(problems))
        self._counted(data)
        try:
            document = read_cda(data)
        except DocumentRefused as refused:
            return replace(entry, problems=(*problems, refused.reason))
        known = document.patient.ids if document.patient is not None else ()
        if entry.patient is not None and known and entry.patient not in known:
            problems.append("patient-differs")
        return replace(entry, data=data, document=document, problems=tuple(problems))


def _checked(archive: Archive, path: str, slots: dict[str, str], problems: list[str]) -> bytes | None:
    """The file, when it is the one that the metadata describe."""
    if path not in archive.names:  # a URI that leaves its folder names nothing that is there
        problems.append("file-missing")
        return None
    try:
        data = archive.read(path)
    except DocumentRefused as refused:
        if refused.reason == "zip-bomb":
            raise
        problems.append(refused.reason)
        return None
    size, digest = slots.get("size", "").strip(), slots.get("hash", "").strip().lower()
    wrong = []
    if size and size != str(len(data)):
        wrong.append("size-differs")
    if digest and digest != hashlib.sha1(data, usedforsecurity=False).hexdigest():
        wrong.append("hash-differs")
    problems += wrong + [f"{name}-missing" for name, value in (("size", size), ("hash", digest)) if not value]
    return None if wrong else data


def _slots(element: etree._Element) -> dict[str, str]:
    """First value of each of its own slots."""
    found = (
        (slot.get("name") or "", slot.find(f"{RIM}ValueList/{RIM}Value")) for slot in element.findall(f"{RIM}Slot")
    )
    return {name: (value.text or "").strip() for name, value in found if value is not None}


def _name(element: etree._Element) -> str:
    text = element.find(f"{RIM}Name/{RIM}LocalizedString")
    return (text.get("value") or "") if text is not None else ""


def _type(element: etree._Element) -> Coded | None:
    for each in element.findall(f"{RIM}Classification"):
        code = one_line(each.get("nodeRepresentation") or "", NAME_LIMIT)
        if (each.get("classificationScheme") or "").lower() == TYPE_CODE and code:
            return Coded(
                code, one_line(_slots(each).get("codingScheme", ""), NAME_LIMIT), one_line(_name(each), NAME_LIMIT)
            )
    return None


def _external(element: etree._Element, scheme: str) -> str:
    ids = element.findall(f"{RIM}ExternalIdentifier")
    found = (each.get("value") or "" for each in ids if (each.get("identificationScheme") or "").lower() == scheme)
    return one_line(next(found, ""), NAME_LIMIT)


def _patient(written: str, problems: list[str]) -> Identifier | None:
    try:
        return Identifier.parse_cx(written)
    except BadInput:
        problems.append("patient-number-missing")
        return None


def _moment(written: str) -> Moment | None:
    in_utc = len(written) > 8 and not {"+", "-"} & set(written)  # DTM: UTC, and said nowhere
    try:
        return Moment.parse(written + "+0000" if in_utc else written)
    except BadInput:
        return None
