"""What opens a room: in a request, a state event, an invitation."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.identity import UserId
from colloque.matrix.home import RoomSpec, room_request
from colloque.policy.room_request import MEGOLM, RoomRequest, Shown, names_room, opens
from colloque.rooms.mark import ROOM_MARK, RoomKind, RoomMark

ONE = UserId("@one:x.example")
ENCRYPTED = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}}
CLOSED = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}}


def state(type_: str, key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": key, "content": content}


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (state("m.room.join_rules", join_rule="invite"), False),
        (state("m.room.join_rules", join_rule="private"), False),
        (state("m.room.join_rules", join_rule="public"), True),
        (state("m.room.join_rules", join_rule="knock"), True),
        (state("m.room.join_rules", join_rule="restricted"), True),
        (state("m.room.join_rules", join_rule="knock_restricted"), True),
        (state("m.room.join_rules", join_rule=["invite"]), True),
        (state("m.room.join_rules"), True),
        (state("m.room.join_rules", "x", join_rule="public"), False),
        (state("m.room.history_visibility", history_visibility="world_readable"), True),
        (state("m.room.history_visibility", history_visibility="shared"), False),
        (state("m.room.guest_access", guest_access="can_join"), True),
        (state("m.room.guest_access"), False),
        (state("m.room.encryption", algorithm=MEGOLM), False),
        (state("m.room.encryption", algorithm="none"), True),
        (state("m.room.encryption"), True),
        (state("m.room.encryption", "x", algorithm="none"), False),
        (state("m.room.third_party_invite", "token", public_key="x"), True),
        (state("m.room.third_party_invite", "token"), False),
        (state("m.room.name", name="public"), False),
    ],
)
def test_opens(event: dict[str, Any], wanted: bool) -> None:
    content = event["content"]
    if content.get("join_rule") == ["invite"]:
        with pytest.raises(TypeError):
            opens(event["type"], event["state_key"], content)
        return
    assert opens(event["type"], event["state_key"], content) is wanted
    asked = {"initial_state": [ENCRYPTED, event]}
    if event["type"] != "m.room.third_party_invite":
        read = RoomRequest.read(asked)
        assert (read.open or read.cleartext) is wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [({"visibility": "public"}, True), ({"preset": "public_chat"}, True), ({"preset": "trusted_private_chat"}, False)],
)
def test_presets(body: dict[str, Any], wanted: bool) -> None:
    assert RoomRequest.read({"initial_state": [ENCRYPTED]} | body).open is wanted


@pytest.mark.parametrize(
    ("type_", "content", "wanted"),
    [
        ("m.room.canonical_alias", {"alias": "#a:x"}, True),
        ("m.room.canonical_alias", {"alt_aliases": ["#a:x"]}, True),
        ("m.room.canonical_alias", {"alt_aliases": []}, False),
        ("m.room.aliases", {"aliases": ["#a:x"]}, True),
        ("m.room.name", {"alias": "#a:x"}, False),
    ],
)
def test_addresses(type_: str, content: dict[str, Any], wanted: bool) -> None:
    assert names_room(type_, content) is wanted
    assert RoomRequest.read({"initial_state": [state(type_, **content)]}).alias is wanted


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


def test_the_rooms_our_bots_make_are_read_as_such() -> None:
    mark = RoomMark(RoomKind.HOME, "k", ONE)
    read = RoomRequest.read(room_request(RoomSpec(name="Colloque", mark=mark, invite=(ONE,))))
    assert read == RoomRequest("home", ONE, (ONE,), third_party=False, open=False, cleartext=False, alias=False)


# What an invitation shows


def mark(kind: str = "direct", sender: str = "@annuaire:y.example") -> dict[str, Any]:
    return state(ROOM_MARK, kind=kind, owner=ONE) | {"sender": sender}


def test_a_fit_room_is_shown_so() -> None:
    assert Shown.read([ENCRYPTED, CLOSED, mark()]) == Shown("direct", ONE, "@annuaire:y.example", closed=True)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [ENCRYPTED, mark()],
        [CLOSED, mark()],
        [ENCRYPTED, state("m.room.join_rules", join_rule="public"), mark()],
        [ENCRYPTED, CLOSED, state("m.room.join_rules", join_rule="public"), mark()],
        [ENCRYPTED, state("m.room.join_rules", join_rule="public"), CLOSED, mark()],
        [ENCRYPTED, CLOSED, state("m.room.history_visibility", history_visibility="world_readable")],
        [ENCRYPTED, CLOSED, state("m.room.canonical_alias", alias="#a:x")],
    ],
)
def test_an_unfit_room_is_shown_so(events: list[dict[str, Any]]) -> None:
    assert not Shown.read(events).closed


def test_a_room_without_a_mark_is_of_no_kind() -> None:
    assert Shown.read([ENCRYPTED, CLOSED]) == Shown("", None, "", closed=True)


@pytest.mark.parametrize("events", [["x"], [{"type": "a"}], 3])
def test_malformed_invitations_are_errors(events: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Shown.read(events)
