"""Who gets the keys, on a real Synapse."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from colloque.matrix.api import CLIENT, path
from colloque.matrix.crosssign import ensure_identity
from colloque.matrix.home import text
from tests.servers.nio import Server, listening, person, serve, spec
from tests.waiting import until


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


async def test_unsigned_devices_get_no_key_until_they_are_signed(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone, laptop = await bot.open(), await alice.login(), await alice.login(signed=False)
    async with (
        listening(home, bot.place) as heard,
        listening(phone) as seen,
        listening(laptop) as laptop_seen,
    ):
        room = await home.create_room(spec("unsigned", alice.user))
        await heard.member(alice.user, "join")
        secret = await home.send(room, text("secret"), txn="1")
        await seen.body("secret")
        hint = await home.send_to_all_devices(room, text("signez cet appareil"), txn="2")
        await seen.body("signez cet appareil")
        assert (await laptop_seen.body("signez cet appareil")).event == hint
        await home.send(room, text("encore secret"), txn="3")
        await seen.body("encore secret")
        await laptop.send(room, text("depuis un appareil non signé"), txn="a")
        got = await heard.body("depuis un appareil non signé")
        assert (got.encrypted, got.device_signed, got.device) == (True, False, laptop.device_id)
        assert (await laptop_seen.unreadable(secret)).sender == bot.user
        assert "secret" not in laptop_seen.bodies()
        await ensure_identity(laptop.api, alice.identity, laptop.device_id, fingerprint=laptop.fingerprint)
        assert await home.reaches(alice.user)
        await laptop.send(room, text("maintenant signé"), txn="b")
        assert (await heard.body("maintenant signé")).device_signed
        await home.send(room, text("pour tous"), txn="4")
        await laptop_seen.body("pour tous")
        await seen.body("pour tous")


async def test_who_has_no_signed_device_is_not_reached_until_there_is_one(server: Server) -> None:
    bot = server.bot()
    alice, nobody = person(server, bot.user), person(server, bot.user)
    home, laptop = await bot.open(), await alice.login(signed=False)
    async with listening(home, bot.place) as heard:
        await laptop.join(await home.create_room(spec("reached", alice.user)))
        await heard.member(alice.user, "join")
        assert not await home.reaches(alice.user)
        assert not await home.reaches(nobody.user), "never logged in"
        await ensure_identity(laptop.api, alice.identity, laptop.device_id, fingerprint=laptop.fingerprint)

        async def reached() -> bool:
            return await home.reaches(alice.user)

        await until(reached, "a signed device")


async def test_a_member_who_left_gets_nothing_more(server: Server) -> None:
    bot = server.bot()
    alice, basile = person(server, bot.user), person(server, bot.user)
    home, phone, other = await bot.open(), await alice.login(), await basile.login()
    async with listening(home, bot.place) as heard, listening(phone) as seen, listening(other) as other_seen:
        room = await home.create_room(spec("left", alice.user, basile.user))
        await heard.member(alice.user, "join")
        await heard.member(basile.user, "join")
        await home.send(room, text("à deux"), txn="1")
        await other_seen.body("à deux")
        await other.api.call("POST", path(CLIENT, "rooms", room, "leave"), {})
        await heard.member(basile.user, "leave")
        sent = await home.send(room, text("entre nous"), txn="2")
        await seen.body("entre nous")
        sealed = await phone.api.call("GET", path(CLIENT, "rooms", room, "event", sent))
        with closing(sqlite3.connect(server.folder / other.device_id / "crypto.sqlite")) as store:
            known = {row[0] for row in store.execute("SELECT session_id FROM megolminboundsessions")}
        assert known
        assert sealed["content"]["session_id"] not in known


async def test_a_bot_whose_one_time_keys_ran_out_can_still_be_written_to(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("exhausted", alice.user))
        await phone.join(room)
        await heard.member(alice.user, "join")
    claim = {"one_time_keys": {bot.user: {home.device_id: "signed_curve25519"}}}

    async def fallback() -> bool:
        answer = await phone.api.call("POST", path(CLIENT, "keys", "claim"), claim)
        [key] = answer["one_time_keys"][bot.user][home.device_id].values()
        return bool(key.get("fallback"))

    await until(fallback, "the last one-time key")
    await phone.send(room, text("par la clé de secours"), txn="a")
    phone.close()
    home = await bot.open()
    async with listening(home, bot.place) as heard:
        assert (await heard.body("par la clé de secours")).device_signed

        async def replaced() -> bool:
            return not await fallback()

        await until(replaced, "new one-time keys")


async def test_keys_of_a_room_are_forgotten(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard, listening(phone) as seen:
        room, kept = await home.create_room(spec("gone", alice.user)), await home.create_room(spec("kept", alice.user))

        async def joined() -> bool:
            return [(await home.members(r))[alice.user] for r in (room, kept)] == ["join", "join"]

        await until(joined, "both rooms joined")
        for n, where in enumerate((room, kept)):
            await home.send(where, text(f"bot{n}"), txn=f"s{n}")
            await seen.body(f"bot{n}")
            await phone.send(where, text(f"texte{n}"), txn=f"t{n}")
            await heard.body(f"texte{n}")
        await home.forget_room_keys(room)
        with closing(sqlite3.connect(bot.state / "crypto.sqlite")) as store:
            rows = store.execute("SELECT room_id, count(*) FROM megolminboundsessions GROUP BY room_id").fetchall()
        assert rows == [(kept, 2)]
