"""Skills, diplomas and cards: every kind of file is read, each row kept or counted under a reason."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock
from colloque.directory.columns import Kind
from colloque.directory.engine import open_read_only
from colloque.directory.extract import ImportReport, import_files
from colloque.directory.file import DirectoryFile
from colloque.identity import Rpps
from colloque.professional import Skill
from tests.extracts import STAMP, Row, first_files, header, rpps, text

NAMES = {
    Kind.SKILLS: ("skills_13", f"PS_LibreAcces_SavoirFaire_{STAMP}.txt"),
    Kind.DIPLOMAS: ("diplomas_13", f"PS_LibreAcces_Dipl_AutExerc_{STAMP}.txt"),
    Kind.CARDS: ("cards_8", "porteurs-cps-cpf.csv"),
}


def who(number: int, **over: str) -> Row:
    value = over.get("id", rpps(number))
    return {
        "Type d'identifiant PP": over.get("kind", "8"),
        "Identifiant PP": value,
        "Identification nationale PP": over.get("national", over.get("kind", "8") + value),
    }


def skill(number: int, code: str = "SM04", **over: str) -> Row:
    return who(number, **over) | {
        "Code profession": "10",
        "Code type savoir-faire": over.get("type", "S"),
        "Code savoir-faire": code,
        "Libellé savoir-faire": "Cardiologie",
    }


def diploma(number: int, code: str = "DE10", **over: str) -> Row:
    return who(number) | {"Code type diplôme obtenu": "DE", "Code diplôme obtenu": code} | over


def card(number: int, **over: str) -> Row:
    return {
        "Code type de carte": "CPS",
        "Numéro carte": "2800000000",
        "Identifiant national contenu dans la carte": "8" + rpps(number),
        "Date début validité": "2025-01-01",
        "Date fin validité": "2028-01-01",
        "Date opposition": "",
        "Date de mise à jour": "2026-02-28",
    } | over


def write(folder: Path, kind: Kind, rows: list[Row]) -> Path:
    head, name = NAMES[kind]
    path = folder / name
    path.write_text(text(header(head), rows), encoding="utf-8")
    return path


def load(tmp_path: Path, clock: FrozenClock, kind: Kind, rows: list[Row]) -> ImportReport:
    first = tmp_path / "first"
    paths = [write(tmp_path, kind, rows)] if first.exists() else [first_files(first), write(tmp_path, kind, rows)]
    return import_files(paths, tmp_path / "d.sqlite", clock)


def table(tmp_path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(open_read_only(tmp_path / "d.sqlite")) as db:
        return db.execute(query).fetchall()


def test_skills_are_kept_as_codes_and_belong_to_the_person(tmp_path: Path, clock: FrozenClock) -> None:
    rows = [skill(1), skill(1, "C05", type="C"), skill(2, "SM26"), skill(77, "SM54")]
    report = load(tmp_path, clock, Kind.SKILLS, rows)
    assert report.rejected == {}
    found = DirectoryFile(tmp_path / "d.sqlite").by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert set(found.skills) == {Skill("S", "SM04", "Cardiologie"), Skill("C", "C05", "Cardiologie")}
    assert table(tmp_path, "SELECT national, code FROM skill WHERE code = 'SM54'") == [("8" + rpps(77), "SM54")]


def test_diplomas_and_permits_are_kept(tmp_path: Path, clock: FrozenClock) -> None:
    permit = {
        "Code type autorisation": "AE",
        "Code discipline autorisation": "C",
        "Libellé discipline autorisation": "Ch",
    }
    load(tmp_path, clock, Kind.DIPLOMAS, [diploma(1), diploma(2, "", **permit)])
    assert table(tmp_path, "SELECT national, type_code, code, permit_type_code, permit_code, permit FROM diploma") == [
        ("8" + rpps(1), "DE", "DE10", "", "", ""),
        ("8" + rpps(2), "DE", "", "AE", "C", "Ch"),
    ]


def test_cards_are_kept_with_their_opposition(tmp_path: Path, clock: FrozenClock) -> None:
    report = load(tmp_path, clock, Kind.CARDS, [card(1), card(2, **{"Date opposition": "2026-02-20"})])
    assert report.noticed["card.opposed"] == 1
    [dated] = [f.dated_by for f in report.files if f.kind is Kind.CARDS]
    assert dated == "file", "its name bears no time, which is said"
    assert table(tmp_path, "SELECT national, number, valid_until, opposed_on FROM card ORDER BY id") == [
        ("8" + rpps(1), "2800000000", "2028-01-01", ""),
        ("8" + rpps(2), "2800000000", "2028-01-01", "2026-02-20"),
    ]


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        (Kind.SKILLS, skill(9, ""), "skill.code"),
        (Kind.SKILLS, skill(9, id="89900000090"), "identifier.key"),
        (Kind.SKILLS, skill(9, kind="5"), "identifier.type"),
        (Kind.SKILLS, skill(9, national="8" + rpps(8)), "identifier.contradiction"),
        (Kind.SKILLS, skill(9, "SM\x0004"), "row.nul"),
        (Kind.SKILLS, skill(9, "SM|04"), "row.width"),
        (Kind.SKILLS, skill(9, "SM" * 50_000), "row.too_long"),
        (Kind.DIPLOMAS, diploma(9, ""), "diploma.code"),
        (Kind.CARDS, card(9, **{"Numéro carte": ""}), "card.number"),
        (Kind.CARDS, card(9, **{"Date opposition": "31/12/2026"}), "card.date"),
        (Kind.CARDS, card(9, **{"Identifiant national contenu dans la carte": "A00B"}), "identifier.type"),
    ],
)
def test_a_bad_row_is_kept_out_and_counted(
    tmp_path: Path, clock: FrozenClock, kind: Kind, row: Row, reason: str
) -> None:
    good = {Kind.SKILLS: skill, Kind.DIPLOMAS: diploma, Kind.CARDS: card}[kind]
    report = load(tmp_path, clock, kind, [good(1), row, good(2)])
    [told] = [f for f in report.files if f.kind is kind]
    assert (told.rows, told.kept, told.rejected) == (3, 2, {reason: 1})
    assert report.rejected == {reason: 1}


def test_codes_that_nobody_knows_are_kept_and_noticed(tmp_path: Path, clock: FrozenClock) -> None:
    report = load(tmp_path, clock, Kind.SKILLS, [skill(1, type="ZZ")])
    assert report.noticed["skill.type_unknown"] == 1
    assert table(tmp_path, "SELECT type_code FROM skill") == [("ZZ",)]


@pytest.mark.parametrize("kind", [Kind.SKILLS, Kind.DIPLOMAS, Kind.CARDS])
def test_a_later_file_replaces_an_earlier_one(tmp_path: Path, clock: FrozenClock, kind: Kind) -> None:
    good = {Kind.SKILLS: skill, Kind.DIPLOMAS: diploma, Kind.CARDS: card}[kind]
    load(tmp_path, clock, kind, [good(1), good(2), good(2), good(3)])
    load(tmp_path, clock, kind, [good(4), good(2), good(3)])
    name = {Kind.SKILLS: "skill", Kind.DIPLOMAS: "diploma", Kind.CARDS: "card"}[kind]
    assert sorted(table(tmp_path, f"SELECT national FROM {name}")) == sorted(("8" + rpps(n),) for n in (4, 2, 3))
