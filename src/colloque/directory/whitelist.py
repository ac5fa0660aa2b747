"""The white-list of MSSanté domains: who is a member is decided by this list, never by how a domain ends.

Shape (source: public clients of ANS's file `listeblanchemssante.xml`): namespace
`https://listeblanche.mssante.fr/schema`, one `Domaine/Nom` a domain, names in Unicode or ASCII. Its dates are
`DateDebutValidite` and `DateFinValidite` (names from memory, to be checked on the real file); a list without an end
counts for `MAX_AGE` from the day it was made. Its signature is not checked: the administrator vouches for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.parsers import expat

from colloque.directory.columns import ImportRefused
from colloque.errors import BadIdentifier
from colloque.identity import MssanteAddress

NAMESPACE = "https://listeblanche.mssante.fr/schema"
MAX_AGE = timedelta(days=30)
MAX_BYTES = 20_000_000
"""The real list (5,000 domains) is under 1 MB."""


@dataclass(frozen=True, slots=True)
class WhiteList:
    """The domains of the trust space, ASCII (IDN encoded), lower case, and until when the list may be used."""

    domains: frozenset[str]
    made_at: datetime | None
    valid_until: datetime | None


def ascii_domain(name: str) -> str:
    """A domain in the form addresses carry. Raises BadIdentifier."""
    return MssanteAddress.parse(f"postmaster@{name.strip()}").domain


def looks_like(head: bytes) -> bool:
    """True when a file that begins so is a white-list."""
    return NAMESPACE.encode() in head


def parse(data: bytes) -> WhiteList:
    """Read the XML. Raises ImportRefused (`whitelist.…`): malformed, a document type, bad domains or dates."""
    if len(data) > MAX_BYTES:
        raise ImportRefused("whitelist.size", "the white-list is too big to be one")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ImportRefused("whitelist.xml", f"the white-list is not well-formed (line {error.lineno})") from None
    if not reader.domains:
        raise ImportRefused("whitelist.empty", "the white-list names no domain")
    return WhiteList(
        frozenset(reader.domains), reader.dates.get("DateDebutValidite"), reader.dates.get("DateFinValidite")
    )


class _Reader:
    """Collects what stands in the elements we know."""

    def __init__(self) -> None:
        self.domains: set[str] = set()
        self.dates: dict[str, datetime] = {}
        self._path: list[str] = []
        self._text = ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self._path.append(local if space == NAMESPACE else "")
        self._text = ""

    def text(self, data: str) -> None:
        self._text += data

    def doctype(self, *_declaration: object) -> None:
        raise ImportRefused("whitelist.doctype", "the white-list declares a document type: refused")

    def end(self, _name: str) -> None:
        if self._path[-2:] == ["Domaine", "Nom"]:
            try:
                self.domains.add(ascii_domain(self._text))
            except BadIdentifier:
                raise ImportRefused("whitelist.domain", "the white-list holds something that is no domain") from None
        elif self._path[-1] in {"DateDebutValidite", "DateFinValidite"}:
            self.dates[self._path[-1]] = _date(self._text.strip())
        self._path.pop()
        self._text = ""


def _date(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ImportRefused("whitelist.date", "the white-list holds a date that is none") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
