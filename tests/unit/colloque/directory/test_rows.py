"""Bytes to rows: encodings, block borders, cuts, monsters."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.directory import rows as module
from colloque.directory.columns import ImportRefused, Kind, cut, key
from colloque.directory.rows import MAX_LINE, Rows
from tests.extracts import header, mailbox, person, text

HEAD = header("mailboxes_31")


def read(data: bytes, named: Kind | None = Kind.MAILBOXES) -> tuple[Rows, list[list[str]]]:
    """The rows and their fields; rows of another width are left out."""
    rows = Rows(io.BytesIO(data), named, lambda _size: None)
    columns = rows.columns
    found = [cut(text, columns.width, columns.mark) for lines in rows.blocks() for text in rows.texts(lines)]
    return rows, [fields for fields in found if fields is not None]


def refused(data: bytes, named: Kind | None = Kind.MAILBOXES) -> str:
    with pytest.raises(ImportRefused) as caught:
        read(data, named)
    return caught.value.reason


FILE = text(HEAD, [mailbox("a@x.test", service="Hépato"), mailbox("b@x.test", service='l\'"accueil"')])


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (FILE.encode("utf-8"), "utf-8"),
        (FILE.encode("utf-8-sig"), "utf-8-sig"),
        (FILE.encode("cp1252"), "cp1252"),
        (FILE.replace("\n", "\r\n").encode("utf-8"), "utf-8"),
    ],
)
def test_every_encoding_gives_the_same_rows(data: bytes, encoding: str) -> None:
    rows, got = read(data)
    assert rows.encoding == encoding
    assert [(f[1], f[7]) for f in got] == [("a@x.test", "Hépato"), ("b@x.test", 'l\'"accueil"')]
    assert len(got) == 2


def test_a_header_without_accents_leaves_it_to_the_first_line_that_has_some() -> None:
    head = "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Raison Sociale structure BAL|"
    head += "Enseigne commerciale structure BAL|Service de rattachement|"
    plain = "ORG|a@x.test||||||\n" * 40_000  # more than a block
    rows, got = read((head + "\n" + plain + "ORG|b@x.test|||Évreux|||\n").encode("cp1252"))
    assert rows.encoding == "cp1252"
    assert len(got) == 40_001
    assert got[-1][4] == "Évreux"
    rows, _ = read((head + "\n" + plain).encode())
    assert rows.encoding == "ascii"


@pytest.mark.parametrize("first", ["utf-8", "cp1252"])
def test_a_file_that_mixes_encodings_is_refused(first: str) -> None:
    other = "cp1252" if first == "utf-8" else "utf-8"
    row = text(HEAD, [mailbox("a@x.test", service="Hépato")]).split("\n")[1] + "\n"
    assert refused((HEAD + "\n").encode(first) + row.encode(first) + row.encode(other)) == "encoding.mixed"
    far = row.encode(first) * 20_000  # beyond the first block
    assert refused((HEAD + "\n").encode(first) + far + row.encode(other)) == "encoding.mixed"


def test_windows_letters_that_happen_to_be_utf8_do_not_count_as_mixed() -> None:
    service = "CITÉ\u201d"  # C9 94 in Windows-1252, which UTF-8 reads as one phonetic letter
    rows, got = read(text(HEAD, [mailbox("a@x.test", service=service)]).encode("cp1252"))
    assert rows.encoding == "cp1252"
    assert got[0][7] == service


def test_a_file_in_neither_encoding_is_refused() -> None:
    assert refused(HEAD.encode("cp1252") + b"\n\x81|\x8d\n") == "encoding.unknown"


@pytest.mark.parametrize(
    "data",
    [
        FILE.encode()[:-1],
        FILE.encode()[:-40],
        FILE.encode() + b"PER|half",
        HEAD.encode(),
        FILE.encode() + b"x" * (MAX_LINE + 10),
    ],
)
def test_a_cut_file_is_refused(data: bytes) -> None:
    assert refused(data) == "file.truncated"


@pytest.mark.parametrize("size", [MAX_LINE + 1, 1_000_000, 5_000_000])
def test_a_monstrous_line_is_left_out(size: int) -> None:
    good = FILE.split("\n")[1]
    data = "\n".join([HEAD, good, "x" * size, good, good, ""]).encode()
    rows, got = read(data)
    assert len(got) == 3
    assert rows.too_long == 1


@pytest.mark.parametrize(
    ("head", "named", "reason"),
    [
        ("", None, "file.unknown"),
        ("\n", None, "file.unknown"),
        ("bonjour\n", None, "file.unknown"),
        ("bonjour\n", Kind.PEOPLE, "columns.missing"),
        (header("people_56").replace("Identifiant PP|", "", 1) + "\n", Kind.PEOPLE, "columns.missing"),
        (header("people_56") + "Libellé profession|\n", Kind.PEOPLE, "columns.twice"),
        (HEAD.replace("Adresse BAL|", "") + "\n", Kind.MAILBOXES, "columns.missing"),
    ],
)
def test_a_header_that_is_none_is_refused(head: str, named: Kind | None, reason: str) -> None:
    assert refused(head.encode(), named) == reason


def test_the_error_names_the_missing_columns() -> None:
    head = header("people_56").replace("Nom d'exercice|", "").replace("Raison sociale site|", "")
    with pytest.raises(ImportRefused, match=r"Nom d'exercice, Raison sociale site"):
        read(head.encode() + b"\n", Kind.PEOPLE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("people_56", Kind.PEOPLE),
        ("people_52", Kind.PEOPLE),
        ("people_drifted", Kind.PEOPLE),
        ("mailboxes_31", Kind.MAILBOXES),
        ("skills_13", Kind.SKILLS),
        ("diplomas_13", Kind.DIPLOMAS),
        ("cards_8", Kind.CARDS),
        ("moves_2", Kind.MOVES),
    ],
)
def test_a_header_alone_tells_the_kind(name: str, kind: Kind) -> None:
    rows, got = read((header(name) + "\n").encode(), None)
    assert rows.columns.kind is kind
    assert got == []


@pytest.mark.parametrize("name", ["people_52", "people_drifted"])
def test_drifted_headers_lead_to_the_same_columns(name: str) -> None:
    data = text(header(name), [person(1, town="METZ")], usual=header("people_56"))
    rows, got = read(data.encode(), None)
    at = rows.columns.at
    assert got[0][at("Libellé commune (coord. structure)")] == "METZ"
    assert got[0][at("Prénom d'exercice")] == "Hélène"
    assert got[0][at("Code postal (coord. structure)")] == "54000"


def test_columns_in_another_order_are_found() -> None:
    names = header("people_56").split("|")[:-1]
    head = "".join(name + "|" for name in reversed(names))
    rows, got = read(text(head, [person(1)]).encode(), None)
    assert got[0][rows.columns.at("Nom d'exercice")] == "NOM1"


def test_drifted_names_have_one_key() -> None:
    assert key("Code fonction") == key("CODE RÔLE")
    assert key("Libellé genre d'activité") == key("Libellé genre activité")
    assert key("Code département (coord. structure)") == key("Code Département (structure)")


FIELD = st.text(st.characters(blacklist_characters="|\n\r\0", blacklist_categories=("Cs",)), max_size=20)


@given(st.lists(FIELD, min_size=1, max_size=8), st.booleans())
def test_what_is_joined_is_cut_back(fields: list[str], ended: bool) -> None:
    assert cut("|".join(fields) + ("|" if ended else ""), len(fields)) == fields


@given(st.lists(st.lists(FIELD, min_size=31, max_size=31), max_size=12), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_block_borders_never_show(table: list[list[str]], block: int) -> None:
    data = "\n".join([HEAD, *("|".join(fields) + "|" for fields in table), ""]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        rows, got = read(data)
    assert got == table
    assert rows.too_long == 0


@given(st.binary(max_size=400), st.sampled_from([*Kind, None]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes, named: Kind | None) -> None:
    if named is Kind.WHITELIST:
        named = None
    for head in (b"", HEAD.encode() + b"\n"):
        try:
            rows = Rows(io.BytesIO(head + data), named, lambda _size: None)
            texts = [text for lines in rows.blocks() for text in rows.texts(lines)]
        except ImportRefused:
            continue
        assert len(texts) == (head + data).count(b"\n") - 1
