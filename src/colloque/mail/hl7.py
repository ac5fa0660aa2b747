"""HL7's small words, as CDA and XDS write them: codes, identifiers, moments; and the OIDs France gives them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Self

from colloque.clock import PARIS
from colloque.errors import BadInput

IDNPS = "1.2.250.1.71.4.2.1"
"""Root of a professional's "identification nationale PP" (`8` + RPPS, `0` + ADELI…)."""
IDNST = "1.2.250.1.71.4.2.2"
"""Root of a structure's identifier (`1` + FINESS, `3` + SIRET…)."""
LOINC = "2.16.840.1.113883.6.1"
SECTORS = "1.2.250.1.71.4.2.4"
"""TRE_R02 Secteur d'activité, e.g. `SA07`."""

_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+\Z", re.ASCII)
_CX = re.compile(r"([^^&|]{1,100})\^\^\^[^^&]{0,60}&([0-9.]{3,120})&ISO(?:\^|\Z)", re.ASCII)
_TS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d{1,9})?([+-]\d{4})?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, the OID of the list it is from, and what the document calls it."""

    code: str
    system: str
    label: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """An HL7 identifier. The extension may be a patient's number: it never shows in a repr."""

    root: str
    """An OID, or a UUID."""
    extension: str = field(default="", repr=False)

    @classmethod
    def parse_cx(cls, text: str) -> Self:
        """Read `number^^^&oid&ISO^…`, as XDS metadata name a patient. Raises BadInput."""
        found = _CX.match(text.strip())
        if found is None:
            raise BadInput("not an identifier of the form number^^^&oid&ISO")
        return cls(found[2], found[1].strip())

    def cx(self, kind: str) -> str:
        """The same, written; `kind` is `NH` (numéro national), `PI` (in an establishment)…"""
        return f"{self.extension}^^^&{self.root}&ISO^{kind}"

    @property
    def joined(self) -> str:
        """`root^extension`: an XDS unique id."""
        return f"{self.root}^{self.extension}" if self.extension else self.root


def is_oid(text: str) -> bool:
    """True for dotted numbers, e.g. `1.2.250.1.213`."""
    return len(text) <= 128 and _OID.match(text) is not None


def oid_of(name: str) -> str:
    """An OID of our own for what bears that name: a UUID's (ITU-T X.667, section 7)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_DNS, name).int}"


class Precision(StrEnum):
    """How much of a moment is known."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    MINUTE = "minute"
    SECOND = "second"


_FORMS = {
    Precision.YEAR: "%Y",
    Precision.MONTH: "%Y%m",
    Precision.DAY: "%Y%m%d",
    Precision.MINUTE: "%Y%m%d%H%M%z",
    Precision.SECOND: "%Y%m%d%H%M%S%z",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time of HL7 (TS)."""

    at: datetime
    """Aware, with the offset it was written with (Paris when it had none): where what is meant begins."""
    precision: Precision
    offset_given: bool = True
    """False for a time of day without offset: Paris was assumed."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `AAAA[MM[JJ[hhmm[ss]]]][+ZZZZ]`. Raises BadInput."""
        found = _TS.match(text.strip())
        if found is None:
            raise BadInput("not an HL7 time")
        digits = [int(group) for group in found.groups()[:6] if group is not None]
        offset = found[7]
        zone = _zone(offset) if offset else PARIS
        year, month, day, hour, minute, second = digits + [0, 1, 1, 0, 0, 0][len(digits) :]
        try:
            at = datetime(year, month, day, hour, minute, second, tzinfo=zone)
            for read_in in (zone, PARIS):  # a date is written again without its offset
                at.replace(tzinfo=read_in).astimezone(UTC)  # year 1 or 9999 may have no time in UTC
        except (ValueError, OverflowError):
            raise BadInput("not an HL7 time") from None
        known = (Precision.YEAR, Precision.MONTH, Precision.DAY, Precision.MINUTE, Precision.MINUTE, Precision.SECOND)
        return cls(at, known[len(digits) - 1], offset is not None or len(digits) < 4)

    @classmethod
    def of(cls, at: datetime) -> Self:
        """An aware time, to the second, as read in Paris."""
        return cls(at.astimezone(PARIS).replace(microsecond=0), Precision.SECOND)

    @property
    def hl7(self) -> str:
        """As CDA writes it: with its offset where it has a time of day.

        An offset has no seconds there. That of Paris before 1911 has: then it is the nearest, up to half a minute away.
        """
        offset = self.at.utcoffset() or timedelta(0)
        at = self.at.replace(tzinfo=timezone(timedelta(minutes=round(offset / timedelta(minutes=1)))))
        return f"{at.year:04}" + at.strftime(_FORMS[self.precision].removeprefix("%Y"))

    @property
    def dtm(self) -> str:
        """As XDS metadata write it (DTM): in UTC and without offset, where it has a time of day."""
        if self.precision in {Precision.MINUTE, Precision.SECOND}:
            return self.at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        return self.hl7


def _zone(offset: str) -> timezone:
    try:
        span = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
        return timezone(-span if offset[0] == "-" else span)
    except ValueError:
        raise BadInput("not an HL7 time") from None
