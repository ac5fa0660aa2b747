"""The directory by its questions: the same answers from a SQLite file and from PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.columns import Kind
from colloque.directory.lookup import Age, AgeRules, Directory, Freshness, Query
from colloque.directory.questions import Change, TableDirectory
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Card, Diploma, MailboxKind, Skill
from tests.extracts import (
    NEXT,
    header,
    people_file,
    person,
    rpps,
    text,
)
from tests.servers.directories import ADELI, PEOPLE, Load


def box(directory: Directory, address: str) -> tuple[MailboxKind, Rpps | None, Adeli | None]:
    found = directory.by_mssante(MssanteAddress.parse(address))
    assert found is not None
    return found.kind, found.rpps, found.adeli


@pytest.mark.usefixtures("loaded")
def test_a_person_comes_whole(directory: TableDirectory) -> None:
    found = directory.by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert (found.full_name, found.number, found.adeli) == ("Dr Hélène DUPONT", Rpps(rpps(1)), None)
    assert [(a.structure, a.town) for a in found.activities] == [("CHU", "NANCY"), ("CABINET", "TOUL")]
    assert [m.address.value for m in found.personal_mailboxes] == ["a@x.test", "z@x.test"]
    assert {m.rpps for m in found.mailboxes} == {Rpps(rpps(1))}


@pytest.mark.usefixtures("loaded")
def test_who_is_not_listed_is_none(directory: TableDirectory) -> None:
    assert directory.by_rpps(Rpps(rpps(99))) is None
    assert directory.by_adeli(Adeli("990000099")) is None
    assert directory.by_mssante(MssanteAddress.parse("nobody@x.test")) is None
    assert directory.diplomas(Rpps(rpps(1))) == directory.cards(Rpps(rpps(1))) == ()


@pytest.mark.usefixtures("loaded")
def test_somebody_under_an_adeli_number_has_no_rpps(directory: TableDirectory) -> None:
    found = directory.by_adeli(Adeli(ADELI))
    assert found is not None
    assert (found.rpps, found.adeli, found.number) == (None, Adeli(ADELI), Adeli(ADELI))
    assert [(m.rpps, m.adeli) for m in found.mailboxes] == [(None, Adeli(ADELI))]
    assert box(directory, "old@x.test") == (MailboxKind.PER, None, Adeli(ADELI))


@pytest.mark.usefixtures("loaded")
def test_who_moved_to_rpps_is_one_person_with_both_numbers(
    directory: TableDirectory, load: Load, tmp_path: Path
) -> None:
    moves = tmp_path / "Extraction_Correspondance_ADELI_RPPS_202603020630.csv"
    moves.write_bytes(f"N° ADELI;N° RPPS\n{ADELI};{rpps(3)}\n".encode("latin-1"))
    moved = [*PEOPLE[:3], person(3, family="ANCIEN", given="Zoé", town="PAU")]
    load(people_file(tmp_path, moved, stamp=NEXT), moves)
    found = directory.by_rpps(Rpps(rpps(3)))
    assert found is not None
    assert (found.rpps, found.adeli, found.former) == (Rpps(rpps(3)), Adeli(ADELI), (Adeli(ADELI),))
    assert [m.address.value for m in found.mailboxes] == ["old@x.test"]
    assert directory.by_adeli(Adeli(ADELI)) == found
    assert box(directory, "old@x.test") == (MailboxKind.PER, Rpps(rpps(3)), None)
    assert Change("person", "changed", Rpps(rpps(3)), Adeli(ADELI)) in directory.changes()
    assert directory.freshness().people == 3


@pytest.mark.usefixtures("loaded")
def test_skills_diplomas_and_cards(directory: TableDirectory, load: Load, tmp_path: Path) -> None:
    who = {"Type d'identifiant PP": "8", "Identifiant PP": rpps(1), "Identification nationale PP": "8" + rpps(1)}
    skills, diplomas, cards = (
        who
        | {"Code profession": "10", "Code type savoir-faire": "CAPA"}
        | {"Code savoir-faire": "C01", "Libellé savoir-faire": "Addictologie"},
        who | {"Code type diplôme obtenu": "DE", "Code diplôme obtenu": "DE09", "Libellé diplôme obtenu": "DE Docteur"},
        {"Code type de carte": "10", "Numéro carte": "2900000001", "Date début validité": "2026-02-01"}
        | {"Identifiant national contenu dans la carte": "8" + rpps(1), "Date opposition": "2026-02-03"},
    )
    for name, head, row in (
        ("PS_LibreAcces_SavoirFaire_202603010630.txt", "skills_13", skills),
        ("PS_LibreAcces_Dipl_AutExerc_202603010630.txt", "diplomas_13", diplomas),
        ("porteurs-cps-cpf.txt", "cards_8", cards),
    ):
        (tmp_path / name).write_text(text(header(head), [row]), encoding="utf-8")
        load(tmp_path / name)
    found = directory.by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert found.skills == (Skill("CAPA", "C01", "Addictologie"),)
    assert directory.diplomas(Rpps(rpps(1))) == (Diploma("DE", "DE09", "DE Docteur"),)
    assert directory.cards(Rpps(rpps(1))) == (Card("2900000001", "10", date(2026, 2, 1), None, date(2026, 2, 3)),)


@pytest.mark.usefixtures("loaded")
def test_a_mailbox_belongs_to_its_one_owner_listed_or_not(directory: TableDirectory) -> None:
    assert box(directory, "A@X.test") == (MailboxKind.PER, Rpps(rpps(1)), None)
    assert box(directory, "gone@x.test") == (MailboxKind.PER, Rpps(rpps(99)), None)
    assert box(directory, "service@x.test") == (MailboxKind.ORG, None, None)


@pytest.mark.usefixtures("loaded")
def test_a_mailbox_that_two_people_claim_is_nobodys(directory: TableDirectory) -> None:
    assert box(directory, "both@x.test") == (MailboxKind.PER, None, None)
    for number in (1, 2):
        found = directory.by_rpps(Rpps(rpps(number)))
        assert found is not None
        assert "both@x.test" not in {m.address.value for m in found.mailboxes}


@pytest.mark.usefixtures("loaded")
def test_the_white_list_holds_until_its_end(directory: TableDirectory, clock: FrozenClock) -> None:
    assert directory.whitelist_valid_until() == datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
    for domain in ("x.test", "X.Test.", "bücher.test", "xn--bcher-kva.test"):
        assert directory.whitelisted(domain)
    for domain in ("y.test", "a.x.test", "medecin.mssante.fr", "", "%", "?", "x.test\n.evil"):
        assert not directory.whitelisted(domain)
    clock.advance(days=30)
    assert not directory.whitelisted("x.test")


@pytest.mark.usefixtures("loaded")
def test_it_says_of_when_it_is(directory: TableDirectory, clock: FrozenClock) -> None:
    made = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
    fresh = directory.freshness()
    assert fresh == Freshness(made_at=made, imported_at=clock.now(), people=3, mailboxes=6)
    assert fresh.age(clock.now(), AgeRules()) is Age.FRESH
    assert set(directory.parts()) == {Kind.PEOPLE, Kind.MAILBOXES, Kind.WHITELIST}
    assert directory.parts()[Kind.PEOPLE] == made


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("words", ["dupont helene", "Hélène DUPON", "médecin nancy", "dupont"])
def test_people_are_found(directory: TableDirectory, words: str) -> None:
    page = directory.search(Query(words))
    assert page.matches[0].person == directory.by_rpps(Rpps(rpps(1)))
    assert page.made_at == directory.freshness().made_at
