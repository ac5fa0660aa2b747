"""What an import takes in, and what it keeps out."""

from __future__ import annotations

import re
import stat
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colloque.clock import FrozenClock
from colloque.directory.columns import Kind
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import MailboxKind
from tests.extracts import header, mailbox, mailbox_file, people_file, person, rpps, text, whitelist_xml

MADE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "directory.sqlite"


def rows_of(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [dict(zip(head.split("|"), line.split("|"), strict=True)) for line in lines]


def test_the_whole_sample_comes_back(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    """Every person with every activity and mailbox, against a reading of the files by other means."""
    sample = write_sample(tmp_path / "sample", 1500, 3, MADE)
    report = import_files([sample.folder], target, clock)
    assert (report.people, report.activities) == (sample.people + sample.adeli, sample.activities)
    assert report.domains == sample.domains
    assert report.rejected == {}
    assert set(report.noticed) == {"mailbox.repeated", "person.adeli_only", "card.opposed"}
    assert {f.kind: f.dated_by for f in report.files} == {
        **dict.fromkeys((Kind.PEOPLE, Kind.MAILBOXES, Kind.SKILLS, Kind.DIPLOMAS), "name"),
        Kind.CARDS: "file",
        Kind.WHITELIST: "content",
    }
    assert {f.made_at for f in report.files if f.dated_by != "file"} == {MADE}
    assert stat.S_IMODE(target.stat().st_mode) == 0o640

    paths = {p.name.rpartition("_")[0]: p for p in sample.files}
    activities: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    names: dict[str, tuple[str, str]] = {}
    for row in rows_of(paths["PS_LibreAcces_Personne_activite"]):
        if row["Type d'identifiant PP"] == "8":
            place = (
                row["Raison sociale site"],
                row["Code postal (coord. structure)"],
                row["Libellé commune (coord. structure)"]
                or re.sub(r" CEDEX.*", "", row["Bureau cedex (coord. structure)"][6:]),
            )
            activities[row["Identifiant PP"]].append((row["Code profession"], row["Code savoir-faire"], *place))
            names[row["Identifiant PP"]] = row["Nom d'exercice"], row["Prénom d'exercice"]
    mailboxes: dict[str, set[str]] = defaultdict(set)
    org: set[str] = set()
    for row in rows_of(paths["Extraction_Correspondance_MSSante"]):
        address = (
            row["Adresse BAL"].lower().encode("idna").decode() if row["Adresse BAL"].isascii() else row["Adresse BAL"]
        )
        (mailboxes[row["Identifiant PP"]] if row["Type de BAL"] == "PER" else org).add(address)

    directory = DirectoryFile(target, clock)
    for number, places in activities.items():
        found = directory.by_rpps(Rpps(number))
        assert found is not None
        assert (found.family_name, found.given_name) == names[number]
        got = [(a.profession_code, a.specialty_code, a.structure, a.postcode, a.town) for a in found.activities]
        assert got == places
        wanted = {MssanteAddress.parse(a).value for a in mailboxes.get(number, ())}
        assert {m.address.value for m in found.personal_mailboxes} == wanted
    for address in org:
        box = directory.by_mssante(MssanteAddress.parse(address))
        assert box is not None
        assert (box.kind, box.rpps) == (MailboxKind.ORG, None)
        assert directory.whitelisted(box.address.domain)


def test_several_activities_exercises_and_addresses_are_all_kept(
    tmp_path: Path, target: Path, clock: FrozenClock
) -> None:
    people = people_file(
        tmp_path, [person(1, town="NANCY"), person(1, town="METZ"), person(1, profession="Ostéopathe")]
    )
    boxes = mailbox_file(
        tmp_path, [mailbox("b@x.test", 1), mailbox("a@y.test", 1), mailbox("org@y.test", service="Accueil")]
    )
    import_files([people, boxes], target, clock)
    found = DirectoryFile(target).by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert found.towns == ("NANCY", "METZ")
    assert found.professions == ("Médecin", "Ostéopathe")
    assert [m.address.value for m in found.mailboxes] == ["a@y.test", "b@x.test"]
    assert found.activities[0].structure == 'CABINET "L\'HORLOGE"'
    assert found.full_name == "Dr Hélène NOM1"
    org = DirectoryFile(target).by_mssante(MssanteAddress.parse("org@y.test"))
    assert org is not None
    assert org.structure == "CHU - Accueil"


def test_structure_and_town_are_found_where_older_files_put_them(
    tmp_path: Path, target: Path, clock: FrozenClock
) -> None:
    row = person(1, structure="", sign="DOUBS OPTIC", town="", cedex="25300 PONTARLIER CEDEX 2")
    (tmp_path / "old_personne_activite_202603010630.txt").write_text(
        text(header("people_52"), [row], usual=header("people_56")), encoding="utf-8"
    )
    import_files(
        [
            tmp_path / "old_personne_activite_202603010630.txt",
            mailbox_file(tmp_path, [mailbox("a@x.test", 1)]),
        ],
        target,
        clock,
    )
    found = DirectoryFile(target).by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert (found.activities[0].structure, found.activities[0].town) == ("DOUBS OPTIC", "PONTARLIER")


BAD_PEOPLE = [
    (person(9, id="89900000090"), "identifier.key"),
    (person(9, id="8990000009"), "identifier.malformed"),
    (person(9, id="ANS20231122"), "identifier.malformed"),
    (person(9, id=""), "identifier.malformed"),
    (person(9, kind="3"), "identifier.type"),
    (person(9, national="8" + rpps(8)), "identifier.contradiction"),
    (person(9, family=""), "name.missing"),
]
BAD_MAILBOXES = [
    (mailbox("pas une adresse", 1), "mailbox.address"),
    (mailbox("", 1), "mailbox.address"),
    (mailbox("a@x.test", 1, id="89900000090"), "identifier.key"),
    (mailbox("a@x.test", box="CAB"), "mailbox.kind"),
    (mailbox("a@x.test", box="PER"), "identifier.type"),
    (mailbox("279035121518989@patient.mssante.test"), "mailbox.patient"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_PEOPLE)
def test_a_bad_person_is_kept_out_and_counted(
    tmp_path: Path, target: Path, clock: FrozenClock, row: dict[str, str], reason: str
) -> None:
    people = people_file(tmp_path, [person(1), row, person(2)])
    report = import_files([people, mailbox_file(tmp_path, [mailbox("a@x.test", 1)])], target, clock)
    assert report.rejected == {reason: 1}
    assert report.people == 2


@pytest.mark.parametrize(("row", "reason"), BAD_MAILBOXES)
def test_a_bad_mailbox_is_kept_out_and_counted(
    tmp_path: Path, target: Path, clock: FrozenClock, row: dict[str, str], reason: str
) -> None:
    boxes = mailbox_file(tmp_path, [mailbox("first@x.test", 1), row, mailbox("last@x.test")])
    report = import_files([people_file(tmp_path, [person(1)]), boxes], target, clock)
    assert report.rejected == {reason: 1}
    assert report.mailboxes == 2


def test_fictive_identifiers_are_admitted_in_test_mode_only(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    paths = [
        people_file(tmp_path, [person(1), person(2, id="10003461033")]),
        mailbox_file(tmp_path, [mailbox("a@x.test", 1)]),
    ]
    assert import_files(paths, target, clock).rejected == {"identifier.key": 1}
    assert import_files(paths, target, clock, test=True).rejected == {}
    assert DirectoryFile(target).by_rpps(Rpps("10003461033")) is not None


def test_people_under_adeli_are_kept_by_their_national_number(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    rows = [person(1), person(2, kind="0", id="2A9000008", family="ANCIEN")]
    boxes = [mailbox("a@x.test", 1), mailbox("old@x.test", 2, kind="0", id="2A9000008")]
    report = import_files([people_file(tmp_path, rows), mailbox_file(tmp_path, boxes)], target, clock)
    assert report.people == 2
    assert report.noticed["person.adeli_only"] == 1
    directory = DirectoryFile(target)
    old = directory.by_adeli(Adeli("2A9000008"))
    assert old is not None
    assert (old.family_name, old.rpps, old.adeli) == ("ANCIEN", None, Adeli("2A9000008"))
    box = directory.by_mssante(MssanteAddress.parse("old@x.test"))
    assert box is not None
    assert (box.kind, box.rpps) == (MailboxKind.PER, None)
    assert Adeli.parse("2A9000008").national == "02A9000008"


def test_the_same_address_twice_is_one_mailbox(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    boxes = [
        mailbox("a@x.test", 1),
        mailbox("A@X.Test", 1),
        mailbox("a@x.test", 1),
        mailbox("o@x.test"),
        mailbox("O@x.test"),
    ]
    report = import_files([people_file(tmp_path, [person(1)]), mailbox_file(tmp_path, boxes)], target, clock)
    assert report.mailboxes == 2
    assert report.noticed["mailbox.repeated"] == 3
    assert "mailbox.disputed" not in report.noticed
    box = DirectoryFile(target).by_mssante(MssanteAddress.parse("A@x.test"))
    assert box is not None
    assert box.rpps == Rpps(rpps(1))


@pytest.mark.parametrize("third", [[], [mailbox("a@x.test", 1)], [mailbox("a@x.test", 2)]])
def test_an_address_that_two_people_claim_proves_neither(
    tmp_path: Path, target: Path, clock: FrozenClock, third: list[dict[str, str]]
) -> None:
    boxes = mailbox_file(tmp_path, [mailbox("a@x.test", 1), mailbox("A@x.test", 2), *third, mailbox("b@x.test", 1)])
    report = import_files([people_file(tmp_path, [person(1), person(2)]), boxes], target, clock)
    assert report.noticed["mailbox.disputed"] == 1
    directory = DirectoryFile(target)
    box = directory.by_mssante(MssanteAddress.parse("a@x.test"))
    assert box is not None
    assert (box.kind, box.rpps) == (MailboxKind.PER, None)
    for number, addresses in ((1, ["b@x.test"]), (2, [])):
        found = directory.by_rpps(Rpps(rpps(number)))
        assert found is not None
        assert [m.address.value for m in found.mailboxes] == addresses


@pytest.mark.parametrize("order", [1, -1])
def test_an_address_that_is_also_a_services_proves_nobody(
    tmp_path: Path, target: Path, clock: FrozenClock, order: int
) -> None:
    boxes = mailbox_file(tmp_path, [mailbox("a@x.test", 1), mailbox("a@x.test")][::order])
    import_files([people_file(tmp_path, [person(1)]), boxes], target, clock)
    box = DirectoryFile(target).by_mssante(MssanteAddress.parse("a@x.test"))
    assert box is not None
    assert (box.kind, box.rpps) == (MailboxKind.ORG, None)


def test_oddities_are_noticed(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    boxes = mailbox_file(tmp_path, [mailbox("a@x.test", 1), mailbox("gone@x.test", 7), mailbox("o@elsewhere.test")])
    (tmp_path / "list.xml").write_text(whitelist_xml("x.test"), encoding="utf-8")
    report = import_files([people_file(tmp_path, [person(1)]), boxes, tmp_path / "list.xml"], target, clock)
    assert report.noticed == {"mailbox.owner_not_listed": 1, "mailbox.domain_not_whitelisted": 1}


def test_zips_are_read_in_place(tmp_path: Path, target: Path, clock: FrozenClock) -> None:
    people, boxes = people_file(tmp_path, [person(1)]), mailbox_file(tmp_path, [mailbox("a@x.test", 1)])
    with zipfile.ZipFile(tmp_path / "PS_LibreAcces_202603010630.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(people, "extractions/" + people.name)
        archive.writestr("PS_LibreAcces_SavoirFaire_202603010630.txt", header("skills_13") + "\n")
        archive.writestr("LISEZMOI.txt", "Bonjour\n")
    with zipfile.ZipFile(tmp_path / "Extraction_Correspondance_MSSante_202603010630.zip", "w") as archive:
        archive.write(boxes, boxes.name)
    people.unlink()
    boxes.unlink()
    report = import_files([tmp_path], target, clock)
    assert (report.people, report.mailboxes) == (1, 1)
    assert {f.kind: f.made_at for f in report.files} == dict.fromkeys((Kind.PEOPLE, Kind.MAILBOXES, Kind.SKILLS), MADE)
    assert report.ignored == ("LISEZMOI.txt",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_encodings_are_told_in_the_report(tmp_path: Path, target: Path, clock: FrozenClock, encoding: str) -> None:
    people = people_file(tmp_path, [person(1, given="Noëlle")], encoding=encoding)
    report = import_files([people, mailbox_file(tmp_path, [mailbox("a@x.test", 1)])], target, clock)
    assert report.files[0].encoding == encoding
    found = DirectoryFile(target).by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert found.given_name == "Noëlle"


CELL = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=30)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60), CELL), max_size=15))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_cells_hold_every_row_is_accounted_for(
    tmp_path: Path, clock: FrozenClock, spoiled: list[tuple[bool, int, str]]
) -> None:
    """Any cell of any row replaced by anything: each row is kept, merged with its like, or counted under a reason."""
    people = text(header("people_56"), [person(n) for n in range(8)]).split("\n")
    boxes = text(header("mailboxes_31"), [mailbox(f"a{n}@x.test", n) for n in range(8)]).split("\n")
    for row, (of_people, cell, value) in enumerate(spoiled):
        lines = people if of_people else boxes
        fields = lines[1 + row % 7].split("|")  # the last row stays whole: else the file counts as cut
        fields[cell % len(fields)] = value
        lines[1 + row % 7] = "|".join(fields)
    paths = [tmp_path / "Personne_activite.txt", tmp_path / "Correspondance_MSSante.txt"]
    for path, lines in zip(paths, (people, boxes), strict=True):
        path.write_bytes("\n".join(lines).encode())
    report = import_files(paths, tmp_path / "d.sqlite", clock, force=True)
    kept = report.activities + report.mailboxes + report.noticed.get("mailbox.repeated", 0)
    assert kept + sum(report.rejected.values()) == sum(f.rows for f in report.files) == 16
