"""The sample is read here by other means than ours: bytes, splits and sums written out again."""

from __future__ import annotations

import time
import tracemalloc
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.directory.sample import PATIENTS, SampleReport, write_sample
from colloque.directory.sample_people import Population
from colloque.directory.sample_towns import TOWNS
from tests.extracts import header

MADE = datetime(2026, 3, 1, 5, 30, 12, tzinfo=UTC)
PEOPLE = "PS_LibreAcces_Personne_activite_202603010630.txt"
MAIL = "Extraction_Correspondance_MSSante_202603010630.txt"
DOUBLED = {str(d): sum(divmod(2 * d, 10)) for d in range(10)}


def key_holds(number: str) -> bool:
    return sum(DOUBLED[c] if i % 2 else int(c) for i, c in enumerate(reversed(number))) % 10 == 0


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    return write_sample(tmp_path_factory.mktemp("sample"), 2000, 7, MADE)


def table(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_bytes().decode("utf-8").split("\n")[:-1]
    names = head.split("|")[:-1]
    return [dict(zip(names, line.split("|")[:-1], strict=True)) for line in lines]


@pytest.mark.parametrize(
    ("name", "head", "columns"),
    [
        (PEOPLE, "people_56", 56),
        ("PS_LibreAcces_SavoirFaire_202603010630.txt", "skills_13", 13),
        ("PS_LibreAcces_Dipl_AutExerc_202603010630.txt", "diplomas_13", 13),
        (MAIL, "mailboxes_31", 31),
        ("porteurs-cps-cpf.txt", "cards_8", 8),
    ],
)
def test_every_file_has_the_exact_shape(sample: SampleReport, name: str, head: str, columns: int) -> None:
    raw = (sample.folder / name).read_bytes()
    assert raw.endswith(b"|\n")
    assert b"\r" not in raw
    assert b"\0" not in raw
    assert not raw.startswith(b"\xef\xbb\xbf")
    lines = raw.decode("utf-8").split("\n")[:-1]
    assert lines[0] == header(head)
    assert len(lines) > 100
    assert {line.count("|") for line in lines} == {columns}
    assert all(line.endswith("|") for line in lines)


def test_the_same_arguments_give_the_same_bytes(sample: SampleReport, tmp_path: Path) -> None:
    again = write_sample(tmp_path / "again", 2000, 7, MADE)
    other = write_sample(tmp_path / "other", 2000, 8, MADE)
    assert [p.name for p in again.files] == [p.name for p in sample.files]
    assert [p.read_bytes() for p in again.files] == [p.read_bytes() for p in sample.files]
    assert (other.folder / PEOPLE).read_bytes() != (sample.folder / PEOPLE).read_bytes()
    assert sorted(p.name for p in again.folder.iterdir()) == sorted(p.name for p in again.files)


def test_files_count_as_written_when_they_were_made(sample: SampleReport) -> None:
    """Where a name says no time, an import goes by this."""
    assert {path.stat().st_mtime for path in sample.files} == {MADE.timestamp()}


def test_identifiers_have_valid_keys_and_are_nobodys(sample: SampleReport) -> None:
    rows = table(sample.folder / PEOPLE)
    rpps = {r["Identifiant PP"] for r in rows if r["Type d'identifiant PP"] == "8"}
    adeli = {r["Identifiant PP"] for r in rows if r["Type d'identifiant PP"] == "0"}
    assert len(rpps) == sample.people == 2000
    assert len(adeli) == sample.adeli == 30
    assert all(len(n) == 11 and n.startswith("899") and key_holds(n) for n in rpps)
    assert all(len(n) == 9 and n.startswith("99") and key_holds(n) for n in adeli)
    assert all(r["Identification nationale PP"] == r["Type d'identifiant PP"] + r["Identifiant PP"] for r in rows)
    finess = {r["Numéro FINESS site"] for r in rows} - {""}
    assert len(finess) > 100
    assert all(len(n) == 9 and (n.startswith(("2A", "2B")) or key_holds(n)) for n in finess)
    sirets = {r["Numéro SIRET site"] for r in rows} - {""}
    assert all(len(n) == 14 and key_holds(n) and key_holds(n[:9]) for n in sirets)
    assert {r["Téléphone (coord. structure)"][:6] for r in rows} == {"019900", ""}


def test_addresses_can_reach_nobody_and_are_white_listed(sample: SampleReport) -> None:
    domains = {r["Adresse BAL"].lower().partition("@")[2] for r in table(sample.folder / MAIL)}
    assert all(domain.endswith(".mssante.test") for domain in domains)
    assert len(domains | {PATIENTS}) == sample.domains > 40
    assert any(not domain.isascii() for domain in domains)
    root = ET.fromstring((sample.folder / "listeblanchemssante.xml").read_bytes())
    space = {"n": "https://listeblanche.mssante.fr/schema"}
    assert {e.text for e in root.findall(".//n:Domaine/n:Nom", space)} == domains | {PATIENTS}


def test_people_are_as_varied_as_in_the_real_file(sample: SampleReport) -> None:
    rows = [r for r in table(sample.folder / PEOPLE) if r["Type d'identifiant PP"] == "8"]
    by_person: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_person[row["Identifiant PP"]].append(row)
    activities = [len(of) for of in by_person.values()]
    assert 1.6 < sum(activities) / 2000 < 1.85, "2.2 million rows for 1.3 million people"
    assert 0.30 < sum(n > 1 for n in activities) / 2000 < 0.50
    assert sum(len({r["Code profession"] for r in of}) > 1 for of in by_person.values()) >= 10
    homonyms: dict[tuple[str, str], list[str]] = defaultdict(list)
    for number, of in by_person.items():
        homonyms[of[0]["Nom d'exercice"], of[0]["Prénom d'exercice"]].append(number)
    doubles = [numbers for numbers in homonyms.values() if len(numbers) > 1]
    assert 0.02 < sum(len(numbers) for numbers in doubles) / 2000 < 0.12
    towns = {n: {r["Libellé commune (coord. structure)"] for r in of} for n, of in by_person.items()}
    assert sum(not towns[a] & towns[b] for a, b, *_ in doubles) / len(doubles) > 0.8
    assert any('"' in r["Raison sociale site"] for r in rows)
    assert any("'" in r["Raison sociale site"] for r in rows)
    assert any(r["Raison sociale site"] == "" for r in rows)
    assert any(" CEDEX" in r["Bureau cedex (coord. structure)"] for r in rows)
    assert any(r["Libellé commune (coord. structure)"] == "" != r["Bureau cedex (coord. structure)"] for r in rows)
    common = Counter(r["Nom d'exercice"] for r in rows).most_common(100)
    assert sum(count for _, count in common) / len(rows) > 0.08


def test_professions_and_specialties_agree(sample: SampleReport) -> None:
    rows = table(sample.folder / PEOPLE)
    labels = {r["Code profession"]: r["Libellé profession"] for r in rows}
    named = {
        "10": "Médecin",
        "60": "Infirmier",
        "21": "Pharmacien",
        "50": "Sage-Femme",
        "70": "Masseur-Kinésithérapeute",
    }
    assert named.items() <= labels.items()
    assert all(
        r["Code profession"] == "10"
        for r in rows
        if r["Code savoir-faire"].startswith("SM") and r["Code profession"] != "21"
    )
    assert all(r["Code profession"] == "40" for r in rows if r["Code savoir-faire"].startswith("SCD"))
    assert "Cardiologie et Maladies vasculaires" in {
        r["Libellé savoir-faire"] for r in rows if r["Code savoir-faire"] == "SM04"
    }
    assert all(r["Code savoir-faire"] for r in rows if r["Code profession"] == "10")
    assert all(r["Libellé civilité d'exercice"] == "" for r in rows if r["Code profession"] == "60" and _lone(rows, r))
    share = Counter({r["Identifiant PP"]: r["Code profession"] for r in rows}.values())
    assert 0.40 < share["60"] / 2030 < 0.50
    assert 0.15 < share["10"] / 2030 < 0.20


def test_names_and_towns_are_as_frequent_as_in_france() -> None:
    """What two thousand people can't show: the tail of rare names, homonyms in one town."""
    population = Population(40_000, 3)
    people = list(population.people())
    families = Counter(person.family for person in people)
    assert 0.08 < sum(count for _, count in families.most_common(100)) / len(people) < 0.10
    assert sum(count == 1 for count in families.values()) > 0.5 * len(families)
    assert len(families) > 0.4 * len(people)
    assert any("-" in person.given for person in people)
    assert any(not person.given.isascii() for person in people)
    homonyms = Counter((person.family, person.given, person.town) for person in people)
    assert sum(count > 1 for count in homonyms.values()) > 50
    towns = Counter(TOWNS[person.town].name for person in people)
    assert len(towns) > 500
    assert towns["Toulouse"] > 10 * towns["Mende"] > 0
    assert {"Paris 15e Arrondissement", "Lyon 3e Arrondissement", "Marseille 5e Arrondissement"} <= towns.keys()
    assert {"Ajaccio", "Bastia", "Fort-de-France", "Saint-Étienne", "Saint-Denis"} <= towns.keys()


def test_towns_have_codes_of_their_own() -> None:
    codes = [town.insee for town in TOWNS]
    assert len(set(codes)) == len(codes) > 500
    assert all(len(town.insee) == 5 and town.insee[2:].isdecimal() for town in TOWNS)
    assert all(len(code) == 5 and code.isdecimal() for town in TOWNS for code in town.postcodes)
    mainland = [town for town in TOWNS if town.insee[:2] not in {"2A", "2B"}]
    assert all(code[:2] == town.insee[:2] for town in mainland for code in town.postcodes)
    assert {town.department for town in TOWNS} >= {f"{n:02}" for n in range(1, 96) if n != 20} | {"2A", "2B", "974"}


def _lone(rows: list[dict[str, str]], row: dict[str, str]) -> bool:
    """Whether the person has no other profession, which may carry a title."""
    mine = {r["Code profession"] for r in rows if r["Identifiant PP"] == row["Identifiant PP"]}
    return len(mine) == 1


def test_mailboxes_are_as_in_the_real_file(sample: SampleReport) -> None:
    rows = table(sample.folder / MAIL)
    assert len(rows) == sample.mailboxes
    assert {r["Type de BAL"] for r in rows} == {"PER", "ORG"}
    personal: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for r in rows:
        if r["Type de BAL"] == "PER":
            personal[r["Identifiant PP"]].add(r["Adresse BAL"].lower())
            owners[r["Adresse BAL"].lower()].add(r["Identifiant PP"])
    assert 0.30 < len(personal) / 2000 < 0.40, "455,000 of 1.3 million"
    assert sum(len(boxes) > 1 for boxes in personal.values()) >= 20
    assert all(len(of) == 1 for of in owners.values()), "two people share an address"
    repeated = len(rows) - len({r["Adresse BAL"].lower() for r in rows})
    assert 0 < repeated < 0.005 * len(rows)
    nurses = {
        r["Identifiant PP"]
        for r in table(sample.folder / PEOPLE)
        if (r["Code profession"], r["Code mode exercice"]) == ("60", "L")
    }
    assert any(nurse not in personal for nurse in nurses)


def test_two_thousand_people_take_less_than_two_seconds(tmp_path: Path) -> None:
    before = time.process_time()
    write_sample(tmp_path, 2000, 1, MADE)
    assert time.process_time() - before < 2


def test_people_are_not_held_in_memory(tmp_path: Path) -> None:
    peaks = []
    for people in (6_000, 18_000):
        tracemalloc.start()
        report = write_sample(tmp_path, people, 1, MADE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sum(path.stat().st_size for path in report.files) > 15_000_000
    assert peaks[1] < 16_000_000, "bounded caches and the map of taken addresses, nothing else"
    assert peaks[1] - peaks[0] < 6_000_000, "and the caches get full"


@pytest.mark.parametrize("people", [0, -1, 1_500_001])
def test_a_number_of_people_out_of_range_is_refused(tmp_path: Path, people: int) -> None:
    with pytest.raises(ValueError, match="between 1 and"):
        write_sample(tmp_path / "none", people, 1, MADE)
    assert not (tmp_path / "none").exists()


def test_one_person_is_enough(tmp_path: Path) -> None:
    report = write_sample(tmp_path, 1, 1, MADE)
    assert {r["Identifiant PP"][:3] for r in table(tmp_path / PEOPLE)} == {"899"}
    assert report.people == 1
