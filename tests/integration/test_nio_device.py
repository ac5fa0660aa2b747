"""A bot's device and identity over accidents, on a real Synapse."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest

from colloque.errors import Inconsistent, Tampered
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.crosssign import Identity, device_signed_by_owner, ensure_identity
from colloque.matrix.home import text
from colloque.matrix.nio_home import NioHome
from tests.servers.nio import SECRET, Bot, Server, listening, person, serve, spec


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


async def _talk(bot: Bot, home: NioHome, phone: NioHome, room: RoomId, word: str) -> None:
    async with listening(home, bot.place) as heard, listening(phone) as seen:
        await home.send(room, text(f"bot {word}"), txn=f"bot-{word}")
        await seen.body(f"bot {word}")
        await phone.send(room, text(f"alice {word}"), txn=f"alice-{word}")
        got = await heard.body(f"alice {word}")
        assert got.device_signed


@pytest.mark.parametrize("accident", ["lost", "restored", "mark lost", "forgotten by the server", "damaged"])
async def test_a_store_that_may_not_be_used_brings_a_new_device_of_the_same_identity(
    server: Server, accident: str
) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    room = await home.create_room(spec(accident, alice.user))
    await phone.join(room)
    home.close()
    backup = bot.folder / "backup"
    shutil.copytree(bot.state, backup)
    home = await bot.open()
    await _talk(bot, home, phone, room, "avant")
    master = (await bot.keys())["master_keys"]
    if accident == "lost":
        shutil.rmtree(bot.state)
    elif accident == "restored":
        shutil.rmtree(bot.state)
        shutil.copytree(backup, bot.state)
    elif accident == "mark lost":
        shutil.rmtree(bot.marks)
    elif accident == "damaged":
        (bot.state / "crypto.sqlite").write_bytes(os.urandom(4096))
    else:
        await bot.api.call("DELETE", path(CLIENT, "devices", home.device_id), {})
    after = await bot.open()
    assert after.device_id != home.device_id
    assert await bot.devices() == {after.device_id}
    keys = await bot.keys()
    assert keys["master_keys"] == master
    assert device_signed_by_owner(keys, bot.user, after.device_id)
    phone = await alice.reopen(phone.device_id)
    await _talk(bot, after, phone, room, "après")


async def test_the_wrong_pickle_secret_is_refused_and_nothing_is_lost(server: Server) -> None:
    bot = server.bot()
    home = await bot.open()
    home.close()
    with pytest.raises(Inconsistent, match="pickle"):
        await NioHome.open(
            session=server.session,
            base_url=server.synapse.url,
            user=bot.user,
            token=bot.token,
            state_dir=bot.state,
            mark_dir=bot.marks,
            identity_secret=SECRET,
            pickle_key="another",
            bots=frozenset(),
        )
    again = await bot.open()
    assert again.device_id == home.device_id
    again.close()


async def test_another_identity_is_never_replaced(server: Server) -> None:
    bot = server.bot()
    home = await bot.open()
    before = await bot.keys()
    other = Identity.derive(os.urandom(32), bot.user)
    with pytest.raises(Inconsistent, match="another"):
        await ensure_identity(home.api, other, home.device_id, fingerprint="x")
    with pytest.raises(Tampered):
        await ensure_identity(home.api, Identity.derive(SECRET, bot.user), home.device_id, fingerprint="x")
    home.close()
    assert await bot.keys() == before


async def test_files_are_private_and_hold_no_readable_key(server: Server) -> None:
    bot = server.bot()
    home = await bot.open()
    store = bot.state / "crypto.sqlite"
    assert (bot.state.stat().st_mode & 0o777, store.stat().st_mode & 0o777) == (0o700, 0o600)
    [mark] = bot.marks.iterdir()
    assert (bot.marks.stat().st_mode & 0o777, mark.stat().st_mode & 0o777) == (0o700, 0o600)
    home.close()
