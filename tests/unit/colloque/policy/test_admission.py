"""The admission rule, as tables that leave out no case."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from colloque.identity import Rpps, UserId
from colloque.policy import admission
from colloque.policy.admission import (
    ALLOWED,
    Person,
    Reason,
    Refused,
    Rights,
    Standing,
    joins_at_once,
    may_change,
    may_create,
    may_invite,
    may_join,
    may_open_patient_room,
    rights_of,
)
from colloque.policy.room_request import MEGOLM, RoomRequest
from colloque.rooms.mark import ROOM_MARK

S, A, F, U, R = Standing.SERVICE, Standing.ATTESTED, Standing.STAFF, Standing.UNVERIFIED, Standing.REMOTE
SUP, ICE = Standing.SUPERVISED, Standing.FROZEN
RS, RA, RU = Standing.REMOTE_SERVICE, Standing.REMOTE_ATTESTED, Standing.REMOTE_UNKNOWN
RG = Standing.REMOTE_GHOST
KINDS = ["", "home", "admin", "mail", "patient", "direct", "other"]
ONE, TWO = UserId("@one:x.example"), UserId("@two:x.example")
DOCTOR, STUDENT, SOCIAL = (rights_of((code,), status) for code, status in (("10", "C"), ("10", "E"), ("42", "C")))
BOSS = Rpps("80000000010")


def person(standing: Standing, rights: Rights = DOCTOR) -> Person:
    if standing is SUP:
        return Person(SUP, under=BOSS)
    elsewhere = standing in {RS, RA}
    return Person(standing, rights, rpps=BOSS if standing is A else None, salles=standing is RS, erases=elsewhere)


def reason(verdict: admission.Verdict) -> str:
    return "" if verdict == ALLOWED else verdict.reason.value  # type: ignore[union-attr]


def state(type_: str, key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": key, "content": content}


def request(*states: dict[str, Any], **body: Any) -> RoomRequest:
    """A request for an encrypted room."""
    return RoomRequest.read({"initial_state": [state("m.room.encryption", algorithm=MEGOLM), *states]} | body)


def nobody_blocked(_user: UserId) -> bool:
    return False


NOT_ACTOR = {
    F: "actor_staff",
    U: "actor_unverified",
    ICE: "actor_frozen",
    RU: "remote_unknown",
    R: "remote",
    RG: "remote",
}
NOT_OTHER = {
    F: "other_staff",
    U: "other_unverified",
    ICE: "other_frozen",
    RU: "remote_unknown",
    R: "remote",
}
TO_BOTS = {"home": {F, U, ICE}, "admin": {F, ICE}, "mail": {ICE}}


def wanted_invite(actor: Standing, other: Standing, kind: str) -> str:
    if actor in NOT_ACTOR:
        return NOT_ACTOR[actor]
    if other is RG:
        return "" if (actor, kind) == (RS, "mail") else "room_local"
    if other in NOT_OTHER:
        return "" if actor is S and other in TO_BOTS.get(kind, ()) else NOT_OTHER[other]
    if {actor, other} & {RS, RA} and kind not in {"patient", "direct", "mail"}:
        return "room_local"
    return "other_unsponsored" if kind == "patient" and other is SUP else ""


@pytest.mark.parametrize(("actor", "other", "kind"), list(product(Standing, Standing, KINDS)))
def test_invite(actor: Standing, other: Standing, kind: str) -> None:
    assert reason(may_invite(person(actor), person(other), kind)) == wanted_invite(actor, other, kind)


JOIN = {
    S: dict.fromkeys(KINDS, ""),
    A: dict.fromkeys(KINDS, ""),
    ICE: dict.fromkeys(KINDS, ""),
    SUP: dict.fromkeys(KINDS, "") | {"patient": "actor_unsponsored"},
    F: dict.fromkeys(KINDS, "actor_staff") | {"home": "", "admin": ""},
    U: dict.fromkeys(KINDS, "actor_unverified") | {"home": ""},
    RS: dict.fromkeys(KINDS, "room_local") | {"patient": "", "direct": "", "mail": ""},
    RA: dict.fromkeys(KINDS, "room_local") | {"patient": "", "direct": "", "mail": ""},
    RG: dict.fromkeys(KINDS, "room_local") | {"mail": ""},
    RU: dict.fromkeys(KINDS, "remote_unknown"),
    R: dict.fromkeys(KINDS, "remote"),
}


@pytest.mark.parametrize(("who", "kind"), list(product(Standing, KINDS)))
def test_join(who: Standing, kind: str) -> None:
    assert reason(may_join(person(who), kind)) == JOIN[who][kind]


@pytest.mark.parametrize(("rights", "invited", "opens"), [(DOCTOR, "", ""), (STUDENT, "", "no"), (SOCIAL, "no", "no")])
@pytest.mark.parametrize("standing", [A, RA])
def test_patient_rooms_go_by_profession(standing: Standing, rights: Rights, invited: str, opens: str) -> None:
    who = person(standing, rights)
    assert reason(may_invite(person(S), who, "patient")) == (invited and "other_profession")
    assert reason(may_join(who, "patient")) == (invited and "actor_profession")
    assert reason(may_join(who, "direct")) == ""
    if standing is A:
        assert reason(may_open_patient_room(who)) == (opens and "actor_profession")


def test_nobody_but_a_professional_of_ours_opens_a_patient_room() -> None:
    assert {s: reason(may_open_patient_room(person(s))) for s in Standing if s is not A} == NOT_ACTOR | {
        S: "actor_profession",
        SUP: "actor_profession",
        RS: "actor_profession",
        RA: "actor_profession",
        RG: "actor_profession",
    }


def test_who_works_under_somebody_enters_where_that_one_is() -> None:
    assert may_invite(person(S), person(SUP), "patient", sponsored=True) == ALLOWED
    assert may_join(person(SUP), "patient", sponsored=True) == ALLOWED


def test_of_another_servers_bots_only_its_salles_is_in_patient_rooms() -> None:
    other = Person(RS, erases=True)
    assert reason(may_invite(person(S), other, "patient")) == "other_profession"
    assert reason(may_join(other, "patient")) == "actor_profession"
    assert may_join(other, "mail") == ALLOWED


def test_who_comes_in_is_of_a_server_that_erases_and_who_is_in_stays() -> None:
    who = Person(RA, DOCTOR)
    assert reason(may_invite(person(S), who, "patient")) == "other_erasure"
    assert may_invite(person(S), who, "direct") == ALLOWED
    assert may_invite(person(RS), who, "patient") == ALLOWED, "their own server's business, in their room"
    assert may_join(who, "patient") == ALLOWED


def test_a_block_says_no_more_than_it_must() -> None:
    for actor in (A, SUP, RA, S):
        assert reason(may_invite(person(actor), person(A), "direct", blocked=True)) == "not_available"
    assert reason(may_invite(person(U), person(A), "", blocked=True)) == "actor_unverified"


@pytest.mark.parametrize(("actor", "other", "kind"), list(product(Standing, Standing, KINDS)))
def test_create_with_somebody_is_create_and_invite(actor: Standing, other: Standing, kind: str) -> None:
    verdict = may_create(
        person(actor), request(state(ROOM_MARK, kind=kind), invite=[ONE]), {ONE: person(other)}, nobody_blocked
    )
    believed = kind if actor is S else ""
    wanted = "remote" if actor in {RS, RA, RG} else wanted_invite(actor, other, believed)
    assert reason(verdict) == wanted
    if actor in {S, A} and isinstance(verdict, Refused):
        assert verdict.other == ONE


@pytest.mark.parametrize("actor", list(Standing))
def test_create_alone(actor: Standing) -> None:
    wanted = NOT_ACTOR | {S: "", A: "", SUP: "", RS: "remote", RA: "remote"}
    assert reason(may_create(person(actor), request(), {}, nobody_blocked)) == wanted[actor]


def test_a_patient_room_is_made_for_its_owner() -> None:
    asked = request(state(ROOM_MARK, kind="patient", owner=ONE), invite=[ONE, TWO])
    people = {ONE: person(A), TWO: person(SUP)}
    assert may_create(person(S), asked, people, nobody_blocked) == ALLOWED, "the one answered for is in it"
    people[ONE] = person(A, STUDENT)
    assert may_create(person(S), asked, people, nobody_blocked) == Refused(Reason.ACTOR_PROFESSION, ONE)
    people = {ONE: Person(A, DOCTOR, rpps=Rpps("80000000028")), TWO: person(SUP)}
    assert may_create(person(S), asked, people, nobody_blocked) == Refused(Reason.OTHER_UNSPONSORED, TWO)
    people[TWO] = person(A)
    assert may_create(person(S), asked, people, TWO.__eq__) == Refused(Reason.NOT_AVAILABLE, TWO)


@pytest.mark.parametrize("actor", [S, A])
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (request(visibility="public"), "room_public"),
        (RoomRequest.read({}), "room_public"),
        (request(room_alias_name="a"), "alias"),
        (request(invite_3pid=[{"medium": "email"}]), "third_party"),
        (request(state("m.room.third_party_invite", "token", public_key="x")), "third_party"),
    ],
)
def test_rooms_are_private_and_encrypted(actor: Standing, asked: RoomRequest, wanted: str) -> None:
    assert reason(may_create(person(actor), asked, {}, nobody_blocked)) == wanted


def test_who_is_not_verified_changes_no_room() -> None:
    refused = {U: "actor_unverified", RU: "remote_unknown", R: "remote"}
    assert {s: reason(may_change(person(s))) for s in Standing} == dict.fromkeys(Standing, "") | refused


@pytest.mark.parametrize(
    ("kind", "owner", "wanted"),
    [
        ("home", None, True),
        ("home", ONE, True),
        ("home", TWO, False),
        ("admin", None, True),
        ("mail", None, True),
        ("mail", ONE, True),
        ("mail", TWO, False),
        ("patient", ONE, True),
        ("patient", None, False),
        ("patient", TWO, False),
        ("direct", ONE, True),
        ("direct", None, False),
        ("direct", TWO, False),
        ("", ONE, False),
        ("other", ONE, False),
    ],
)
def test_joins_at_once(kind: str, owner: UserId | None, wanted: bool) -> None:
    assert joins_at_once(kind, owner, ONE) is wanted


def test_codes_are_stable() -> None:
    assert sorted(r.value for r in Reason) == [
        "actor_erasure",
        "actor_frozen",
        "actor_profession",
        "actor_staff",
        "actor_unsponsored",
        "actor_unverified",
        "alias",
        "held",
        "internal",
        "mark",
        "name",
        "not_available",
        "not_invited",
        "other_erasure",
        "other_frozen",
        "other_profession",
        "other_staff",
        "other_unsponsored",
        "other_unverified",
        "remote",
        "remote_unknown",
        "room_local",
        "room_public",
        "third_party",
    ]
