"""How a mail that carries clinical documents is named and marked (référentiel socle MSSanté #2, ECO.2.1.3 to 2.4.2).

All of it holds a patient's identity: subjects and file names stand in the mail itself and in encrypted events only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from colloque.clock import PARIS
from colloque.errors import BadInput
from colloque.identity import MssanteAddress
from colloque.mail.cda import ClinicalDocument, Patient
from colloque.mail.hl7 import Precision
from colloque.mail.message import one_line

PREFIX = "XDM/1.0/DDM+"
LABEL_LIMIT = 40
"""Characters of a document's type in a subject or a file name."""

_SUBJECT = re.compile(
    r"(?P<before>(?:\s*(?:\[[^\[\]]{1,60}\]|(?:re|tr|fw|fwd)\s*:))*)\s*XDM/1\.0/DDM\+\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SEVERAL = re.compile(r"(\d{1,4}) documents?\b", re.IGNORECASE | re.ASCII)
_BORN = re.compile(r"(?:\A|\s)(\d\d)/(\d\d)/(\d{4})\Z", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._:-]{1,60}\Z")
_LETTERS = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "ø": "o", "Ø": "O", "’": "'"})
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 '-]+")
_NOT_IN_FILES = re.compile(r'[\\/:*?"<>|_]+')


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject that announces documents. It proves nothing about a patient: `patientId` in METADATA.XML does."""

    shown: str = field(repr=False)
    """For people: without the prefix, with the marks that stood before it (`[Annule et remplace]`, `Re:`)."""
    count: int
    """How many documents it announces."""
    birth: date | None = field(repr=False)


def parse_subject(subject: str) -> Subject | None:
    """None for a subject that does not announce documents."""
    found = _SUBJECT.match(one_line(subject, 1000))
    if found is None:
        return None
    rest = found["rest"].strip()
    several = _SEVERAL.match(rest)
    return Subject(" ".join(f"{found['before']} {rest}".split()), int(several[1]) if several else 1, _birth(rest))


def shown_subject(subject: str) -> str:
    """A subject as people read it and as their answers repeat it: without the prefix that announces documents."""
    found = parse_subject(subject)
    return subject if found is None else found.shown


def _birth(rest: str) -> date | None:
    found = _BORN.search(rest)
    try:
        return date(int(found[3]), int(found[2]), int(found[1])) if found else None
    except ValueError:
        return None


def subject(documents: Sequence[ClinicalDocument]) -> str:
    """`XDM/1.0/DDM+<libellé> <NOM> <prénom> <date de naissance>`.

    Raises BadInput: see `one_patient`; no name; no type.
    """
    patient = one_patient(documents)
    born = patient.birth
    parts = [
        f"{len(documents)} documents" if len(documents) > 1 else _label(documents[0]),
        *_names(patient),
        born.at.strftime("%d/%m/%Y") if born is not None and born.precision is Precision.DAY else "",
    ]
    return PREFIX + " ".join(part for part in parts if part)


def pdf_name(document: ClinicalDocument, record: str = "") -> str:
    """`<date de l'acte>_<type>_<NOM>_<prénom>[_<numéro de dossier>].pdf` (ECO.2.1.6).

    Raises BadInput when one of them is missing, `record` (the sender's own number) apart.
    """
    patient = one_patient([document])
    start = document.acts[0].start if document.acts else None
    if start is None:
        raise BadInput("the document does not say when its act was done")
    on = start.at if start.precision is Precision.DAY else start.at.astimezone(PARIS)
    parts = [on.strftime("%Y%m%d"), _label(document), *_names(patient), record]
    return "_".join(" ".join(_NOT_IN_FILES.sub("-", part).split()) for part in parts if part) + ".pdf"


def one_patient(documents: Sequence[ClinicalDocument]) -> Patient:
    """The patient of a mail. Raises BadInput without any, and when there is more than one (ECO.2.1.1)."""
    patients = [document.patient for document in documents]
    first = patients[0] if patients else None
    if first is None or any(each is None for each in patients):
        raise BadInput("a document names no patient")
    if not all(each is not None and first.is_same(each) for each in patients):
        raise BadInput("one mail is about one patient")
    return first


def headers(
    documents: Sequence[ClinicalDocument], to: Sequence[MssanteAddress], *, last: bool = False
) -> dict[str, str]:
    """The X-MSS- fields of a mail, X-MSS-NIL apart, which `compose` writes on every mail.

    X-MSS-CODECDA and X-MSS-INS where an archive carries documents, and nowhere else. X-MSS-MES where `last` says that
    the patient can't answer (ECO.2.2.8): raises BadInput when somebody else is written to as well.
    """
    found: dict[str, str] = {}
    if documents:
        codes = [document.type.code if document.type is not None else "" for document in documents]
        if not all(_CODE.match(code) for code in codes):
            raise BadInput("a document's type can't stand in X-MSS-CODECDA")
        found["X-MSS-CODECDA"] = ",".join(codes)
        one_patient(documents)
        qualified = all(d.patient is not None and d.patient.qualified for d in documents)
        found["X-MSS-INS"] = "O" if qualified else "N"
    if last:
        if not to or not all(address.is_patient for address in to):
            raise BadInput("X-MSS-MES is for mails to patients only")
        found["X-MSS-MES"] = "FIN"
    return found


def _label(document: ClinicalDocument) -> str:
    label = one_line(document.type.label if document.type is not None else "", 200)[:LABEL_LIMIT].strip()
    if not label:
        raise BadInput("the document does not say its type")
    return label


def _names(patient: Patient) -> tuple[str, str]:
    family, given = plain(patient.family).upper(), plain(patient.given)
    if not family or not given:
        raise BadInput("the patient's name is missing")
    return family, given


def plain(name: str) -> str:
    """A name without accents: letters, digits, hyphens, apostrophes."""
    apart = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return " ".join(_NOT_IN_NAMES.sub(" ", "".join(c for c in apart if not unicodedata.combining(c))).split())
