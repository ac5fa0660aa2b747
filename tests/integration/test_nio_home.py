"""A bot (appservice) and clinicians (password) on a real Synapse, each through NioHome."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from colloque.errors import HomeRefused, Inconsistent, Tampered
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity, device_signed_by_owner, ensure_identity
from colloque.matrix.home import (
    Heard,
    Incoming,
    MemberChange,
    RoomKind,
    RoomMark,
    RoomSpec,
    Unreadable,
    reaction,
    room_request,
    text,
)
from colloque.matrix.nio_home import NioHome
from colloque_demo.homeserver import Appservice, Homeserver
from tests.conftest import JsFactory
from tests.waiting import until

SECRET = secrets.token_bytes(32)
PICKLE = secrets.token_hex(16)
NAMES = itertools.count()


@dataclass
class Place:
    """Where a reading stands: the part of `Handled` that NioHome uses."""

    token: str | None = None

    async def position(self) -> str | None:
        return self.token

    async def save_position(self, token: str) -> None:
        self.token = token


@dataclass
class Server:
    synapse: Homeserver
    session: aiohttp.ClientSession
    tokens: Iterator[Appservice]
    folder: Path

    def bot(self) -> Bot:
        service = next(self.tokens)
        user = UserId(f"@{service.localpart}:{self.synapse.server_name}")
        return Bot(self, user, service.as_token, self.folder / service.localpart)

    def login(self, name: str, password: str) -> JsonDict:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password}
        answer: JsonDict = self.synapse.call("POST", "/_matrix/client/v3/login", body)
        return answer


@dataclass
class Bot:
    """What outlives one process of a bot: its folders and its place."""

    server: Server
    user: UserId
    token: str
    folder: Path
    place: Place = field(default_factory=Place)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    async def open(self) -> NioHome:
        return await NioHome.open(
            session=self.server.session,
            base_url=self.server.synapse.url,
            user=self.user,
            token=self.token,
            state_dir=self.state,
            mark_dir=self.marks,
            identity_secret=SECRET,
            pickle_key=PICKLE,
            bots=frozenset({self.user}),
        )

    @property
    def api(self) -> MatrixApi:
        return MatrixApi(self.server.session, self.server.synapse.url, self.token, user=self.user)

    async def keys(self) -> JsonDict:
        return await self.api.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {self.user: []}})

    async def devices(self) -> set[str]:
        return {d["device_id"] for d in (await self.api.call("GET", path(CLIENT, "devices")))["devices"]}


@dataclass
class Person:
    """A clinician's account; each login is a device."""

    server: Server
    name: str
    password: str
    identity: Identity
    bots: frozenset[UserId]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def user(self) -> UserId:
        return self.identity.user

    async def login(self, *, signed: bool = True) -> NioHome:
        answer = self.server.login(self.name, self.password)
        self.tokens[answer["device_id"]] = answer["access_token"]
        return await self.reopen(answer["device_id"], signed=signed)

    async def reopen(self, device_id: str, *, signed: bool = True) -> NioHome:
        return await NioHome.open_person(
            session=self.server.session,
            base_url=self.server.synapse.url,
            user=self.user,
            token=self.tokens[device_id],
            device_id=device_id,
            state_dir=self.server.folder / device_id,
            identity=self.identity if signed else None,
            pickle_key=PICKLE,
            bots=self.bots,
        )


def person(server: Server, *bots: UserId) -> Person:
    name, password = f"clinicien{next(NAMES)}", secrets.token_urlsafe()
    server.synapse.register(name, password)
    user = UserId(f"@{name}:{server.synapse.server_name}")
    return Person(server, name, password, Identity.derive(SECRET, user), frozenset(bots))


class Ear:
    """What a running home has heard."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    async def __call__(self, heard: Heard) -> None:
        self.heard.append(heard)

    def messages(self) -> list[Incoming]:
        return [h for h in self.heard if isinstance(h, Incoming)]

    def bodies(self) -> list[str]:
        return [m.body for m in self.messages()]

    async def body(self, wanted: str) -> Incoming:
        async def found() -> Incoming | None:
            return next((m for m in self.messages() if m.body == wanted), None)

        return await until(found, f"a message {wanted!r}")

    async def member(self, user: UserId, membership: str) -> MemberChange:
        async def found() -> MemberChange | None:
            changes = [h for h in self.heard if isinstance(h, MemberChange)]
            return next((c for c in changes if (c.user, c.membership) == (user, membership)), None)

        return await until(found, f"{membership} of somebody")

    async def unreadable(self, event: EventId) -> Unreadable:
        async def found() -> Unreadable | None:
            return next((h for h in self.heard if isinstance(h, Unreadable) and h.event == event), None)

        return await until(found, "the report of an unreadable message", within=40)


@asynccontextmanager
async def listening(home: NioHome, place: Place | None = None) -> AsyncIterator[Ear]:
    """Run the home's loop; leaving the block is like a kill: nothing more is handled or saved."""
    ear, stop = Ear(), asyncio.Event()
    task = asyncio.create_task(home.run(ear, stop, position=place or Place()))
    try:

        async def ready() -> bool:
            assert not task.done() or task.result()
            return not home.problem

        await until(ready, "the first sync")
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        home.close()


def spec(key: str, *invite: UserId) -> RoomSpec:
    return RoomSpec("Colloque", RoomMark(RoomKind.HOME, key), invite)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="clq-nio-", dir="/tmp") as folder:
        services = tuple(
            Appservice(f"bot{n}", f"bot{n}", secrets.token_hex(16), secrets.token_hex(16)) for n in range(20)
        )
        synapse = Homeserver(Path(folder) / "hs", f"t{secrets.token_hex(4)}.example")
        synapse.configure(appservices=services)
        synapse.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Server(synapse, session, iter(services), Path(folder))
        finally:
            synapse.stop()


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


async def test_a_kill_loses_nothing_and_the_device_stays(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(phone) as seen:
        async with listening(home, bot.place) as heard:
            room = await home.create_room(spec("kill", alice.user))
            await heard.member(alice.user, "join")
            await home.send(room, text("un"), txn="1")
            await seen.body("un")
            await phone.send(room, text("lu"), txn="a")
            await heard.body("lu")

            async def saved() -> bool:
                return home.problem == "" and bot.place.token is not None

            await until(saved, "a saved position")
        before = bot.place.token
        await phone.send(room, text("pendant l'arrêt"), txn="b")
        # First life: everything of the batch is heard, but it dies before it saves its place.
        killed = Place(before)
        first = await bot.open()
        assert first.device_id == home.device_id
        async with listening(first, killed) as heard:
            one = await heard.body("pendant l'arrêt")
        bot.place.token = before
        second = await bot.open()
        async with listening(second, bot.place) as heard:
            two = await heard.body("pendant l'arrêt")
            assert one.event == two.event
            assert heard.bodies().count("pendant l'arrêt") == 1
            await second.send(room, text("deux"), txn="2")
            await seen.body("deux")
    assert await bot.devices() == {home.device_id}


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
        await laptop.send(room, text("maintenant signé"), txn="b")
        assert (await heard.body("maintenant signé")).device_signed
        await home.send(room, text("pour tous"), txn="4")
        await laptop_seen.body("pour tous")
        await seen.body("pour tous")


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


async def _write_without_key(phone: NioHome, room: RoomId, words: str, reader: UserId) -> tuple[EventId, JsonDict]:
    """A message whose key is held back, and that key for `reader`'s device, ready to be sent."""
    machine = phone._keys._machine
    session = machine.new_room_session(room)
    [device] = machine.device_store.active_user_devices(reader)
    key = machine.encrypt_room_key(room, session, device)
    sealed = machine.encrypt(room, session, "m.room.message", text(words))
    answer = await phone.api.call("PUT", path(CLIENT, "rooms", room, "send", "m.room.encrypted", words), sealed)
    return EventId(answer["event_id"]), {reader: {device.id: key}}


async def test_a_missing_key_is_reported_once(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("lost", alice.user))
        await phone.join(room)
        await phone.send(room, text("avant"), txn="x")
        await heard.body("avant")
        event, _ = await _write_without_key(phone, room, "perdu", bot.user)
        await heard.unreadable(event)
        await phone.send(room, text("ensuite"), txn="y")
        await heard.body("ensuite")
        assert len([h for h in heard.heard if isinstance(h, Unreadable)]) == 1
    again = await bot.open()
    async with listening(again, bot.place) as heard:
        await phone.send(room, text("encore"), txn="z")
        await heard.body("encore")
        assert not [h for h in heard.heard if isinstance(h, Unreadable)]
    phone.close()


async def test_a_message_waits_for_its_key_even_over_a_kill(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("late", alice.user))
        await phone.join(room)
        await phone.send(room, text("avant"), txn="x")
        await heard.body("avant")
        event, key = await _write_without_key(phone, room, "en retard", bot.user)
        await phone.send(room, text("suivant"), txn="y")
        await heard.body("suivant")
        assert [w.event for w in home._store.waiting()] == [event]
    home = await bot.open()
    async with listening(home, bot.place) as heard:
        await phone.api.call("PUT", path(CLIENT, "sendToDevice", "m.room.encrypted", "late"), {"messages": key})
        assert (await heard.body("en retard")).event == event

        async def settled() -> bool:
            return not home._store.waiting()

        await until(settled, "nothing to wait any more")
    phone.close()


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
    room = await home.create_room(spec("crash", alice.user))
    assert room == made["room_id"]
    assert (await home.members(room))[alice.user] == "invite"
    assert await home.create_room(spec("crash", alice.user)) == room
    other = await home.create_room(spec("theirs"))
    assert other != foreign["room_id"], "a mark counts only when we set it"
    assert await home.mark_of(foreign["room_id"]) is None
    home.close()
    phone.close()


async def test_what_was_missed_is_fetched_in_order(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("gap", alice.user))
        await phone.join(room)
        await heard.member(alice.user, "join")
        await phone.send(room, text("vu"), txn="first")
        await heard.body("vu")

        async def saved() -> bool:
            answer = await home.api.call("GET", path(CLIENT, "sync"), query={"since": bot.place.token or ""})
            return not answer.get("rooms", {}).get("join")

        await until(saved, "a position after the first message")
    for n in range(120):
        await phone.send(room, text(f"n{n}"), txn=f"n{n}")
    home = await bot.open()
    async with listening(home, bot.place) as heard:
        await heard.body("n119")
        assert heard.bodies() == [f"n{n}" for n in range(120)]
    phone.close()


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


async def test_files_are_private_and_hold_no_readable_key(server: Server) -> None:
    bot = server.bot()
    home = await bot.open()
    store = bot.state / "crypto.sqlite"
    assert (bot.state.stat().st_mode & 0o777, store.stat().st_mode & 0o777) == (0o700, 0o600)
    [mark] = bot.marks.iterdir()
    assert (bot.marks.stat().st_mode & 0o777, mark.stat().st_mode & 0o777) == (0o700, 0o600)
    home.close()


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


async def test_the_homeserver_may_go_away_and_come_back(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard, listening(phone) as seen:
        room = await home.create_room(spec("away", alice.user))
        await heard.member(alice.user, "join")
        await asyncio.to_thread(server.synapse.kill)

        async def noticed() -> bool:
            return home.problem == "home.unavailable"

        await until(noticed, "the outage to be noticed")
        sending = asyncio.create_task(home.send(room, text("pendant la panne"), txn="1"))
        await asyncio.to_thread(server.synapse.start)
        sent = await sending
        assert (await seen.body("pendant la panne")).event == sent
        await phone.send(room, text("de retour"), txn="a")
        await heard.body("de retour")

        async def well() -> bool:
            return not home.problem

        await until(well, "the end of the outage")
