"""A patient's qualified identity (INS), read from what a referent typed: forgiving in form, never guessing. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum

from colloque.clock import PARIS
from colloque.errors import BadIdentifier, BadInput
from colloque.identity import INS_OIDS, Ins
from colloque.mail.cda import Patient
from colloque.mail.hl7 import Identifier, Moment, Precision
from colloque.mail.mss import plain
from colloque.numbers import fold, tidy

_LONGEST = 100
"""Letters of a name."""
_FIRST_YEAR = 1880
"""Nobody alive was born before."""


class Wrong(StrEnum):
    """What an identity lacks, or has wrong."""

    NUMBER = "number"
    """No matricule, or not of 15 characters."""
    KEY = "key"
    """Its key is wrong: a digit was mistyped."""
    AUTHORITY = "authority"
    """Not said which it is, NIR or NIA; or an OID that is none of an INS."""
    NAME = "name"
    GIVEN = "given"
    UNSPLIT = "unsplit"
    """Several given names, and which of the words are the first is not said."""
    LETTERS = "letters"
    """A name holds what none of the INS does."""
    BIRTH = "birth"
    SEX = "sex"
    PLACE = "place"
    TWICE = "twice"
    """A trait is given more than once."""
    EXTRA = "extra"
    """A field of which it is not clear what it is."""


class Unclear(BadInput):
    """Nothing was taken. `wrong` is all of it; a message never holds a trait."""

    code = "identity.unclear"

    def __init__(self, wrong: frozenset[Wrong]) -> None:
        self.wrong = wrong
        super().__init__("the identity typed is not clear")


class Doubt(StrEnum):
    """Where a matricule, made of birth and sex, differs from the traits beside it. It may be right all the same."""

    BIRTH = "birth"
    SEX = "sex"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class QualifiedIdentity:
    """The strict traits of an INS. It never shows in a repr."""

    number: str = field(repr=False)
    """Matricule with its key, 15 characters."""
    authority: str
    """OID of who assigned it (`identity.INS_OIDS`)."""
    name: str = field(repr=False)
    """Birth name: capitals without accents, hyphens and apostrophes kept."""
    given: str = field(repr=False)
    """First given name of the birth certificate."""
    givens: str = field(repr=False)
    """All of them."""
    birth: str = field(repr=False)
    """`AAAA-MM-JJ`."""
    sex: str = field(repr=False)
    """`M` or `F`."""
    place: str = field(repr=False)
    """INSEE code of the commune or country of birth (COG)."""

    @classmethod
    def load(cls, text: str) -> QualifiedIdentity:
        """The reverse of `dump`."""
        return cls(**json.loads(text))

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @property
    def born(self) -> date:
        """Their day of birth."""
        return date.fromisoformat(self.birth)

    @property
    def patient(self) -> Patient:
        """As a document names them."""
        at = datetime(self.born.year, self.born.month, self.born.day, tzinfo=PARIS)
        return Patient(
            ids=(Identifier(self.authority, self.number),),
            birth_family=self.name,
            birth_given=self.given,
            birth_givens=self.givens,
            birth=Moment(at, Precision.DAY),
            sex=self.sex,
            birth_place=self.place,
        )

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """A matricule: sex, year, month (01 to 12; others stand for a month not known), place."""
        sex, year, month, place = self.number[0], self.number[1:3], self.number[3:5], self.number[5:10]
        born = self.born
        same_month = month == f"{born.month:02}" or not 1 <= int(month) <= 12
        differs = {
            Doubt.BIRTH: year != f"{born.year % 100:02}" or not same_month,
            Doubt.SEX: (sex in "137") != (self.sex == "M"),
            Doubt.PLACE: place != self.place,
        }
        return tuple(doubt for doubt, is_so in differs.items() if is_so)


_BETWEEN = re.compile(r"[;|\n]")
_SEPARATOR = r"(?:\s*[:=]\s*|\s+)"
_FIELDS: dict[str, re.Pattern[str]] = {
    "authority": re.compile(
        r"(?:(?:oid|autorite)\s*[:=]?\s*)?((?:ins[- ])?ni[ra](?: (?:de )?(?:test|demo|demonstration))?|1\.2\.[0-9.]+)"
    ),
    "number": re.compile(
        rf"(?:(?:matricule(?: ins)?|ins|numero(?: ins)?){_SEPARATOR})?([0-9][0-9 .-]{{5,}}(?:[ab][0-9 .-]*)?)"
    ),
    "birth": re.compile(
        rf"(?:(?:date(?: de naissance)?|naissance|ne|nee|ne\(e\))(?: le)?{_SEPARATOR})?"
        r"([0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    ),
    "sex": re.compile(rf"(?:sexe{_SEPARATOR})?(m|f|h|masculin|feminin|homme|femme)"),
    "place": re.compile(
        rf"(?:(?:lieu(?: de naissance)?|code(?: insee)?|insee|cog|commune){_SEPARATOR})?([0-9]{{5}}|2[ab][0-9]{{3}})"
    ),
}
"""By trait, as `fold` writes what was typed. The order matters: an OID is digits and dots, too."""
_LABELLED = {
    "authority": re.compile(r"(?:oid|autorite)\s*[:=]"),
    "number": re.compile(r"(?:matricule|ins|numero)\b[^:=]*[:=]"),
    "birth": re.compile(r"(?:date|naissance|ne|nee|ne\(e\))(?: de naissance)?(?: le)?\s*[:=]"),
    "sex": re.compile(r"sexe\b"),
    "place": re.compile(r"(?:lieu|code|insee|cog|commune)\b"),
}
"""What says which trait is meant, be its value unreadable."""
_WRONG_OF = {
    "authority": Wrong.AUTHORITY, "number": Wrong.NUMBER, "birth": Wrong.BIRTH, "sex": Wrong.SEX, "place": Wrong.PLACE,
    "name": Wrong.NAME, "given": Wrong.GIVEN,
}  # fmt: skip
_NAME = re.compile(r"\s*nom(?: de naissance)?\s*[:=]\s*(.*)", re.IGNORECASE | re.DOTALL)
_GIVEN = re.compile(r"\s*pr[eé]noms?(?: de naissance)?\s*[:=]\s*(.*)", re.IGNORECASE | re.DOTALL)
_WRITTEN = re.compile(r"[^\W\d_][^\W\d_ '-]*(?:[ '-]+[^\W\d_]+)*'?\Z")


def read_identity(text: str, today: date) -> QualifiedIdentity:
    """Fields apart by `;`, `|` or lines, in any order; of two that bear no label the first is the birth name.

    Matricule with key, NIR or NIA (or the OID), birth name, given names apart by commas, day of birth, sex, INSEE code
    of the place of birth. Raises Unclear, with everything that is wrong: no trait is left out, none is filled in.
    """
    reading = _Reading(today)
    for part in _BETWEEN.split(tidy(text)):
        if part.strip(" ,."):
            reading.take(part.strip())
    return reading.identity()


class _Reading:
    def __init__(self, today: date) -> None:
        self._today = today
        self._found: dict[str, str] = {}
        self._names: list[str] = []
        self._wrong: set[Wrong] = set()

    def take(self, part: str) -> None:
        folded = fold(part).strip().rstrip(".,").strip()
        named = _NAME.fullmatch(part), _GIVEN.fullmatch(part)
        if named[0] is not None or named[1] is not None:
            kind, found = ("name", named[0]) if named[0] is not None else ("given", named[1])
            assert found is not None
            self._put(kind, found[1])
            return
        for kind, pattern in _FIELDS.items():
            value = pattern.fullmatch(folded)
            if value is not None and not (kind == "number" and _FIELDS["birth"].fullmatch(folded)):
                self._put(kind, value[1])
                return
        labelled = next((kind for kind, label in _LABELLED.items() if label.match(folded)), None)
        if labelled is not None:
            self._wrong.add(_WRONG_OF[labelled])
            self._found.setdefault(labelled, "")
        elif any(char.isdigit() for char in part):
            self._wrong.add(Wrong.EXTRA)
        else:
            self._names.append(part)

    def _put(self, kind: str, value: str) -> None:
        if kind in self._found:
            self._wrong.add(Wrong.TWICE)
        self._found[kind] = value.strip()

    def identity(self) -> QualifiedIdentity:
        free = [kind for kind in ("name", "given") if kind not in self._found]
        if len(self._names) > len(free):
            self._wrong.add(Wrong.EXTRA)
        self._found.update(zip(free, self._names, strict=False))
        name = self._read("name", _name)
        givens = [_name(each) for each in self._found.get("given", "").split(",")]
        given = self._read("given", lambda _: givens[0] if all(givens) else "")
        if len(givens) == 1 and " " in givens[0]:
            self._wrong.add(Wrong.UNSPLIT)
        read = QualifiedIdentity(
            number=self._read("number", self._number),
            authority=self._read("authority", _authority),
            name=name,
            given=given,
            givens=" ".join(givens),
            birth=self._read("birth", self._birth),
            sex=self._read("sex", lambda said: "F" if said.startswith("f") else "M"),
            place=self._read("place", _place),
        )
        if self._wrong:
            raise Unclear(frozenset(self._wrong))
        return read

    def _read(self, kind: str, how: Callable[[str], str]) -> str:
        """The trait; empty, and noted as wrong, where it is missing or unreadable."""
        said = self._found.get(kind, "")
        value = how(said) if said else ""
        if not value:
            is_name = kind in {"name", "given"}
            self._wrong.add(Wrong.LETTERS if is_name and said else _WRONG_OF[kind])
        return value

    def _number(self, said: str) -> str:
        try:
            return Ins.parse(re.sub(r"[ .-]", "", said)).value
        except BadIdentifier:
            pass
        try:
            Ins.parse(re.sub(r"[ .-]", "", said), test=True)
        except BadIdentifier:
            return ""
        self._wrong.add(Wrong.KEY)
        return said

    def _birth(self, said: str) -> str:
        """A day of the calendar, with all four digits of its year."""
        parts = [int(each) for each in re.split(r"[/.-]", said)]
        year, month, day = parts if said[4:5] == "-" else reversed(parts)
        try:
            born = date(year, month, day)
        except ValueError:
            return ""
        return born.isoformat() if date(_FIRST_YEAR, 1, 1) <= born <= self._today else ""


def _authority(said: str) -> str:
    if said[0].isdigit():
        return said if said in INS_OIDS else ""
    kind = "INS-NIA" if "nia" in said else "INS-NIR"
    kind += " de test" if "test" in said else " de démonstration" if "demo" in said else ""
    return next((oid for oid, label in INS_OIDS.items() if label == kind), "")


def _place(said: str) -> str:
    """Départements 01 to 95, 2A and 2B, overseas 97 and 98; abroad 99."""
    return said.upper() if said[0] == "2" or said[:2] not in {"00", "96"} else ""


def _name(said: str) -> str:
    """As the INS writes names: capitals without accents. Empty for what holds anything else."""
    name = " ".join(said.split())
    if len(name) > _LONGEST or not _WRITTEN.fullmatch(name) or not all(plain(c) for c in name if c.isalpha()):
        return ""
    return plain(name).upper()
