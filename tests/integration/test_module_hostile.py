"""A hostile server at the other end of the wire: it speaks the federation protocol itself, signed by its own key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from colloque.attestation import Listed, Servers
from colloque.rooms.mark import ROOM_MARK
from tests.servers.hostile import EVIL, V12, JsonDict, hostile_house
from tests.servers.hostile_world import World, joins, our_room
from tests.servers.house import Account, attestation, joined
from tests.waiting import until


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    async with hostile_house() as (house, evil):
        yield World(house, evil, await house.account("anne"), await house.bot("annuaire"))


# Who is listed at all


async def test_only_listed_servers_are_heard_and_from_one_moment_to_the_next(world: World) -> None:
    world.publish(listed=False)
    said = await world.evil.make_join("!x:victim.test", world.ok)
    assert (said.status, said.body["errcode"]) == (403, "M_FORBIDDEN")
    assert "Federation denied" in said.body["error"]
    world.admit()
    await world.talks()
    world.publish(listed=False)
    await world.talks(wanted=False)
    # The other way as well.
    said = await world.anne.call("GET", f"/profile/{world.ok}")
    assert said.status == 403
    world.admit()
    await world.talks()


async def test_a_list_whose_time_is_over_lists_nobody(world: World) -> None:
    world.admit()
    await world.talks()
    over = Servers(2, datetime.now(UTC) + timedelta(seconds=1), (Listed(EVIL, (world.their_bot,)),))
    world.house.publish(attestation(world.anne.user, 1), servers=over)
    await world.talks(wanted=False)


# Invitations to ours


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (("m.room.join_rules", {"join_rule": "public"}), "room_public"),
        (("m.room.join_rules", {"join_rule": "knock"}), "room_public"),
        (("m.room.join_rules", {}), "room_public"),
        (("m.room.encryption", {}), "room_public"),
        (("m.room.history_visibility", {"history_visibility": "world_readable"}), "room_public"),
        ((ROOM_MARK, {}), "room_local"),
        ((ROOM_MARK, {"kind": "home", "key": "k"}), "room_local"),
        ((ROOM_MARK, {"kind": "admin", "key": "k"}), "room_local"),
    ],
)
async def test_no_invitation_into_an_unfit_room(world: World, state: tuple[str, JsonDict], code: str) -> None:
    world.admit()
    await world.talks()
    said = await world.invited(world.their_room(state), world.anne)
    assert (said.status, said.code) == (403, code)


async def test_a_mark_counts_only_from_a_bot_of_the_list(world: World) -> None:
    world.admit("ok")
    await world.talks()
    room = world.their_room((ROOM_MARK, {}))
    room.add("m.room.power_levels", world.their_bot, {"users": {world.their_bot: 100, world.ok: 100}}, "")
    room.add("m.room.member", world.their_bot, {"membership": "invite"}, world.ok)
    room.add("m.room.member", world.ok, {"membership": "join"}, world.ok)
    room.add(ROOM_MARK, world.ok, {"kind": "direct", "key": "k", "owner": world.ok}, "")
    assert (await world.invited(room, world.anne)).code == "room_local"


async def test_nobody_unknown_invites(world: World) -> None:
    world.admit()
    await world.talks()
    room = world.their_room()
    said = await world.invited(room, world.anne, sender=world.no)
    assert (said.status, said.code) == (403, "remote_unknown")
    wanted = {"actor": world.no, "other": world.anne.user, "act": "invite", "reason": "remote_unknown"}

    async def told() -> bool:
        return wanted in world.house.acts

    await until(told, "the annuaire hears of it, to ask their server", within=5)


async def test_nobody_unverified_is_invited_and_blocks_hold(world: World) -> None:
    nobody = await world.house.account()
    world.admit()
    await world.talks()
    assert (await world.invited(world.their_room(), nobody)).code == "other_unverified"
    world.admit(blocks={world.anne.user: frozenset({world.ok})})
    assert (await world.invited(world.their_room(), world.anne)).code == "not_available", "asked for through their bot"


async def test_a_fit_invitation_is_taken(world: World) -> None:
    world.admit()
    await world.talks()
    room = await world.entered()
    assert await world.state(room, ROOM_MARK) == {"kind": "direct", "key": "k", "owner": world.ok}


# Into our rooms


async def test_templates_are_for_admitted_people(world: World) -> None:
    world.admit("ok", "no")
    await world.talks()
    room = await our_room(world, world.ok, world.no)
    world.admit("ok")
    assert (await world.evil.make_join(room, world.no)).code == "remote_unknown"
    assert (await world.evil.make_join(room, world.no, "knock")).status == 403
    assert (await world.evil.make_join(room, world.ok, "knock")).status == 403
    assert (await world.evil.make_join(room, world.ok)).status == 200
    assert (await world.evil.make_join(room, world.no, "leave")).status == 200, "who may not enter may always leave"


async def test_a_forged_join_without_a_template(world: World) -> None:
    world.admit("ok", "no")
    await world.talks()
    room = await our_room(world, world.ok, world.no)
    template = (await world.evil.make_join(room, world.no)).body["event"]
    world.admit("ok")
    said = await world.evil.send_join(room, world.evil.sign(template, V12), V12)
    assert (said.status, said.code) == (403, "remote_unknown")
    assert "state" not in said.body, "nothing of the room is told"
    assert (await joins(world, room, world.ok)).status == 200
    assert await world.bot.membership(room, Account(world.house, world.ok, "")) == "join"
    assert await world.bot.membership(room, Account(world.house, world.no, "")) == "invite"


async def test_who_was_revoked_does_not_join_with_what_they_prepared(world: World) -> None:
    world.admit("ok", "no")
    await world.talks()
    room = await our_room(world, world.ok, world.no)
    template = (await world.evil.make_join(room, world.no)).body["event"]
    over = attestation(world.no, 11, name="Dr no", days=-0.5)
    world.publish(attestation(world.ok, 10, name="Dr ok"), over)
    said = await world.evil.send_join(room, world.evil.sign(template, V12), V12)
    assert (said.status, said.code) == (403, "remote_unknown")


async def test_nobody_joins_under_another_name(world: World) -> None:
    world.admit()
    await world.talks()
    room = await our_room(world, world.ok)
    template = (await world.evil.make_join(room, world.ok)).body["event"]
    template["content"]["displayname"] = "Pr Quelqu'un D'AUTRE"
    assert (await world.evil.send_join(room, world.evil.sign(template, V12), V12)).code == "name"
    template["content"]["displayname"] = "Dr ok (cardiologue)"
    assert (await world.evil.send_join(room, world.evil.sign(template, V12), V12)).status == 200


async def test_who_is_admitted_lives_with_ours(world: World) -> None:
    world.admit()
    await world.talks()
    room = await our_room(world, world.ok)
    await joins(world, room, world.ok)
    await joined(room, world.bot, Account(world.house, world.ok, ""))
