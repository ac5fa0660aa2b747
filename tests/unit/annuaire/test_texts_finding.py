"""What people read about people: short lines, no name and nothing typed in the first line, no lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from colloque.attestation import Attestation, Method
from colloque.directory.lookup import Age, Understood
from colloque.identity import Adeli, MssanteAddress, RoomId, UserId
from colloque.professional import Mailbox, MailboxKind, Skill
from colloque_annuaire.rules.results import Line, Reach, Unopened
from colloque_annuaire.texts import contact as texts_contact
from colloque_annuaire.texts import finding as texts_finding
from tests.servers.annuaire import MADE_AT, activity, doctor, per

ANNE = doctor(1, "MARTIN", "Anne", activity("NANCY", "CHRU DE NANCY"), mail=("anne@medecin.mssante.test",))
PAUL = doctor(2, "MARTIN", "Paul", activity("METZ"), activity("TOUL", "CABINET"))
LINK = texts_contact.link_to(RoomId("!room"))
HELD = Attestation(
    UserId("@anne:h.test"),
    ANNE.rpps,
    ANNE.display_name,
    Method.MAILBOX_CODE,
    MADE_AT,
    MADE_AT + timedelta(days=365),  # type: ignore[arg-type]
)
ALL = Understood(names=("martin",), trades=("Cardiologie",), places=("Nancy",), ignored=("zzz",))


def page(*lines: Line, shown: int = 1, total: int = 1, age: Age = Age.FRESH) -> str:
    return texts_finding.page(lines, shown=shown, total=total, understood=ALL, made_at=MADE_AT, age=age)


def messages() -> dict[str, str]:
    """Everything that names somebody."""
    common = {"made_at": MADE_AT, "age": Age.FRESH}
    boxes = (*ANNE.mailboxes, Mailbox(MssanteAddress("service@chu.mssante.test"), MailboxKind.ORG, "CHRU DE NANCY"))
    return {
        "page": page(Line(1, ANNE, 1, Reach.COLLOQUE), Line(2, PAUL, 0, Reach.NONE)),
        "nothing": texts_finding.nothing(ALL, [("martin", 3)], **common),
        "identity": texts_finding.identity(person=ANNE, held=HELD, valid=True, **common),
        "gone": texts_finding.identity(person=None, held=HELD, valid=False, **common),
        "no account": texts_finding.identity(person=PAUL, held=None, valid=False, **common),
        "confirm": texts_contact.confirm(3, PAUL, 1),
        "opened": texts_contact.opened(3, ANNE, LINK, fresh=True, joined=False, keep=timedelta(days=90)),
        "exists": texts_contact.opened(3, ANNE, LINK, fresh=False, joined=True),
        "to accept": texts_contact.to_accept(3, ANNE, LINK),
        "invited": texts_contact.invited(ANNE.display_name, LINK, timedelta(days=90)),
        "by mail": texts_contact.by_mail(3, replace(ANNE, mailboxes=boxes)),
        "unreachable": texts_contact.unreachable(3, PAUL),
    }


@pytest.mark.parametrize("name", messages())
def test_the_first_line_names_nobody_and_repeats_nothing(name: str) -> None:
    first = messages()[name].split("\n")[0].casefold()
    for word in ("martin", "anne", "paul", "cardio", "nancy", "zzz", "@", "!room"):
        assert word not in first
    assert len(first) < 70


@pytest.mark.parametrize("name", messages())
def test_nothing_is_a_table_or_left_to_fill(name: str) -> None:
    said = messages()[name]
    assert "{" not in said
    assert "|" not in said
    assert "None" not in said
    assert "  " not in said


def test_a_page_says_number_name_trade_town_and_reach() -> None:
    said = page(Line(7, PAUL, 0, Reach.MSSANTE), shown=5, total=12)
    assert said == (
        "12 personnes trouvées dans l'Annuaire Santé\n"
        "Compris : martin · Cardiologie · Nancy\n"
        "Laissé de côté : zzz\n"
        "\n"
        "7. Dr Paul MARTIN\n"
        "Médecin, Cardiologie\n"
        "METZ / TOUL\n"
        "✉️ par MSSanté\n"
        "\n"
        "5 affichées sur 12. La suite : !suite\n"
        "Pour joindre quelqu'un : !contacter 7\n"
        "Source : Annuaire Santé du 01/03/2026."
    )


def test_homonyms_come_with_what_tells_them_apart() -> None:
    said = page(Line(1, ANNE, 1, Reach.COLLOQUE), shown=1, total=1)
    assert "• Médecin, Cardiologie · CHRU DE NANCY · NANCY\n✅ sur Colloque" in said
    assert "La suite" not in said


def test_a_page_of_oneself_offers_no_contact() -> None:
    said = page(Line(1, ANNE, 0, Reach.COLLOQUE, is_asker=True))
    assert "c'est vous" in said
    assert "!contacter" not in said


def test_many_places_are_counted_and_the_one_asked_for_is_shown() -> None:
    many = doctor(3, "PETIT", "Léa", *(activity(f"VILLE {n}") for n in range(5)), activity("NANCY"))
    said = page(Line(1, many, 0, Reach.NONE))
    assert "NANCY / VILLE 0 / VILLE 1 / + 3" in said
    assert "non joignable" in said


@pytest.mark.parametrize(("age", "word"), [(Age.LATE, "retard"), (Age.STALE, "trop ancien")])
def test_an_old_directory_is_said_to_be_old(age: Age, word: str) -> None:
    assert word in page(Line(1, ANNE, 0, Reach.NONE), age=age)
    assert "⚠️" not in page(Line(1, ANNE, 0, Reach.NONE))


def test_nothing_found_suggests_what_finds() -> None:
    said = texts_finding.nothing(
        ALL, [("martin cardiologie", 3), ("cardiologie nancy", 1)], made_at=MADE_AT, age=Age.LATE
    )
    assert "!chercher martin cardiologie (3 personnes)" in said
    assert "!chercher cardiologie nancy (1 personne)" in said
    assert "retard" in said


def test_who_somebody_is_keeps_every_activity_and_address() -> None:
    boxes = (per("a@m.mssante.test", ANNE.rpps), per("b@m.mssante.test", ANNE.rpps, "CLINIQUE"))
    person = replace(
        ANNE,
        activities=(activity("NANCY", "CHRU"), activity("METZ", "CLINIQUE", "57000", "S")),
        mailboxes=boxes,
        skills=(Skill("C", "C01", "Échographie"),),
    )
    said = texts_finding.identity(person=person, held=HELD, valid=True, made_at=MADE_AT, age=Age.FRESH)
    for part in (
        "✅ Identité vérifiée\nDr Anne MARTIN\nRPPS 89900000012",
        "Compte : @anne:h.test",
        "Vérifiée le 01/03/2026 par un code envoyé à sa boîte MSSanté personnelle, jusqu'au 01/03/2027.",
        "• Médecin, Cardiologie · CHRU · 54000 NANCY · libéral",
        "• Médecin, Cardiologie · CLINIQUE · 57000 METZ · salarié",
        "• Échographie",
        "• a@m.mssante.test (personnelle)",
        "• b@m.mssante.test (personnelle · CLINIQUE)",
        "Source : Annuaire Santé du 01/03/2026.",
    ):
        assert part in said


def test_what_has_ended_or_is_missing_is_said() -> None:
    ended = texts_finding.identity(person=None, held=HELD, valid=False, made_at=MADE_AT, age=Age.FRESH)
    assert "n'est plus vérifiée" in ended
    assert "terminée le 01/03/2027" in ended
    assert "ne liste plus" in ended
    old = replace(PAUL, rpps=None, adeli=Adeli("549300012"))
    bare = texts_finding.identity(person=old, held=None, valid=False, made_at=MADE_AT, age=Age.FRESH)
    assert "Pas de compte Colloque" in bare
    assert "ADELI" in bare
    assert "Aucune boîte MSSanté" in bare


def test_every_mailbox_is_named_personal_ones_first() -> None:
    boxes = (Mailbox(MssanteAddress("s@chu.mssante.test"), MailboxKind.ORG, "CHRU"), *ANNE.mailboxes)
    said = texts_contact.by_mail(3, replace(ANNE, mailboxes=boxes))
    assert said.index("anne@medecin") < said.index("s@chu.mssante.test (d'un service · CHRU)")
    assert "2 boîtes" in said
    assert "!ecrire 3" in said


@pytest.mark.parametrize("kind", list(MailboxKind))
def test_every_kind_of_mailbox_has_words(kind: MailboxKind) -> None:
    box = Mailbox(MssanteAddress("s@chu.mssante.test"), kind, "CHRU")
    assert "CHRU" in texts_finding.shared_mailbox(box, made_at=MADE_AT, age=Age.FRESH)
    assert "s@chu" in texts_finding.box_line(box)


@pytest.mark.parametrize("method", list(Method))
def test_every_way_to_prove_an_identity_has_words(method: Method) -> None:
    held = replace(HELD, method=method)
    assert "Vérifiée le" in texts_finding.identity(person=ANNE, held=held, valid=True, made_at=MADE_AT, age=Age.FRESH)


@pytest.mark.parametrize("why", list(Unopened))
def test_every_refusal_of_a_room_has_words(why: Unopened) -> None:
    assert len(texts_contact.unopened(why)) > 30


def test_dates_are_those_of_paris() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert texts_finding.source(late, Age.FRESH) == ["Source : Annuaire Santé du 02/03/2026."]
