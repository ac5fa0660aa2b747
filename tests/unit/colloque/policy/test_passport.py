"""Who of another server is admitted: on their server's signature and our own directory, never on one alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import Refused, Tampered
from colloque.federation.ed25519 import verify
from colloque.identity import UserId
from colloque.policy.jws import Jws, seal
from colloque.policy.passport import (
    LIFE,
    MAX_LIFE,
    TYPE,
    Known,
    No,
    Passport,
    admit,
    due,
    open_passport,
    same_name,
    sign_passport,
)
from colloque.professional import Activity, Professional
from tests.federation import NOW, Member, keys_of, listing
from tests.servers.annuaire import activity, doctor, rpps

A, B = Member("chu-a.test"), Member("chu-b.test")
KEY_OF = keys_of(listing(A, B))
ANNE = doctor(1, "MARTIN-D'ARC", "Anne Élise")
USER = UserId("@anne:chu-a.test")
PASSPORT = Passport(
    USER, rpps(1), "Dr Anne Élise MARTIN-D'ARC", ("10",), "mailbox_code", "professional", NOW, NOW + LIFE
)
SIGNED = sign_passport(A.signer, PASSPORT)
KNOWN = Known(person=ANNE, stale=False, holder=None, revoked_at=None)
SECOND = timedelta(seconds=1)


def read(text: str, server: str = "chu-a.test") -> Passport:
    return open_passport(text, server=server, key_of=KEY_OF, verify=verify)


def test_what_is_signed_is_read_again() -> None:
    assert read(SIGNED) == PASSPORT


@given(place=st.integers(0, len(SIGNED) - 1), char=st.characters(codec="ascii"))
def test_no_altered_attestation_verifies(place: int, char: str) -> None:
    altered = SIGNED[:place] + char + SIGNED[place + 1 :]
    if altered == SIGNED:
        return
    with pytest.raises(Tampered):
        read(altered)


def test_a_server_speaks_for_its_own_people_only() -> None:
    with pytest.raises(Tampered):
        read(sign_passport(B.signer, PASSPORT))
    with pytest.raises(Tampered):
        read(sign_passport(B.signer, PASSPORT), "chu-b.test")
    with pytest.raises(Tampered):
        read(SIGNED, "chu-b.test")
    forged = Member("chu-a.test")
    with pytest.raises(Tampered):
        read(sign_passport(forged.signer, PASSPORT))


@pytest.mark.parametrize(
    "change",
    [
        {"user": "anne"}, {"user": " @anne:chu-a.test"}, {"user": "@anne:chu-a.test:8448"}, {"rpps": "1"}, {"rpps": 1},
        {"rpps": "8 " + rpps(1).value + "0"}, {"issued_at": 10**30}, {"valid_until": "x"}, {"name": None}, {"more": 1},
        {"professions": "10"},
    ],
)  # fmt: skip
def test_claims_of_another_shape_are_refused_even_when_signed(change: dict[str, Any]) -> None:
    claims = Jws.read(SIGNED, TYPE).claims | change
    with pytest.raises(Tampered):
        read(seal(TYPE, A.kid, claims, A.key.sign))


def test_a_professional_of_our_directory_is_admitted_under_its_own_record() -> None:
    assert admit(PASSPORT, KNOWN, NOW) is ANNE
    assert admit(PASSPORT, replace(KNOWN, holder=USER), NOW) is ANNE
    assert admit(PASSPORT, replace(KNOWN, revoked_at=NOW - SECOND), NOW) is ANNE


@pytest.mark.parametrize(
    ("passport", "known", "no"),
    [
        (replace(PASSPORT, kind="supervised"), KNOWN, No.KIND),
        (replace(PASSPORT, kind="staff"), KNOWN, No.KIND),
        (replace(PASSPORT, valid_until=NOW + MAX_LIFE + SECOND), KNOWN, No.TOO_LONG),
        (replace(PASSPORT, valid_until=NOW), KNOWN, No.EXPIRED),
        (PASSPORT, replace(KNOWN, revoked_at=NOW), No.REVOKED),
        (PASSPORT, replace(KNOWN, stale=True), No.STALE),
        (PASSPORT, replace(KNOWN, person=None), No.UNKNOWN),
        (PASSPORT, replace(KNOWN, person=replace(ANNE, activities=())), No.INACTIVE),
        (replace(PASSPORT, name="Dr Paul MARTIN-D'ARC"), KNOWN, No.NAME),
        (replace(PASSPORT, name=""), KNOWN, No.NAME),
        (PASSPORT, replace(KNOWN, holder=UserId("@anne:chu-b.test")), No.TAKEN),
    ],
)
def test_who_is_not_admitted(passport: Passport, known: Known, no: No) -> None:
    with pytest.raises(Refused) as caught:
        admit(passport, known, NOW)
    assert caught.value.reason == no


def test_a_profession_that_may_not_enrol_here_is_not_admitted_from_elsewhere() -> None:
    other = replace(ANNE, activities=(Activity("999", "Inconnue"),))
    with pytest.raises(Refused) as caught:
        admit(PASSPORT, replace(KNOWN, person=other), NOW)
    assert caught.value.reason == No.PROFESSION
    assert admit(PASSPORT, replace(KNOWN, person=replace(other, activities=(*other.activities, activity("X")))), NOW)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Dr Anne Élise MARTIN-D'ARC", True),
        ("anne elise martin d arc", True),
        ("ANNE-ELISE MARTIN D\u2019ARC", True),
        ("Dr Anne MARTIN-D'ARC", False),
        ("Dr Dr Anne Élise MARTIN-D'ARC", False),
        ("MARTIN-D'ARC Anne Élise", False),
    ],
)
def test_names_are_compared_without_accents_case_and_title(name: str, same: bool) -> None:
    person: Professional = ANNE
    assert same_name(name, person) is same


def test_a_day_later_their_server_is_asked_again() -> None:
    assert not due(NOW, NOW + timedelta(hours=23))
    assert due(NOW, NOW + timedelta(hours=24))
