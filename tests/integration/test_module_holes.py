"""Ways around the rule, each tried over the wire on a real Synapse: by members, room creators and administrators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from colloque.attestation import Kind
from colloque.rooms.mark import ROOM_MARK, RoomKind
from tests.servers.house import Account, House, attestation, joined, reported, running_house


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house() as made:
        yield made


async def room_of(house: House) -> tuple[Account, str]:
    """Somebody verified, in a room of their own: its creator may do everything that Matrix allows."""
    one = await house.account()
    house.attest(one)
    return one, (await one.create()).body["room_id"]


OPENINGS: list[tuple[str, dict[str, Any], str]] = [
    ("m.room.join_rules", {"join_rule": "public"}, "room_public"),
    ("m.room.join_rules", {"join_rule": "knock"}, "room_public"),
    ("m.room.join_rules", {"join_rule": "restricted", "allow": []}, "room_public"),
    ("m.room.join_rules", {"join_rule": "knock_restricted", "allow": []}, "room_public"),
    ("m.room.history_visibility", {"history_visibility": "world_readable"}, "room_public"),
    ("m.room.guest_access", {"guest_access": "can_join"}, "room_public"),
    ("m.room.encryption", {}, "room_public"),
    ("m.room.encryption", {"algorithm": "m.olm.v1.curve25519-aes-sha2"}, "room_public"),
    ("m.room.third_party_invite", {"display_name": "x", "key_validity_url": "x", "public_key": "x"}, "third_party"),
    ("m.room.canonical_alias", {"alias": "#patient:x.example"}, "alias"),
    ("m.room.canonical_alias", {"alt_aliases": ["#patient:x.example"]}, "alias"),
]


@pytest.mark.parametrize(("type_", "content", "code"), OPENINGS)
async def test_no_state_event_opens_a_room(house: House, type_: str, content: dict[str, Any], code: str) -> None:
    one, room = await room_of(house)
    said = await one.state(room, type_, content)
    assert (said.status, said.body["errcode"], said.code) == (403, "M_FORBIDDEN", code)
    await reported(house, "change", one, None, code)


async def test_harmless_state_is_as_free_as_before(house: House) -> None:
    one, room = await room_of(house)
    for type_, content in (
        ("m.room.name", {"name": "Réunion"}),
        ("m.room.join_rules", {"join_rule": "invite"}),
        ("m.room.history_visibility", {"history_visibility": "joined"}),
        ("m.room.canonical_alias", {}),
        ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 10}),
    ):
        assert (await one.state(room, type_, content)).status == 200


async def test_who_is_no_longer_verified_changes_nothing_and_may_still_write_and_leave(house: House) -> None:
    one, room = await room_of(house)
    house.attest()
    assert (await one.state(room, "m.room.name", {"name": "x"})).code == "actor_unverified"
    said = await one.call("PUT", f"/rooms/{room}/send/m.room.encrypted/1", {"algorithm": "x", "ciphertext": "x"})
    assert said.status == 200, "where writing must stop, the power to write rises first"
    assert (await one.call("POST", f"/rooms/{room}/leave", {})).status == 200


async def test_encryption_is_not_redacted_away(house: House) -> None:
    one, room = await room_of(house)
    state = (await one.call("GET", f"/rooms/{room}/state")).body
    (event,) = [e["event_id"] for e in state if e["type"] == "m.room.encryption"]  # type: ignore[index]
    said = await one.call("PUT", f"/rooms/{room}/redact/{event}/1", {})
    assert (said.status, said.code) == (403, "room_public")
    (name,) = [(await one.state(room, "m.room.name", {"name": "x"})).body["event_id"]]
    assert (await one.call("PUT", f"/rooms/{room}/redact/{name}/2", {})).status == 200


async def test_a_mark_of_our_bots_is_replaced_by_nobody_else(house: House) -> None:
    one, bot = await house.account(), await house.bot("salles")
    house.attest(one)
    room = await bot.marked_room(RoomKind.PATIENT, owner=one.user, invite=(one,))
    powers = (await bot.call("GET", f"/rooms/{room}/state/m.room.power_levels")).body
    assert (await bot.state(room, "m.room.power_levels", powers | {"users": {one.user: 100}})).status == 200
    await joined(room, bot, one)
    assert (await one.state(room, ROOM_MARK, {"kind": "home", "key": "x"})).code == "mark"


async def test_nobody_knocks(house: House) -> None:
    _, room = await room_of(house)
    other = await house.account()
    house.attest(other)
    said = await other.call("POST", f"/knock/{room}", {})
    assert (said.status, said.code) == (403, "not_invited")


async def test_no_room_is_published_nor_has_an_address(house: House) -> None:
    one, room = await room_of(house)
    said = await one.call("PUT", f"/directory/list/room/{room}", {"visibility": "public"})
    assert (said.status, said.code) == (403, "room_public")
    said = await one.call("PUT", f"/directory/room/%23a%3A{house.server.server_name}", {"room_id": room})
    assert (said.status, said.code) == (403, "alias")
    assert (await one.create(room_alias_name="a")).code == "alias"


async def test_an_administrator_is_not_above_the_rule(house: House) -> None:
    """Synapse asks neither `user_may_invite` nor `user_may_join_room` about them."""
    root, verified, nobody = await house.account(admin=True), await house.account(), await house.account()
    house.attest(verified, root)
    theirs = (await verified.create(invite=[root.user])).body["room_id"]
    own = (await root.create()).body["room_id"]
    assert (await root.invite(own, nobody)).code == "other_unverified"
    await reported(house, "invite", root, nobody, "other_unverified")
    assert (await root.invite(own, verified)).status == 200
    house.attest(verified)
    assert (await root.join(theirs)).code == "actor_unverified"
    await reported(house, "join", root, None, "actor_unverified")
    assert (await root.state(own, "m.room.join_rules", {"join_rule": "public"})).status == 403


async def test_the_admin_api_makes_nobody_join(house: House) -> None:
    root, verified, nobody = await house.account(admin=True), await house.account(), await house.account()
    house.attest(verified, root)
    room = (await verified.create(invite=[root.user])).body["room_id"]
    assert (await root.join(room)).status == 200
    house.attest(verified)
    with pytest.raises(RuntimeError, match="403"):
        await asyncio.to_thread(
            house.server.call, "POST", f"/_synapse/admin/v1/join/{room}", {"user_id": nobody.user}, root.token
        )
    assert await verified.membership(room, nobody) == "none"


async def test_a_room_that_is_upgraded_stays_closed(house: House) -> None:
    one, room = await room_of(house)
    said = await one.call("POST", f"/rooms/{room}/upgrade", {"new_version": "11"})
    assert said.status == 200
    new = said.body["replacement_room"]
    rules = await one.call("GET", f"/rooms/{new}/state/m.room.join_rules")
    assert rules.body == {"join_rule": "invite"}
    encryption = await one.call("GET", f"/rooms/{new}/state/m.room.encryption")
    assert encryption.body["algorithm"] == "m.megolm.v1.aes-sha2"
    house.attest()
    assert (await one.call("POST", f"/rooms/{new}/upgrade", {"new_version": "12"})).status == 403


async def test_nobody_goes_by_another_name_in_one_room() -> None:
    """Even where the homeserver's own lock (`allow_per_room_profiles: false`) was forgotten."""
    async with running_house(extra={"allow_per_room_profiles": True}) as house:
        one, room = await room_of(house)
        other = {"membership": "join", "displayname": "Pr Quelqu'un D'AUTRE"}
        said = await one.state(room, "m.room.member", other, one.user)
        assert (said.status, said.code) == (403, "name")
        await reported(house, "join", one, None, "name")


# Professions, people under somebody, blocks


async def test_a_patient_room_is_for_professions_bound_by_secrecy(house: House) -> None:
    doctor, social, bot = await house.account(), await house.account(), await house.bot("salles")
    house.publish(attestation(doctor.user, 1), attestation(social.user, 2, professions=("42",)))
    assert (await bot.ask_room(RoomKind.PATIENT, owner=doctor.user, invite=(doctor, social))).code == "other_profession"
    await reported(house, "create_room", bot, social, "other_profession")
    room = await bot.marked_room(RoomKind.PATIENT, owner=doctor.user, invite=(doctor,))
    assert (await bot.invite(room, social)).code == "other_profession"
    assert (await bot.ask_room(RoomKind.PATIENT, owner=social.user)).code == "actor_profession"
    plain = (await doctor.create(invite=[social.user])).body["room_id"]
    assert (await social.join(plain)).status == 200, "other rooms hold nothing of a patient"


async def test_a_student_takes_part_and_does_not_open(house: House) -> None:
    doctor, student, bot = await house.account(), await house.account(), await house.bot("salles")
    house.publish(attestation(doctor.user, 1), attestation(student.user, 2, category="E"))
    assert (await bot.ask_room(RoomKind.PATIENT, owner=student.user)).code == "actor_profession"
    room = await bot.marked_room(RoomKind.PATIENT, owner=doctor.user, invite=(doctor, student))
    assert (await student.join(room)).status == 200


async def test_who_works_under_somebody_enters_where_that_one_is(house: House) -> None:
    doctor, other, secretary = await house.account(), await house.account(), await house.account()
    bot = await house.bot("salles")
    first = attestation(doctor.user, 1)
    under = attestation(secretary.user, 1, kind=Kind.SUPERVISED, under=first.rpps, professions=())
    house.publish(first, attestation(other.user, 2), under)
    with_them = await bot.marked_room(RoomKind.PATIENT, owner=doctor.user, invite=(doctor, secretary))
    await joined(with_them, bot, doctor)
    assert (await secretary.join(with_them)).status == 200
    without = await bot.marked_room(RoomKind.PATIENT, owner=other.user, invite=(other,))
    assert (await bot.invite(without, secretary)).code == "other_unsponsored"
    house.publish(attestation(other.user, 2), under)
    assert (await secretary.create()).code == "actor_frozen", "nobody answers for them any more"


async def test_the_frozen_stay_and_write_and_begin_nothing(house: House) -> None:
    one, other = await house.account(), await house.account()
    house.attest(one, other)
    room = (await one.create()).body["room_id"]
    house.publish(attestation(one.user, 1, frozen=True), attestation(other.user, 2))
    assert (await one.invite(room, other)).code == "actor_frozen"
    assert (await one.create()).code == "actor_frozen"
    theirs = (await other.create()).body["room_id"]
    assert (await other.invite(theirs, one)).code == "other_frozen"
    said = await one.call("PUT", f"/rooms/{room}/send/m.room.encrypted/1", {"algorithm": "x", "ciphertext": "x"})
    assert said.status == 200


async def test_whom_somebody_blocked_does_not_reach_them(house: House) -> None:
    blocker, blocked, bot = await house.account(), await house.account(), await house.bot("annuaire")
    people = (attestation(blocker.user, 1), attestation(blocked.user, 2))
    house.publish(*people, blocks={blocker.user: frozenset({blocked.user})})
    room = (await blocked.create()).body["room_id"]
    assert (await blocked.invite(room, blocker)).code == "not_available"
    assert (await blocked.create(invite=[blocker.user])).code == "not_available"
    direct = await bot.ask_room(RoomKind.DIRECT, owner=blocked.user, invite=(blocked, blocker))
    assert direct.code == "not_available", "nor through a bot"
    back = (await blocker.create()).body["room_id"]
    assert (await blocker.invite(back, blocked)).status == 200, "the block is one person's, not the other's"
    house.publish(*people)
    assert (await blocked.invite(room, blocker)).status == 200
