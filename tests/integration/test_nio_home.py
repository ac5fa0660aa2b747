"""A bot (appservice) and clinicians (password) on a real Synapse: talking, files, rooms."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator

import pytest

from colloque.errors import HomeRefused, Tampered
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, reaction, room_request, text
from colloque.rooms.mark import RoomKind, RoomMark
from tests.conftest import JsFactory
from tests.servers.nio import NAMES, Server, listening, person, serve, spec
from tests.waiting import until


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


async def test_both_ways_encrypted_files_and_reactions(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard, listening(phone) as seen:
        room = await home.create_room(spec("both", alice.user))
        first = await home.send(room, text("avant l'entrée"), txn="1")
        await heard.member(alice.user, "join")
        await seen.body("avant l'entrée")
        await phone.send(room, text("bonjour", reply_to=first), txn="a")
        got = await heard.body("bonjour")
        assert (got.encrypted, got.device_signed, got.device) == (True, True, phone.device_id)
        assert (got.sender, got.room, got.reply_to) == (alice.user, room, first)
        answer = await home.send(room, text("réponse"), txn="2")
        again = await home.send(room, text("réponse"), txn="2")
        assert answer == again
        back = await seen.body("réponse")
        assert back.encrypted
        assert back.device_signed
        file = await home.upload_encrypted(b"\x00radio" * 1000, "radio.bin", "application/octet-stream")
        await home.send(room, file, txn="3")
        shared = await seen.body("radio.bin")
        assert await phone.download(shared.content) == b"\x00radio" * 1000
        place = await home.reserve_file()
        for _ in range(2):  # the second time as if the first answer had been lost
            reserved = await home.upload_encrypted(b"radio", "radio.bin", "application/octet-stream", to=place)
            assert reserved["file"]["url"] == place
        spoiled = {**shared.content, "file": {**shared.content["file"], "hashes": {"sha256": "AAAA"}}}
        with pytest.raises(Tampered):
            await phone.download(spoiled)
        await home.send(room, reaction(got.event, "✅"), txn="4", type_="m.reaction")

        async def reacted() -> Incoming | None:
            return next((m for m in seen.messages() if m.type == "m.reaction"), None)

        mark = await until(reacted, "the reaction")
        assert mark.content["m.relates_to"]["event_id"] == got.event
        assert not mark.encrypted
        assert [m.body for m in seen.messages()].count("réponse") == 1
        assert await home.mark_of(room) == RoomMark(RoomKind.HOME, "both")
        assert await home.state(room, "m.room.encryption") == {"algorithm": "m.megolm.v1.aes-sha2"}
        assert await home.state(room, "fr.colloque.nothing") is None
        assert await home.members(room) == {bot.user: "join", alice.user: "join"}
        await home.invite(room, alice.user)
        with pytest.raises(HomeRefused):
            await phone.set_state(room, "m.room.topic", {"topic": "x"})


async def test_an_independent_client_that_reads_signed_devices_only_shows_no_shield(
    server: Server, js: JsFactory
) -> None:
    bot = server.bot()
    name, password = f"element{next(NAMES)}", secrets.token_urlsafe()
    server.synapse.register(name, password)
    element = await js(server.synapse.url, name, password)
    home = await bot.open()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("js", UserId(element.user)))
        await home.send(room, text("avant l'entrée"), txn="1")
        assert await element.invitation() == room
        await element.call("join", room=room)
        early = await element.message(room, bot.user, "avant l'entrée")
        assert (early["encrypted"], early["shield"]) == (True, "NONE")
        await element.call("send", room=room, text="bonjour")
        got = await heard.body("bonjour")
        assert (got.encrypted, got.device_signed, got.device) == (True, True, element.device)
    shutil.rmtree(bot.state)
    after = await bot.open()
    async with listening(after, bot.place) as heard:
        await after.send(room, text("nouvel appareil"), txn="2")
        late = await element.message(room, bot.user, "nouvel appareil")
        assert (late["encrypted"], late["shield"]) == (True, "NONE")
        await element.call("send", room=room, text="toujours là")
        assert (await heard.body("toujours là")).device_signed


async def test_createroom_is_repaired_after_a_crash(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    # The crash: the server made the room, nobody noted its id, the invitation had not gone out.
    made = await home.api.call("POST", path(CLIENT, "createRoom"), room_request(spec("crash")))
    foreign = await phone.api.call("POST", path(CLIENT, "createRoom"), room_request(spec("theirs", bot.user)))
    await home.join(foreign["room_id"])
    home.close()
    home = await bot.open()
    assert await home.own_room("crash") == made["room_id"]
    assert await home.own_room("theirs") is None
    room = await home.create_room(spec("crash", alice.user))
    assert room == made["room_id"]
    assert (await home.members(room))[alice.user] == "invite"
    assert await home.create_room(spec("crash", alice.user)) == room
    other = await home.create_room(spec("theirs"))
    assert other != foreign["room_id"], "a mark counts only when we set it"
    assert await home.mark_of(foreign["room_id"]) is None
    home.close()
    phone.close()


async def test_an_unknown_persons_invitation_is_not_accepted(server: Server) -> None:
    bot = server.bot()
    mallory = person(server)
    home, phone = await bot.open(), await mallory.login()
    async with listening(home, bot.place) as heard:
        answer = await phone.api.call("POST", path(CLIENT, "createRoom"), {"invite": [bot.user]})
        change = await heard.member(bot.user, "invite")
        assert change.sender == mallory.user
        assert (await phone.members(RoomId(answer["room_id"])))[bot.user] == "invite"
    phone.close()
