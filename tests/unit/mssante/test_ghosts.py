"""Correspondents: who they are, and what of them is public."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from colloque.directory.lookup import Freshness
from colloque.errors import NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Activity, Mailbox, MailboxKind, Professional
from colloque_mssante.people.ghosts import correspondent, opaque
from colloque_mssante.texts import mails as texts

RPPS = Rpps("10000005479")
OWN, SECOND = MssanteAddress("anne.martin@medecin.mssante.test"), MssanteAddress("a.martin@chu.mssante.test")
SERVICE = MssanteAddress("cardio@chu.mssante.test")
INS = "279035121518989"
ANNE = Professional(
    RPPS,
    "MARTIN",
    "Anne",
    title="Docteur",
    activities=(Activity("10", "Médecin", town="Nancy"),),
    mailboxes=(Mailbox(OWN, MailboxKind.PER, rpps=RPPS), Mailbox(SECOND, MailboxKind.PER, rpps=RPPS)),
)


@dataclass
class Book:
    """A directory by value."""

    people: dict[Rpps, Professional] = field(default_factory=lambda: {RPPS: ANNE})
    boxes: tuple[Mailbox, ...] = (*ANNE.mailboxes, Mailbox(SERVICE, MailboxKind.ORG, structure="CHU, cardiologie"))

    adeli: dict[Adeli, Professional] = field(default_factory=dict)

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        return self.people.get(rpps)

    def by_adeli(self, adeli: Adeli) -> Professional | None:
        return self.adeli.get(adeli)

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        return next((b for b in self.boxes if b.address == address), None)

    def freshness(self) -> Freshness:
        raise NotFound


def test_a_person_is_one_correspondent_whatever_the_address() -> None:
    one, two = correspondent(OWN.value, Book()), correspondent(SECOND.value.upper(), Book())
    assert one.key == two.key
    assert one.name == two.name == "Dr Anne MARTIN · médecin · Nancy · MSSanté"
    assert one.verified
    assert one.label == f"Dr Anne MARTIN <{OWN}>"


def test_somebody_under_an_adeli_number_is_a_verified_person() -> None:
    number = Adeli("990000015")
    jeanne = replace(ANNE, rpps=None, adeli=number, given_name="Jeanne")
    book = Book({}, (Mailbox(OWN, MailboxKind.PER, adeli=number),), {number: jeanne})
    who = correspondent(OWN.value, book)
    assert (who.name, who.verified) == ("Dr Jeanne MARTIN · médecin · Nancy · MSSanté", True)


def test_a_person_keeps_their_key_when_they_move_from_adeli_to_rpps() -> None:
    number = Adeli("990000015")
    before = Book({}, (Mailbox(OWN, MailboxKind.PER, adeli=number),), {number: replace(ANNE, rpps=None, adeli=number)})
    after = Book({RPPS: replace(ANNE, adeli=number, former=(number, Adeli("990000023")))})
    old, new = correspondent(OWN.value, before), correspondent(OWN.value, after)
    assert old.key == new.key == "adeli:990000015"
    assert new.others == (f"rpps:{RPPS}", "adeli:990000015", "adeli:990000023")
    assert correspondent(OWN.value, Book()).others == ()


def test_an_organisation_is_its_mailbox() -> None:
    who = correspondent(SERVICE.value, Book())
    assert (who.name, who.verified) == ("CHU, cardiologie · MSSanté", True)


def test_an_unlisted_sender_stands_out_and_shows_its_domain_only() -> None:
    who = correspondent("secret.nom@inconnu.test", Book())
    assert (who.name, who.verified) == (f"{texts.GHOST_UNVERIFIED} · inconnu.test", False)
    assert who.warning == texts.FROM_UNVERIFIED


def test_a_per_mailbox_that_two_people_claim_proves_nobody() -> None:
    book = Book(boxes=(Mailbox(OWN, MailboxKind.PER),))
    assert correspondent(OWN.value, book).name == f"{texts.GHOST_UNVERIFIED} · medecin.mssante.test"


def test_a_patient_is_never_named() -> None:
    who = correspondent(f"{INS}@patient.mssante.fr", Book())
    assert (who.name, who.verified, who.patient) == (texts.GHOST_PATIENT, False, True)
    assert who.warning == texts.FROM_PATIENT
    assert INS not in opaque(b"s" * 32, "ghost", who.key)


def test_no_address_and_a_malformed_one() -> None:
    assert correspondent("", Book()).name == texts.GHOST_UNVERIFIED
    bad = correspondent(f"{INS}@@x", Book())
    assert bad.name == texts.GHOST_UNVERIFIED
    assert INS not in bad.name


def test_an_ins_in_a_domain_is_not_shown() -> None:
    assert correspondent(f"a@{INS}.test", Book()).name == texts.GHOST_UNVERIFIED


def test_opaque_names_follow_from_secret_use_and_value() -> None:
    name = opaque(b"a" * 32, "ghost", "rpps:1")
    assert name == opaque(b"a" * 32, "ghost", "rpps:1")
    others = {
        opaque(b"b" * 32, "ghost", "rpps:1"),
        opaque(b"a" * 32, "room", "rpps:1"),
        opaque(b"a" * 32, "ghost", "x"),
    }
    assert name not in others
    assert len(name) == 16
    assert name.isalnum()
    assert name == name.lower()
