"""Numbers, codes and durations as people write or say them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.clock import PARIS
from colloque.numbers import day_in_paris, digits, duration, fold, number, tidy

UNITS = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
]
FRANCE = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
ELSEWHERE = FRANCE | {70: "septante", 80: "huitante", 90: "nonante"}


def words(n: int, tens: dict[int, str]) -> str:
    """French words for 0 to 999 999, written apart from the code under test (rules of 1990: hyphens everywhere)."""
    if n < 17:
        return UNITS[n]
    if n < 20:
        return f"dix-{UNITS[n - 10]}"
    if n < 100:
        base = max(t for t in tens if t <= n)
        if n >= 80 and base == 60:
            return "quatre-vingts" if n == 80 else f"quatre-vingt-{words(n - 80, tens)}"
        rest = n - base
        if rest == 0:
            return tens[base]
        joint = "-et-" if rest in {1, 11} else "-"
        return f"{tens[base]}{joint}{words(rest, tens)}"
    size, name = (1000, "mille") if n >= 1000 else (100, "cent")
    head, rest = divmod(n, size)
    many = "" if head == 1 else words(head, tens) + "-"
    plural = "s" if name == "cent" and head > 1 and rest == 0 else ""
    return f"{many}{name}{plural}" + (f"-{words(rest, tens)}" if rest else "")


@given(st.integers(0, 999_999), st.sampled_from([FRANCE, ELSEWHERE]), st.sampled_from("- \u00a0‑"))
def test_a_number_said_in_words_is_that_number(n: int, tens: dict[int, str], joint: str) -> None:
    assert number(words(n, tens).replace("-", joint)) == n


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15", 15),
        ("quinze", 15),
        ("Vingt et un", 21),
        ("soixante et onze", 71),
        ("septante-deux", 72),
        ("octante", 80),
        ("QUATRE-VINGT-DIX-NEUF MILLE", 99_000),
        ("zero", 0),
        ("une", 1),
        ("1 500", 1500),
        ("1\u202f500", 1500),
        ("123-456", 123_456),
        ("\uff11\uff12", 12),
        ("007", 7),
    ],
)
def test_numbers_are_read(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "-5", "+5", "1,5", "1.5", "12 34", "un deux", "zéro mille", "cent zéro", "dix cent", "mille mille",
     "vingt vingt", "un million", "quinze jours", "٣", "²³x", "9" * 5000, "cent " * 5000],
)  # fmt: skip
def test_anything_else_is_no_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        ("012345", "012345"),
        ("123 456", "123456"),
        ("12-34-56", "123456"),
        ("123456.", "123456"),
        ("zéro un vingt-trois quarante-cinq", "012345"),
        ("un deux trois quatre cinq six", "123456"),
        ("cent vingt-trois mille quatre cent cinquante-six", "123456"),
        ("12 trente-quatre 56", "123456"),
    ],
)
def test_codes_keep_their_digits(text: str, code: str) -> None:
    assert digits(text) == code


@pytest.mark.parametrize("text", ["", "abc", "123 456 merci", "12a"])
def test_anything_else_is_no_code(text: str) -> None:
    assert digits(text) is None


@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True), st.data())
def test_grouping_never_changes_a_code(code: str, data: st.DataObject) -> None:
    marks = [data.draw(st.sampled_from(["", "", " ", "-", ".", "\u00a0", "–"])) for _ in code]
    assert digits("".join(char + mark for char, mark in zip(code, marks, strict=True))) == code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15 jours", timedelta(days=15)),
        ("quinze jours", timedelta(days=15)),
        ("Quinze  JOURS.", timedelta(days=15)),
        ("2 semaines", timedelta(weeks=2)),
        ("un mois", timedelta(days=30)),
        ("six mois", timedelta(days=180)),
        ("un an", timedelta(days=365)),
        ("deux années", timedelta(days=730)),
        ("48 h", timedelta(hours=48)),
        ("48h", timedelta(hours=48)),
        ("une heure", timedelta(hours=1)),
        ("trente minutes", timedelta(minutes=30)),
        ("1 500 jours", timedelta(days=1500)),
        ("90 s", timedelta(seconds=90)),
    ],
)
def test_durations_are_read(text: str, value: timedelta) -> None:
    assert duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "jours", "15", "15 lunes", "bientôt", "999999999999 ans", "quinzejours", "-3 jours"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    assert duration(text) is None


def test_folding_and_tidying_settle_every_character_at_once() -> None:
    """Every character near ours, alone and accented: random texts would meet the few odd ones once in a blue moon."""
    for char in map(chr, [*range(0x3000), *range(0xFB00, 0x10000)]):
        for text in (char, char + "\u0301"):
            assert (tidy(tidy(text)), fold(fold(text))) == (tidy(text), fold(text)), text


@given(st.text())
def test_nothing_raises_and_tidying_twice_changes_nothing(text: str) -> None:
    for reader in (number, digits, duration):
        reader(text)
    assert tidy(tidy(text)) == tidy(text)
    assert fold(fold(text)) == fold(text)


def test_typography_is_made_plain() -> None:
    assert tidy("« L’été »\u00a0— “oui”…\r\n\u200b‘non’") == '"L\'été" - "oui"…\n\n\'non\''
    assert fold("ŒUVRE Élève") == "oeuvre eleve"
    assert not re.search(r"[^\x00-\x7f]", fold("Ça, là-bas\u202f: cœur"))


NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("14/11/2025", (2025, 11, 14)),
        ("14.11.25", (2025, 11, 14)),
        ("2025-11-14", (2025, 11, 14)),
        ("depuis le 1/3", (2026, 3, 1)),
        ("3/3", (2025, 3, 3)),
        ("29/2", None),
        ("29/02/2024", (2024, 2, 29)),
        ("il y a 2 semaines", (2026, 2, 16)),
        ("depuis un mois", (2026, 1, 31)),
        ("31/02/2026", None),
        ("01/01/0001", None),
        ("0001-01-01", None),
        ("0/0/0000", None),
        ("14/11/9999", (9999, 11, 14)),
        ("99999999999 ans", None),
        ("hier", None),
        ("", None),
        ("depuis le", None),
    ],
)
def test_a_day(typed: str, day: tuple[int, int, int] | None) -> None:
    found = day_in_paris(typed, NOW)
    assert (found.astimezone(PARIS).timetuple()[:5] if found else None) == ((*day, 0, 0) if day else None)


@pytest.mark.parametrize(
    ("typed", "day"),
    [("4/3", (2026, 3, 4)), ("1/3", (2027, 3, 1)), ("12/03/2026", (2026, 3, 12)), ("3 jours", (2026, 3, 5))],
)
def test_a_day_ahead(typed: str, day: tuple[int, int, int]) -> None:
    found = day_in_paris(typed, NOW, ahead=True)
    assert found is not None
    assert found.astimezone(PARIS).timetuple()[:5] == (*day, 0, 0)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,4}[/.-][0-9]{1,2}([/.-][0-9]{1,4})?", fullmatch=True))
def test_a_day_is_read_from_anything(typed: str) -> None:
    found = day_in_paris(typed, NOW)
    assert found is None or found.tzinfo is UTC


def test_a_run_of_spaces_takes_no_time() -> None:
    """Anybody may send 60,000 of them, and every bot reads every line: this took half a minute of all bots' time."""
    began = time.process_time()
    assert tidy(" " * 60_000) == " " * 60_000
    assert tidy("«" + " " * 60_000 + "a\u00a0 »") == '"a"'
    assert time.process_time() - began < 2
