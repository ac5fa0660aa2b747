"""Value types for every identifier. Made only by parsing; a malformed one can't exist.

Two modes: strict (production) checks keys; `test=True` also admits ANS's fictive identifiers, whose keys are
wrong on purpose (sources: ANS documentation and test extracts, section 1c of the project's facts).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NewType, Self

from colloque.errors import BadIdentifier

UserId = NewType("UserId", str)
"""A Matrix user id, `@localpart:server`."""
RoomId = NewType("RoomId", str)
"""A Matrix room id; version 12 rooms have no `:server` part."""
EventId = NewType("EventId", str)
"""A Matrix event id."""
MxcUri = NewType("MxcUri", str)
"""A Matrix media address, `mxc://server/media`."""

_USER_ID = re.compile(r"@[!-9;-~]+:[A-Za-z0-9.\-]+(?::\d{1,5})?\Z")
_SPACES = re.compile(r"[\s.\u00a0\u202f]+")


_DOUBLED = str.maketrans("0123456789", "0246813579")
"""Twice each digit, its own digits added up."""


def luhn_ok(digits: str) -> bool:
    """True when the last digit is the Luhn mod 10 key of the others. ASCII digits only."""
    return digits.isascii() and digits.isdecimal() and _luhn_sum(digits) % 10 == 0


def luhn_key(digits: str) -> str:
    """The digit that makes `digits + key` pass `luhn_ok`."""
    return str(-_luhn_sum(digits + "0") % 10)


def _luhn_sum(digits: str) -> int:
    return sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))


@dataclass(frozen=True, slots=True, order=True)
class Rpps:
    """A health professional's national number: 11 ASCII digits, the last a Luhn key (source: ANS)."""

    value: str

    @classmethod
    def parse(cls, text: str, *, test: bool = False) -> Self:
        """Read what a person typed: spaces and dots forgiven, and the 12-digit national form `8…`.

        `test` admits a wrong key. Raises BadIdentifier.
        """
        raw = _SPACES.sub("", text)
        if len(raw) == 12 and raw.startswith("8"):
            raw = raw[1:]
        if not (raw.isascii() and raw.isdecimal() and len(raw) == 11):
            raise BadIdentifier("an RPPS number has 11 digits")
        if not test and not luhn_ok(raw):
            raise BadIdentifier("the RPPS number's key is wrong")
        return cls(raw)

    @property
    def national(self) -> str:
        """ "Identification nationale PP" (IDNPS): type digit 8, then the RPPS number."""
        return "8" + self.value

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class Adeli:
    """The older national number, 9 characters, being replaced by the RPPS. Its key is only a warning."""

    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadIdentifier."""
        raw = _SPACES.sub("", text).upper()
        if not re.fullmatch(r"(\d\d|2[AB])\d{7}", raw, re.ASCII):
            raise BadIdentifier("an ADELI number has 9 characters")
        return cls(raw)

    @property
    def national(self) -> str:
        """ "Identification nationale PP": type digit 0, then the ADELI number."""
        return "0" + self.value

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class Finess:
    """A structure's national number: 9 characters, département first, Luhn key.

    Corsica (`2A`, `2B`) is accepted without key check: the substitution rule is not published.
    """

    value: str

    @classmethod
    def parse(cls, text: str, *, test: bool = False) -> Self:
        """Raises BadIdentifier."""
        raw = _SPACES.sub("", text).upper()
        if re.fullmatch(r"2[AB]\d{7}", raw, re.ASCII):
            return cls(raw)
        if not re.fullmatch(r"\d{9}", raw, re.ASCII):
            raise BadIdentifier("a FINESS number has 9 characters")
        if not test and not luhn_ok(raw):
            raise BadIdentifier("the FINESS number's key is wrong")
        return cls(raw)


INS_OIDS = {
    "1.2.250.1.213.1.4.8": "INS-NIR",
    "1.2.250.1.213.1.4.9": "INS-NIA",
    "1.2.250.1.213.1.4.10": "INS-NIR de test",
    "1.2.250.1.213.1.4.11": "INS-NIR de démonstration",
}
"""Assigning authorities of a patient's national identity (source: ANS fr-core profile)."""

_INS_SHAPE = re.compile(r"[1-478]\d{4}(?:\d\d|2[AB])\d{8}", re.ASCII)
_INS_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])[1-478][\s.]?\d\d[\s.]?\d\d[\s.]?(?:\d\d|2[ABab])[\s.]?\d{3}[\s.]?\d{3}[\s.]?\d\d(?![0-9A-Za-z])",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Ins:
    """A patient's national identity number: 13 characters and a 2-digit key (97 - number mod 97).

    It exists so that it can be refused where it must not stand. Its repr never shows it.
    """

    value: str

    @classmethod
    def parse(cls, text: str, *, test: bool = False) -> Self:
        """Raises BadIdentifier. `test` admits a wrong key (several printed ANS examples have one)."""
        raw = _SPACES.sub("", text).upper()
        if not _INS_SHAPE.fullmatch(raw):
            raise BadIdentifier("an INS has 15 characters")
        number = int(raw[:13].replace("2A", "19").replace("2B", "18"))
        if not test and int(raw[13:]) != 97 - number % 97:
            raise BadIdentifier("the INS key is wrong")
        return cls(raw)

    def __repr__(self) -> str:
        return "Ins(…)"

    __str__ = __repr__


def contains_ins(text: str) -> bool:
    """True when something in `text` has the shape of an INS (key not checked: better safe)."""
    return _INS_IN_TEXT.search(text) is not None


_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, order=True)
class MssanteAddress:
    """An address `local@domain`, lower-cased, IDN domains in their ASCII form.

    The type says only that the shape is right. Whether it belongs to MSSanté is decided by the white-list and
    the directory, never by a suffix.
    """

    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadIdentifier."""
        raw = text.strip()
        local, at, domain = raw.rpartition("@")
        if not at or not _LOCAL.match(local) or local.startswith(".") or local.endswith(".") or ".." in local:
            raise BadIdentifier("not a mail address")
        try:
            ascii_domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:
            raise BadIdentifier("the address's domain is malformed") from None
        labels = ascii_domain.split(".")
        if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
            raise BadIdentifier("the address's domain is malformed")
        return cls(f"{local.lower()}@{ascii_domain}")

    @property
    def domain(self) -> str:
        """What follows the `@`, ASCII, lower case."""
        return self.value.rpartition("@")[2]

    @property
    def is_patient(self) -> bool:
        """True for a patient's mailbox (`INS@patient.mssante.fr`): its local part is a health datum."""
        return self.domain.split(".")[0] == "patient"

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return "MssanteAddress(…)" if self.is_patient else f"MssanteAddress({self.value!r})"


def parse_user_id(text: str) -> UserId:
    """A Matrix user id. Raises BadIdentifier."""
    raw = text.strip()
    if not _USER_ID.match(raw) or len(raw) > 255:
        raise BadIdentifier("not a Matrix user id")
    return UserId(raw)


def localpart(user: UserId) -> str:
    """What stands between `@` and the first `:`."""
    return user[1:].partition(":")[0]


def server_of(user: UserId) -> str:
    """The server name of a user id."""
    return user.partition(":")[2]


def digest(value: str) -> str:
    """An opaque reference to an identifier, 32 hex digits: for keys and transactions, never a proof of secrecy."""
    return hashlib.sha256(value.encode()).hexdigest()[:32]
