"""A hostile server, and the rooms that began there: its bot has every power in them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.hostile import EVIL, V11, JsonDict, event_id, hostile_house
from tests.servers.hostile_world import MEGOLM, World
from tests.servers.house import reported
from tests.waiting import until


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    async with hostile_house() as (house, evil):
        yield World(house, evil, await house.account("anne"), await house.bot("annuaire"))


# In a room that began with them, where their bot has every power


@pytest.mark.parametrize(
    ("type_", "content"),
    [
        ("m.room.join_rules", {"join_rule": "public"}),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}),
        ("m.room.guest_access", {"guest_access": "can_join"}),
        ("m.room.encryption", {"algorithm": "none"}),
        ("m.room.third_party_invite", {"display_name": "x", "key_validity_url": "x", "public_key": "x"}),
        ("m.room.canonical_alias", {"alias": f"#patient:{EVIL}"}),
    ],
)
async def test_no_event_from_elsewhere_opens_a_room(world: World, type_: str, content: JsonDict) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    before = await world.state(room, type_)
    opening = room.make(type_, world.their_bot, content, "")
    name = event_id(opening, V11)
    assert (await world.evil.send(opening))[name] != ""
    # Nor when what comes after builds on it, and is fetched together with it.
    after = room.make("m.room.encrypted", world.ok, MEGOLM, prev_events=[name], depth=opening["depth"] + 1)
    await world.evil.send(after)
    await world.heard(room)
    assert event_id(after, V11) not in await world.read(room)
    assert await world.state(room, type_) == before


async def test_nobody_unknown_enters_not_even_behind_somebody_known(world: World) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    invite = room.make("m.room.member", world.their_bot, {"membership": "invite"}, world.no)
    assert (await world.evil.send(invite))[event_id(invite, V11)] != ""
    behind = {"prev_events": [event_id(invite, V11)], "depth": invite["depth"] + 1}
    auth = [*invite["auth_events"], event_id(invite, V11)]
    join = room.make("m.room.member", world.no, {"membership": "join"}, world.no, auth_events=auth, **behind)
    assert (await world.evil.send(join))[event_id(join, V11)] != ""
    behind = {"prev_events": [event_id(join, V11)], "depth": join["depth"] + 1}
    message = room.make("m.room.encrypted", world.ok, MEGOLM, **behind)
    await world.evil.send(message)
    await world.heard(room)
    assert event_id(message, V11) not in await world.read(room)
    members = await world.anne.call("GET", f"/rooms/{room.room_id}/joined_members")
    assert world.no not in members.body["joined"]


async def test_nobody_knocks_from_elsewhere(world: World) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    knock = room.make("m.room.member", world.no, {"membership": "knock"}, world.no)
    assert (await world.evil.send(knock))[event_id(knock, V11)] != ""


async def test_messages_are_read_while_their_author_is_admitted(world: World) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    await world.heard(room)
    world.admit("other")
    late = room.add("m.room.encrypted", world.ok, {**MEGOLM, "ciphertext": "y"})
    await world.evil.send(late)

    async def refused() -> bool:
        return any(a["actor"] == world.ok and a["act"] == "send" for a in world.house.acts)

    await until(refused, "the annuaire hears of it", within=10)
    world.admit()
    await world.heard(room)
    assert event_id(late, V11) not in await world.read(room)
    world.publish(listed=False)
    await world.talks(wanted=False)
    third = room.make("m.room.encrypted", world.ok, {**MEGOLM, "ciphertext": "z"})
    with pytest.raises(AssertionError, match="Federation denied"):
        await world.evil.send(third)


async def test_encryption_is_not_redacted_from_elsewhere(world: World) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    target = event_id(room.state["m.room.encryption", ""], V11)
    away = room.make("m.room.redaction", world.their_bot, {"redacts": target})
    assert (await world.evil.send(away))[event_id(away, V11)] != ""
    assert await world.state(room, "m.room.encryption") == MEGOLM


# Rooms that are not what the invitation showed


async def test_a_room_that_turns_out_open_is_not_entered(world: World) -> None:
    world.admit()
    await world.talks()
    room = world.their_room()
    assert (await world.invited(room, world.anne)).status == 200
    room.add("m.room.join_rules", world.their_bot, {"join_rule": "public"}, "")
    said = await world.anne.call("POST", f"/join/{room.room_id}?server_name={EVIL}", {})
    assert said.status != 200
    rooms = await world.anne.call("GET", "/joined_rooms")
    assert room.room_id not in rooms.body["joined_rooms"]


async def test_a_room_with_somebody_unknown_in_it_is_left_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.admit("ok", "no")
    await world.talks()
    room = world.their_room()
    for user in (world.ok, world.no):
        room.add("m.room.member", world.their_bot, {"membership": "invite"}, user)
        room.add("m.room.member", user, {"membership": "join"}, user)
    world.admit("ok")
    assert (await world.invited(room, world.anne)).status == 200
    said = await world.anne.call("POST", f"/join/{room.room_id}?server_name={EVIL}", {})
    assert said.status == 200

    async def told() -> bool:
        return any(a["actor"] == world.no and a["act"] == "share" for a in world.house.acts)

    await until(told, "the annuaire hears of them", within=10)

    async def gone() -> bool:
        rooms = await world.anne.call("GET", "/joined_rooms")
        return room.room_id not in rooms.body["joined_rooms"]

    await until(gone, "Anne out of it: nobody could tell who they are", within=90)


async def test_rooms_elsewhere_are_entered_by_invitation(world: World) -> None:
    root = await world.house.account(admin=True)
    world.admit()
    await world.talks()
    room = world.their_room(("m.room.join_rules", {"join_rule": "public"}))
    said = await world.anne.call("POST", f"/join/{room.room_id}?server_name={EVIL}", {})
    assert (said.status, said.code) == (403, "not_invited")
    said = await root.call("POST", f"/join/{room.room_id}?server_name={EVIL}", {})
    assert said.status != 200, "administrators are not asked about; the room itself is refused"
    await reported(world.house, "join", world.anne, None, "not_invited")
