"""The admission rule, as tables that leave out no case."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from colloque.identity import UserId
from colloque.matrix.home import RoomSpec, room_request
from colloque.policy import admission
from colloque.policy.admission import (
    ALLOWED,
    Reason,
    Refused,
    RoomRequest,
    Standing,
    joins_at_once,
    may_create,
    may_invite,
    may_join,
)
from colloque.rooms.mark import ROOM_MARK, RoomKind, RoomMark

S, A, F, U, R = Standing.SERVICE, Standing.ATTESTED, Standing.STAFF, Standing.UNVERIFIED, Standing.REMOTE
KINDS = ["", "home", "admin", "mail", "patient", "other"]
ONE = UserId("@one:x.example")


def reason(verdict: admission.Verdict) -> str:
    return "" if verdict == ALLOWED else verdict.reason.value  # type: ignore[union-attr]


def state(type_: str, key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": key, "content": content}


def request(*states: dict[str, Any], **body: Any) -> RoomRequest:
    """A request for an encrypted room."""
    encrypted = state("m.room.encryption", algorithm=admission.MEGOLM)
    return RoomRequest.read({"initial_state": [encrypted, *states]} | body)


# Rows: actor; columns: other. "" is yes.
EVERYWHERE = {
    A: {S: "", A: "", F: "other_staff", U: "other_unverified", R: "remote"},
    F: dict.fromkeys(Standing, "actor_staff"),
    U: dict.fromkeys(Standing, "actor_unverified"),
    R: dict.fromkeys(Standing, "remote"),
}
BY_SERVICE = {
    "home": {S: "", A: "", F: "", U: "", R: "remote"},
    "admin": {S: "", A: "", F: "", U: "other_unverified", R: "remote"},
} | {
    kind: {S: "", A: "", F: "other_staff", U: "other_unverified", R: "remote"}
    for kind in ("", "mail", "patient", "other")
}
JOIN = {
    S: dict.fromkeys(KINDS, ""),
    A: dict.fromkeys(KINDS, ""),
    F: dict.fromkeys(KINDS, "actor_staff") | {"home": "", "admin": ""},
    U: dict.fromkeys(KINDS, "actor_unverified") | {"home": ""},
    R: dict.fromkeys(KINDS, "remote"),
}


@pytest.mark.parametrize(("actor", "other", "kind"), list(product(Standing, Standing, KINDS)))
def test_invite(actor: Standing, other: Standing, kind: str) -> None:
    wanted = BY_SERVICE[kind][other] if actor is S else EVERYWHERE[actor][other]
    assert reason(may_invite(actor, other, kind)) == wanted


@pytest.mark.parametrize(("who", "kind"), list(product(Standing, KINDS)))
def test_join(who: Standing, kind: str) -> None:
    assert reason(may_join(who, kind)) == JOIN[who][kind]


@pytest.mark.parametrize(("actor", "other", "kind"), list(product(Standing, Standing, KINDS)))
def test_create_with_somebody_is_create_and_invite(actor: Standing, other: Standing, kind: str) -> None:
    verdict = may_create(actor, request(state(ROOM_MARK, kind=kind), invite=[ONE]), {ONE: other})
    assert reason(verdict) == reason(may_invite(actor, other, kind))
    if actor in {S, A} and isinstance(verdict, Refused):
        assert verdict.other == ONE


@pytest.mark.parametrize("actor", list(Standing))
def test_create_alone(actor: Standing) -> None:
    wanted = {S: "", A: "", F: "actor_staff", U: "actor_unverified", R: "remote"}
    assert reason(may_create(actor, request(), {})) == wanted[actor]


@pytest.mark.parametrize("actor", [S, A])
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (request(visibility="private", preset="trusted_private_chat"), ""),
        (request(visibility="public"), "room_public"),
        (request(preset="public_chat"), "room_public"),
        (request(state("m.room.join_rules", join_rule="public")), "room_public"),
        (request(state("m.room.join_rules", join_rule="invite")), ""),
        (request(state("m.room.history_visibility", history_visibility="world_readable")), "room_public"),
        (request(state("m.room.guest_access", guest_access="can_join")), "room_public"),
        (request(state("m.room.encryption", algorithm="none")), "room_public"),
        (request(state("m.room.encryption")), "room_public"),
        (request(state("m.room.encryption", "x", algorithm="none")), ""),
        (RoomRequest.read({}), "room_public"),
        (
            RoomRequest.read({"initial_state": [state("m.room.encryption", "x", algorithm=admission.MEGOLM)]}),
            "room_public",
        ),
        (request(invite_3pid=[{"medium": "email"}]), "third_party"),
        (request(state("m.room.third_party_invite", "token")), "third_party"),
    ],
)
def test_rooms_are_private_and_encrypted(actor: Standing, asked: RoomRequest, wanted: str) -> None:
    assert reason(may_create(actor, asked, {})) == wanted


def test_the_last_of_two_states_counts_as_for_synapse() -> None:
    first, last = (state("m.room.join_rules", join_rule=rule) for rule in ("invite", "public"))
    assert RoomRequest.read({"initial_state": [first, last]}).open
    assert not RoomRequest.read({"initial_state": [last, first]}).open


def test_members_in_the_initial_state_are_invitees() -> None:
    body = {"invite": ["@two:x"], "initial_state": [state("m.room.member", ONE, membership="invite")]}
    assert set(RoomRequest.read(body).invitees) == {ONE, "@two:x"}


@pytest.mark.parametrize("body", [{"initial_state": ["x"]}, {"initial_state": [{"type": "a"}]}, {"invite": 3}])
def test_a_malformed_request_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        RoomRequest.read(body)


@pytest.mark.parametrize(
    ("kind", "owner", "wanted"),
    [
        ("home", None, True),
        ("home", ONE, True),
        ("home", "@two:x", False),
        ("admin", None, True),
        ("mail", None, True),
        ("mail", ONE, True),
        ("mail", "@two:x", False),
        ("patient", ONE, True),
        ("patient", None, False),
        ("patient", "@two:x", False),
        ("direct", ONE, True),
        ("direct", None, False),
        ("direct", "@two:x", False),
        ("", ONE, False),
        ("other", ONE, False),
    ],
)
def test_joins_at_once(kind: str, owner: str | None, wanted: bool) -> None:
    assert joins_at_once(kind, UserId(owner) if owner else None, ONE) is wanted


def test_the_rooms_our_bots_make_are_admitted() -> None:
    mark = RoomMark(RoomKind.HOME, "k", ONE)
    request = RoomRequest.read(room_request(RoomSpec(name="Colloque", mark=mark, invite=(ONE,))))
    assert request == RoomRequest("home", (ONE,), third_party=False, open=False, cleartext=False)


def test_codes_are_stable() -> None:
    assert {r.value for r in Reason} == {
        "actor_unverified",
        "actor_staff",
        "other_unverified",
        "other_staff",
        "room_public",
        "third_party",
        "remote",
        "internal",
    }
