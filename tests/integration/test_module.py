"""The policy module in a real Synapse, attacked through plain HTTP: who may create, invite and join."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from colloque.rooms.mark import RoomKind
from tests.servers.house import House, joined, reported, running_house
from tests.waiting import until


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house() as made:
        yield made


# Who may do what


async def test_unverified_can_not_create_a_room_and_is_told_why(house: House) -> None:
    house.attest()
    nobody = await house.account()
    said = await nobody.create()
    assert (said.status, said.body["errcode"], said.code) == (403, "M_FORBIDDEN", "actor_unverified")
    await reported(house, "create_room", nobody, None, "actor_unverified")


async def test_unverified_can_not_invite_nor_be_invited(house: House) -> None:
    nobody, verified = await house.account(), await house.account()
    house.attest(verified, nobody)
    own = (await nobody.create()).body["room_id"]
    theirs = (await verified.create()).body["room_id"]
    house.attest(verified)
    assert (await nobody.invite(own, verified)).code == "actor_unverified"
    await reported(house, "invite", nobody, verified, "actor_unverified")
    assert (await verified.invite(theirs, nobody)).code == "other_unverified"
    await reported(house, "invite", verified, nobody, "other_unverified")
    assert await verified.membership(theirs, nobody) == "none"


async def test_unverified_invitee_of_a_new_room_stops_the_room(house: House) -> None:
    nobody, verified, friend = await house.account(), await house.account(), await house.account()
    house.attest(verified, friend)
    said = await verified.create(invite=[friend.user, nobody.user])
    assert (said.status, said.code) == (403, "other_unverified")
    await reported(house, "create_room", verified, nobody, "other_unverified")
    rooms = await verified.call("GET", "/joined_rooms")
    assert rooms.body["joined_rooms"] == []


async def test_unverified_can_not_be_slipped_in_through_initial_state(house: House) -> None:
    nobody, verified = await house.account(), await house.account()
    house.attest(verified)
    member = {"type": "m.room.member", "state_key": nobody.user, "content": {"membership": "invite"}}
    said = await verified.create(initial_state=[member])
    assert (said.status, said.code) == (403, "other_unverified")


async def test_verified_people_create_invite_and_join(house: House) -> None:
    one, two = await house.account(), await house.account()
    house.attest(one, two)
    room = (await one.create()).body["room_id"]
    assert (await one.invite(room, two)).status == 200
    assert await one.membership(room, two) == "invite", "only our bots' invitations are accepted for people"
    assert (await two.join(room)).status == 200


async def test_a_room_is_encrypted_whatever_was_asked(house: House) -> None:
    one = await house.account()
    house.attest(one)
    room = (await one.create()).body["room_id"]
    said = await one.call("GET", f"/rooms/{room}/state/m.room.encryption")
    assert said.body == {"algorithm": "m.megolm.v1.aes-sha2"}
    none = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "none"}}
    assert (await one.create(initial_state=[none])).code == "room_public"
    beside = none | {"state_key": "x"}
    room = (await one.create(initial_state=[beside])).body["room_id"]
    said = await one.call("GET", f"/rooms/{room}/state/m.room.encryption")
    assert said.body == {"algorithm": "m.megolm.v1.aes-sha2"}


@pytest.mark.parametrize(
    "body",
    [
        {"visibility": "public"},
        {"preset": "public_chat"},
        {"initial_state": [{"type": "m.room.join_rules", "content": {"join_rule": "public"}}]},
        {"initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}]},
        {"initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}]},
    ],
)
async def test_no_room_is_open(house: House, body: dict[str, object]) -> None:
    one = await house.account()
    house.attest(one)
    assert (await one.create(**body)).code == "room_public"


async def test_no_invitation_by_mail_address(house: House) -> None:
    one = await house.account()
    house.attest(one)
    party = {"medium": "email", "address": "a@b.example", "id_server": "id.invalid", "id_access_token": "x"}
    assert (await one.create(invite_3pid=[party])).code == "third_party"
    await reported(house, "create_room", one, None, "third_party")
    room = (await one.create()).body["room_id"]
    said = await one.call("POST", f"/rooms/{room}/invite", party)
    assert (said.status, said.body["errcode"]) == (403, "M_FORBIDDEN"), "refused before any identity server is asked"


async def test_nobody_from_elsewhere(house: House) -> None:
    one = await house.account()
    house.attest(one)
    room = (await one.create()).body["room_id"]
    said = await one.call("POST", f"/rooms/{room}/invite", {"user_id": "@x:elsewhere.example"})
    assert (said.status, said.code) == (403, "remote")


async def test_unverified_can_not_join_even_when_invited_before(house: House) -> None:
    once, one = await house.account(), await house.account()
    house.attest(one, once)
    room = (await one.create(invite=[once.user])).body["room_id"]
    house.attest(one)
    assert (await once.join(room)).code == "actor_unverified"
    await reported(house, "join", once, None, "actor_unverified")


async def test_an_expired_attestation_counts_for_nothing(house: House) -> None:
    one = await house.account()
    house.attest(one, days=-0.5)
    assert (await one.create()).code == "actor_unverified"


async def test_a_server_administrator_creates_no_room(house: House) -> None:
    root = await house.account(admin=True)
    house.attest()
    assert (await root.create()).code == "actor_unverified"


async def test_staff_has_the_admin_room_and_nothing_else(house: House) -> None:
    staff, verified, bot = await house.account(house.staff), await house.account(), await house.bot("annuaire")
    house.attest(verified)
    assert (await staff.create()).code == "actor_staff"
    theirs = (await verified.create()).body["room_id"]
    assert (await verified.invite(theirs, staff)).code == "other_staff"
    assert (await bot.ask_room(RoomKind.PATIENT, owner=staff.user)).code == "actor_staff"
    patient = await bot.marked_room(RoomKind.PATIENT, owner=verified.user)
    assert (await bot.invite(patient, staff)).code == "other_staff"
    admin = await bot.marked_room(RoomKind.ADMIN, invite=(staff,))
    await joined(admin, bot, staff)


async def test_the_user_directory_shows_only_verified_people(house: House) -> None:
    name = f"dir{secrets.token_hex(3)}"
    seeker, verified = await house.account(), await house.account(f"{name}v")
    hidden = await house.account(f"{name}h")
    house.attest(seeker, verified, hidden)
    # The directory shows people one shares a room with.
    room = (await seeker.create(invite=[verified.user, hidden.user])).body["room_id"]
    assert (await verified.join(room)).status == (await hidden.join(room)).status == 200

    async def found() -> set[str]:
        said = await seeker.call("POST", "/user_directory/search", {"search_term": name})
        return {entry["user_id"] for entry in said.body["results"]}

    async def both() -> bool:
        return await found() == {verified.user, hidden.user}

    await until(both, "both in the directory", within=10)
    house.attest(seeker, verified)
    assert await found() == {verified.user}


async def test_what_can_not_be_judged_is_refused_and_leaves_no_id_in_the_log(house: House) -> None:
    one = await house.account()
    house.attest(one)
    said = await one.create(initial_state=[{"type": "a"}])
    assert (said.status, said.code) == (403, "internal")
    await reported(house, "create_room", one, None, "internal")
    log = (house.folder / "hs" / "synapse.log").read_text()
    (line,) = [line for line in log.splitlines() if "colloque.decision_failed" in line]
    assert "act=create_room error=KeyError" in line
    assert one.user not in line
