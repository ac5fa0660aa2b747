"""What people type, made plain; and numbers and durations read from it, in digits or in French words.

Phones write typographic quotes and dashes, narrow spaces and invisible marks: none of them means anything here.
Nothing in this file raises on any text.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from colloque.clock import PARIS, start_of_day_in_paris

_QUOTES = dict.fromkeys("’‘‚‛′´ʼ‹›", "'") | dict.fromkeys("“”„‟″«»", '"')
_DASHES = dict.fromkeys("‐‑‒–—―−⁃﹘﹣", "-")
_SPACES = dict.fromkeys("\t\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a", " ")
_SPACES |= dict.fromkeys("\u202f\u205f\u3000", " ")
_LINES = dict.fromkeys("\r\x85\u2028\u2029", "\n")
_FULL_WIDTH = {chr(0xFF01 + rank): chr(0x21 + rank) for rank in range(94)}
_INVISIBLE = dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff", "")
_INVISIBLE |= dict.fromkeys("\u2066\u2067\u2068\u2069\ufe0e\ufe0f", "")
_TYPOGRAPHY = str.maketrans({**_FULL_WIDTH, **_QUOTES, **_DASHES, **_SPACES, **_LINES, **_INVISIBLE})
_OPENING = re.compile(r"(?<=«)[^\S\n]+")
_CLOSING = re.compile(r"(?<![^\S\n])[^\S\n]+(?=»)")
"""Looked for where a run of spaces begins: else the time grows with the square of the run."""


def tidy(text: str) -> str:
    """The same text with plain quotes, dashes and spaces and no invisible mark; case, accents and lines stay."""
    inside = _CLOSING.sub("", _OPENING.sub("", unicodedata.normalize("NFC", text)))
    return unicodedata.normalize("NFC", inside.translate(_TYPOGRAPHY))


def fold(text: str) -> str:
    """For comparing: `tidy`, lower case, no accents, ligatures undone."""
    parts = unicodedata.normalize("NFKD", tidy(text)).casefold().replace("œ", "oe").replace("æ", "ae")
    # Folding case may put accents together anew ("ΐ"), and taking apart may uncover typography ("ŉ"): once more each.
    plain = tidy(unicodedata.normalize("NFKD", parts))
    return "".join(char for char in unicodedata.normalize("NFD", plain) if not unicodedata.combining(char))


_UNITS = (
    "zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
    "treize", "quatorze", "quinze", "seize",
)  # fmt: skip
_TENS = {
    "vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "septante": 70,
    "huitante": 80, "octante": 80, "quatre vingt": 80, "nonante": 90,
}  # fmt: skip


def _below_hundred() -> dict[str, int]:
    """Every way to write 0 to 99, hyphens as spaces, `et` optional: "vingt et un", "soixante douze", "nonante"."""
    small = {word: value for value, word in enumerate(_UNITS)} | {"une": 1}
    teens = small | {f"dix {_UNITS[value]}": 10 + value for value in (7, 8, 9)}
    table = dict(teens) | {"quatre vingts": 80}
    for word, tens in _TENS.items():
        table[word] = tens
        highest = 19 if tens in {60, 80} else 9
        for unit, value in teens.items():
            if 1 <= value <= highest:
                table[f"{word} {unit}"] = table[f"{word} et {unit}"] = tens + value
    return table


_WORDS = _below_hundred()
_PLAIN_DIGITS = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:[ .'-][0-9]{3}){1,3}")
_FAR = timedelta(days=36_500)
_LONGEST = 13
"""Words in the longest numbers (499 999 is one)."""


def _below_thousand(words: list[str]) -> int | None:
    for cent in ("cent", "cents"):
        if cent in words:
            at = words.index(cent)
            hundreds = _WORDS.get(" ".join(words[:at])) if at else 1
            rest = _WORDS.get(" ".join(words[at + 1 :])) if words[at + 1 :] else 0
            if hundreds is None or rest is None or not 1 <= hundreds <= 9 or (words[at + 1 :] and rest == 0):
                return None
            return hundreds * 100 + rest
    return _WORDS.get(" ".join(words))


def _from_words(words: list[str]) -> int | None:
    if not words or len(words) > _LONGEST:
        return None
    if "mille" not in words:
        return _below_thousand(words)
    at = words.index("mille")
    thousands = _below_thousand(words[:at]) if at else 1
    rest = _below_thousand(words[at + 1 :]) if words[at + 1 :] else 0
    if thousands is None or rest is None or thousands == 0 or (words[at + 1 :] and rest == 0):
        return None
    return thousands * 1000 + rest


def number(text: str) -> int | None:
    """A whole number, in digits ("15", "1 500") or in words up to 999 999 ("quinze"); None when it is not one."""
    plain = fold(text).strip()
    if _PLAIN_DIGITS.fullmatch(plain):
        return int(re.sub(r"[^0-9]", "", plain))
    return _from_words(plain.replace("-", " ").split())


def digits(text: str) -> str | None:
    """A code's digits, leading zeros kept, grouped or said in any way; None when anything else stands there.

    "123 456", "123-456", "zéro un vingt-trois quarante-cinq" (012345) and "cent mille" all do. Words are read as
    the longest number each time, as when a phone number is dictated.
    """
    words = re.sub(r"[-.']", " ", fold(text)).split()
    out = ""
    while words:
        if words[0].isascii() and words[0].isdecimal():
            out += words.pop(0)
            continue
        for length in range(min(len(words), _LONGEST), 0, -1):
            value = _from_words(words[:length])
            if value is not None:
                out += str(value)
                del words[:length]
                break
        else:
            return None
    return out or None


_SECONDS = {
    **dict.fromkeys(("s", "sec", "seconde", "secondes"), 1),
    **dict.fromkeys(("min", "mn", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "heure", "heures"), 3600),
    **dict.fromkeys(("j", "jr", "jrs", "jour", "jours"), 86_400),
    **dict.fromkeys(("sem", "semaine", "semaines"), 7 * 86_400),
    "mois": 30 * 86_400,
    **dict.fromkeys(("an", "ans", "annee", "annees"), 365 * 86_400),
}
_DAY = re.compile(r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})(?:[/.-](?P<year>\d{4}|\d\d))?\Z", re.ASCII)
_ISO_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\Z", re.ASCII)
_SINCE = re.compile(r"\s*(?:depuis|du|le|il y a|since)\b", re.IGNORECASE)
_DURATION = re.compile(r"(.*?[0-9]|.*\s)\s*([a-z]+)")


def day_in_paris(text: str, now: datetime, *, ahead: bool = False) -> datetime | None:
    """Midnight, Paris time, of a day: `14/11/2026`, `14.11.26`, `14/11` (the last one before `now`), `2026-11-14`, or
    as long ago as `duration` reads; "depuis le" may stand before it. None for anything else.

    `ahead`: the next one after `now`, and from now on instead of ago.
    """
    plain = tidy(text)
    while lead := _SINCE.match(plain):
        plain = plain[lead.end() :]
    found = _DAY.match(plain.strip()) or _ISO_DAY.match(plain.strip())
    if found is None:
        ago = duration(plain)
        return None if ago is None or ago > _FAR else start_of_day_in_paris(now + ago if ahead else now - ago)
    day, month, year = int(found["day"]), int(found["month"]), found["year"]
    this_year = now.astimezone(PARIS).year
    likely = [this_year, this_year + (1 if ahead else -1)]
    years = likely if year is None else [int(year) + (2000 if len(year) == 2 else 0)]
    for each in years:
        try:
            at = datetime(each, month, day, tzinfo=PARIS).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if year is not None or (at > now if ahead else at <= now):
            return at
    return None


def duration(text: str) -> timedelta | None:
    """One number and one unit: "15 jours", "quinze jours", "48h", "un mois" (30 days); None when it is not one."""
    found = _DURATION.fullmatch(fold(text).strip().rstrip("."))
    count = number(found[1]) if found else None
    seconds = _SECONDS.get(found[2]) if found else None
    if count is None or seconds is None or count * seconds > timedelta.max.total_seconds():
        return None
    return timedelta(seconds=count * seconds)
