"""What may enter the directory: identifiers, and the reasons why a row is kept out. The rest of a row is data."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from colloque.errors import BadIdentifier
from colloque.identity import Adeli, MssanteAddress, Rpps

REASONS = (
    "row.width",
    "row.nul",
    "identifier.malformed",
    "identifier.key",
    "identifier.type",
    "identifier.contradiction",
    "name.missing",
    "mailbox.address",
    "mailbox.patient",
    "mailbox.kind",
    "skill.code",
    "diploma.code",
    "card.number",
    "card.date",
    "move.disputed",
)
"""Stable codes of rows kept out. Their order is stored (`lines`): new ones go to the end."""
REF = {reason: -1 - rank for rank, reason in enumerate(REASONS)}
"""How a reason is written where a row's id would stand."""
WIDTH, NUL = REF["row.width"], REF["row.nul"]

_ELEVEN = re.compile(r"\d{11}", re.ASCII)
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*\Z").match
"""Nearly all of them; whatever else an address may hold is left to `MssanteAddress`."""

_DOUBLED = "0246813579"
_FIRST = {f"{n:03}": int(f"{n:03}"[0]) + int(_DOUBLED[n // 10 % 10]) + n % 10 for n in range(1_000)}
_OTHER = {
    f"{n:04}": int(_DOUBLED[n // 1000]) + n // 100 % 10 + int(_DOUBLED[n // 10 % 10]) + n % 10 for n in range(10_000)
}
"""What three and four digits of an RPPS number, from the left, give to its Luhn sum. No other text is a key."""

Head = tuple[str, str, str]
"""Type, identifier, "Identification nationale PP" as a row gives them."""


class Numbers:
    """Who a row speaks of: the national number that the person goes by today."""

    def __init__(self, db: sqlite3.Connection, *, test: bool) -> None:
        """`db` holds the moves. `test` admits wrong RPPS keys (ANS's fictive people)."""
        self._db = db
        self._test = test
        self.today = lru_cache(maxsize=4_096)(self._today)

    def of(self, head: Head) -> str | int:
        """The number; below zero the reason (`REF`) why the row can't be kept."""
        kind, value, national = head
        if kind == "8" and key_holds(value):
            return national if national == "8" + value else REF["identifier.contradiction"]
        found = self.read(kind, value)
        if isinstance(found, int):
            return found
        return self.today(found) if national == found else REF["identifier.contradiction"]

    def read(self, kind: str, value: str) -> str | int:
        """A national number as the row gives it, moved or not; or the reason."""
        try:
            if kind == "8":
                return Rpps.parse(value, test=self._test).national
            if kind == "0":
                return Adeli.parse(value).national
        except BadIdentifier:
            return REF["identifier.key" if _ELEVEN.fullmatch(value) else "identifier.malformed"]
        return REF["identifier.type"]

    def _today(self, national: str) -> str:
        if national[0] == "0":
            found = self._db.execute("SELECT rpps FROM move WHERE adeli = ?", (national[1:],)).fetchone()
            if found:
                return "8" + str(found[0])
        return national


def key_holds(value: str) -> bool:
    """Whether this is an RPPS number with a right key (Luhn), written as 11 digits and nothing else. Fast."""
    try:
        return not (_FIRST[value[:3]] + _OTHER[value[3:7]] + _OTHER[value[7:]]) % 10
    except KeyError:
        return False


def address_reader() -> Callable[[str], str | int]:
    """Reads addresses into their one form, or the reason; remembers the domains it saw."""

    @lru_cache(maxsize=8_192)
    def domain_of(domain: str) -> str | None:
        try:
            return MssanteAddress.parse(f"x@{domain}").domain
        except BadIdentifier:
            return None

    def read(text: str) -> str | int:
        local, at, domain = text.strip().rpartition("@")
        known = domain_of(domain)
        if known is None:
            return REF["mailbox.address"]
        if at and len(local) <= 64 and _PLAIN_LOCAL(local):
            return f"{local.lower()}@{known}" if not known.startswith("patient.") else REF["mailbox.patient"]
        try:
            parsed = MssanteAddress.parse(f"{local}{at}{known}")
        except BadIdentifier:
            return REF["mailbox.address"]
        return REF["mailbox.patient"] if parsed.is_patient else parsed.value

    return read


_DATE = re.compile(r"(?:19|20|99)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", re.ASCII)


@lru_cache(maxsize=100_000)
def is_date(text: str) -> bool:
    """A date of the cards' file that the calendar holds, or none given."""
    try:
        return not text or (_DATE.fullmatch(text) is not None and bool(date.fromisoformat(text)))
    except ValueError:
        return False
