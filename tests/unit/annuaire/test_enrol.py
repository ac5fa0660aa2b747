from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from colloque.attestation import Attestation, Method
from colloque.identity import EventId, MssanteAddress, Rpps, UserId
from colloque.professional import Activity, Mailbox, MailboxKind, Professional
from colloque_annuaire.rules.enrol import Ask, No, code_for, judge_code, may_prove_again, may_send_code

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ME = UserId("@a:colloque.test")
RPPS = Rpps("89900000008")
OTHER = Rpps("89900000016")


def box(local: str, kind: MailboxKind = MailboxKind.PER) -> Mailbox:
    return Mailbox(MssanteAddress.parse(f"{local}@medecin.mssante.test"), kind, rpps=RPPS)


def person(*boxes: Mailbox) -> Professional:
    return Professional(RPPS, "MOULIN", "Anne", "Docteur", (Activity("10", "Médecin"),), boxes)


def exercising(code: str, category: str = "C") -> Professional:
    return Professional(RPPS, "MOULIN", "Anne", "", (Activity(code, "?", category),), (box("a"),))


def held(rpps: Rpps, days: int = 100) -> Attestation:
    return Attestation(ME, rpps, "x", Method.MAILBOX_CODE, NOW - timedelta(days=1), NOW + timedelta(days=days))


def ask(**changes: object) -> Ask:
    base = {
        "user": ME, "rpps": RPPS, "person": person(box("a")), "held": None, "holder": None,
        "codes_of_user": 0, "codes_of_rpps": 0, "choice": None,
    }  # fmt: skip
    return Ask(**(base | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"held": held(OTHER)}, No.OTHER_RPPS),
        ({"held": held(RPPS)}, No.ALREADY),
        ({"holder": UserId("@b:colloque.test")}, No.TAKEN),
        ({"person": None}, No.UNKNOWN),
        ({"person": person()}, No.NO_MAILBOX),
        ({"person": exercising("999")}, No.PROFESSION),
        ({"person": exercising("10", "X")}, No.PROFESSION),
        ({"person": Professional(RPPS, "MOULIN", "Anne", "", mailboxes=(box("a"),))}, No.PROFESSION),
        ({"person": person(box("service", MailboxKind.ORG))}, No.NO_MAILBOX),
        ({"codes_of_user": 5}, No.TOO_MANY),
        ({"codes_of_rpps": 5}, No.TOO_MANY),
        ({"person": person(box("a"), box("b"))}, No.CHOOSE),
        ({"person": person(box("a"), box("b")), "choice": 3}, No.CHOOSE),
        ({"person": person(box("a"), box("b")), "choice": 0}, No.CHOOSE),
    ],
)
def test_no_code_leaves(changes: dict[str, object], answer: No) -> None:
    assert may_send_code(ask(**changes), per_day=5, now=NOW) is answer


def test_the_directory_says_where_the_code_goes() -> None:
    assert may_send_code(ask(), per_day=5, now=NOW) == box("a")
    two = person(box("a"), box("service", MailboxKind.ORG), box("b"))
    assert may_send_code(ask(person=two, choice=2), per_day=5, now=NOW) == box("b")


def test_an_expired_attestation_may_be_renewed_by_its_holder() -> None:
    renewal = ask(held=held(RPPS, days=0), holder=ME)
    assert may_send_code(renewal, per_day=5, now=NOW) == box("a")


def test_a_code_is_the_same_for_the_same_request_and_no_other() -> None:
    def code(event: str, secret: bytes = b"s" * 32) -> str:
        return code_for(secret, EventId(event), RPPS, MssanteAddress("a@medecin.mssante.test"))

    assert code("$1") == code("$1")
    assert len({code(f"${n}") for n in range(200)}) > 190
    assert code("$1") != code("$1", b"t" * 32)
    assert all(len(code(f"${n}")) == 6 and code(f"${n}").isdecimal() for n in range(50))


@pytest.mark.parametrize(
    ("typed", "state", "late", "answer"),
    [
        ("123456", "open", False, None),
        ("123457", "open", False, No.WRONG),
        ("123456", "open", True, No.EXPIRED),
        ("123456", "dead", False, No.DEAD),
        ("123456", "used", False, No.NO_CODE),
        ("123456", "superseded", False, No.NO_CODE),
    ],
)
def test_codes_are_judged(typed: str, state: str, late: bool, answer: No | None) -> None:
    expires = NOW if late else NOW + timedelta(seconds=1)
    assert judge_code(typed=typed, right="123456", state=state, expires_at=expires, now=NOW) is answer


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"valid_until": NOW + timedelta(days=31)}, False),
        ({"valid_until": NOW + timedelta(days=30)}, True),
        ({"valid_until": NOW}, True),
        ({"method": Method.VOUCHED, "valid_until": NOW + timedelta(days=80)}, True),
        ({"frozen": True, "valid_until": NOW + timedelta(days=300)}, True),
    ],
)
def test_who_is_verified_proves_it_again_when_that_changes_something(changes: dict[str, Any], again: bool) -> None:
    assert may_prove_again(replace(held(RPPS), **changes), NOW) is again
