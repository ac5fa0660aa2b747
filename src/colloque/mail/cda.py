"""What a clinical document (HL7 CDA R2, profiled by the CI-SIS) is to us: `cda_read` makes it, `cda_write` writes it.

Everything in it is what its author claims. A patient never shows in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from colloque.errors import BadIdentifier
from colloque.identity import INS_OIDS, Ins, Rpps
from colloque.mail.hl7 import IDNPS, Coded, Identifier, Moment, Precision

_TITLES = {"DR": "Dr", "PR": "Pr"}


@dataclass(frozen=True, slots=True)
class PersonName:
    """A professional's name. `prefix` and `suffix` are codes of TRE_R81 and TRE_R11: `M`, `MME`, `DR`, `PR`…"""

    family: str
    given: str = ""
    prefix: str = ""
    suffix: str = ""

    @property
    def full(self) -> str:
        """For people to read: "Dr Anne MARTIN"."""
        title = _TITLES.get(self.suffix) or _TITLES.get(self.prefix) or ""
        return " ".join(part for part in (title, self.given, self.family) if part)


@dataclass(frozen=True, slots=True)
class Organization:
    """A structure. `number` has the root IDNST when it is a national one."""

    name: str
    number: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """Who wrote, signed, did or shall read: a person, a device, or a structure alone."""

    name: PersonName | None = None
    number: Identifier | None = None
    """Of the person or device; root IDNPS when it is a national one."""
    role: Coded | None = None
    """Profession and savoir-faire, e.g. `G15_10/SM03`."""
    organization: Organization | None = None
    device: str = ""
    """The software that wrote by itself; empty for people."""
    at: Moment | None = None
    addresses: tuple[str, ...] = ()
    """Mail addresses, lower case."""

    @property
    def rpps(self) -> Rpps | None:
        """The number, where it is of that kind. Its key is not checked: it is a claim, and proves nobody."""
        if self.number is None or self.number.root != IDNPS or len(self.number.extension) != 12:
            return None
        try:
            return Rpps.parse(self.number.extension, test=True)
        except BadIdentifier:
            return None

    @property
    def label(self) -> str:
        """For people to read: the person, else the device, else the structure; may be empty."""
        named = self.name.full if self.name is not None else ""
        return named or self.device or (self.organization.name if self.organization is not None else "")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody the author wants it read by."""

    who: Agent
    primary: bool = True
    """False for a copy (typeCode TRC)."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The one patient of a document."""

    ids: tuple[Identifier, ...] = field(default=(), repr=False)
    birth_family: str = field(default="", repr=False)
    birth_given: str = field(default="", repr=False)
    """First given name of the birth certificate."""
    birth_givens: str = field(default="", repr=False)
    """All of them."""
    used_family: str = field(default="", repr=False)
    used_given: str = field(default="", repr=False)
    birth: Moment | None = field(default=None, repr=False)
    sex: str = field(default="", repr=False)
    """`M`, `F`, or `U` (unknown); empty when it is not told."""
    birth_place: str = field(default="", repr=False)
    """INSEE code of the commune or country (COG)."""

    @property
    def ins(self) -> Identifier | None:
        """The first identifier that an INS authority assigned, be it a test one; None without any."""
        return next((each for each in self.ids if each.root in INS_OIDS), None)

    @property
    def qualified(self) -> bool:
        """True for an "INS qualifiée": a matricule with the right key, its authority, and the strict identity traits
        (birth name, first given name, day of birth, sex: référentiel INS)."""
        if self.ins is None or not (self.birth_family and self.birth_given and self.sex in {"M", "F"}):
            return False
        try:
            Ins.parse(self.ins.extension)
        except BadIdentifier:
            return False
        return self.birth is not None and self.birth.precision is Precision.DAY

    @property
    def family(self) -> str:
        """The birth name, else the one in use."""
        return self.birth_family or self.used_family

    @property
    def given(self) -> str:
        """The first given name, else the one in use."""
        return self.birth_given or self.used_given or self.birth_givens.split(" ")[0]

    def is_same(self, other: Patient) -> bool:
        """True when both are one person: the same INS; where one has none, another number in common."""
        if self.ins is not None and other.ins is not None:
            return self.ins == other.ins
        return not set(self.ids).isdisjoint(other.ids)


@dataclass(frozen=True, slots=True)
class Act:
    """What was done (documentationOf): the first of a document is its main act."""

    start: Moment | None = None
    stop: Moment | None = None
    code: Coded | None = None
    performer: Agent | None = None
    practice: Coded | None = None
    """Cadre d'exercice of the performer, e.g. `AMBULATOIRE`."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file inside the document. `mime` is what its bytes are where that can be seen, else what is declared."""

    mime: str
    data: bytes = field(repr=False)
    ref: str = ""
    """The id by which the narrative names it; empty for the whole body."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A piece of text; `\\n` where the author broke the line."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...] = field(repr=False)
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; `across` and `down` are how many columns and rows it takes."""

    text: str = field(repr=False)
    heading: bool = False
    across: int = 1
    down: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table, headings included as rows."""

    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """Where the narrative shows one of the document's media."""

    ref: str


Block = Paragraph | Bullets | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a structured body (CDA N3): what people read of it. `level` is 1 for the outermost."""

    title: str
    level: int
    blocks: tuple[Block, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClinicalDocument:
    """One document. What could not be read is empty, and `problems` names it."""

    id: Identifier | None
    type: Coded | None
    title: str
    at: Moment | None
    """effectiveTime: when it was written."""
    patient: Patient | None
    authors: tuple[Agent, ...] = ()
    custodian: Organization | None = None
    signer: Agent | None = None
    """legalAuthenticator: who answers for it."""
    recipients: tuple[Recipient, ...] = ()
    acts: tuple[Act, ...] = ()
    facility: Coded | None = None
    """Secteur d'activité of the place of care, e.g. `SA07`."""
    set_id: Identifier | None = None
    """The same for all versions of a document."""
    version: int | None = None
    replaces: Identifier | None = None
    """The id of the version that it takes the place of."""
    confidentiality: str = "N"
    """`N` normal, `R` restricted, `V` very restricted."""
    language: str = "fr-FR"
    body: Media | None = None
    """CDA N1: the whole content is one file. None for a structured document."""
    sections: tuple[Section, ...] = ()
    """CDA N3."""
    media: tuple[Media, ...] = ()
    """Files inside a structured document."""
    problems: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Media, ...]:
        """Every file inside it."""
        return (self.body, *self.media) if self.body is not None else self.media
