"""The three bots in one room on a real Synapse: one answers, an unsigned device is told what to tap, a kill heals."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest

from colloque import texts
from colloque.bot import Bot, Reply
from colloque.clock import SystemClock
from colloque.commands import COMMANDS, Call, Owner
from colloque.config import Config
from colloque.config_load import load
from colloque.identity import RoomId, UserId
from colloque.matrix.crosssign import Identity, ensure_identity
from colloque.matrix.home import Heard, Incoming, RoomSpec, text
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.handled import Handled
from colloque.store.schema import new_upgrades, open_database
from colloque_demo.homeserver import Appservice, Homeserver
from tests.waiting import until

SECRET = secrets.token_bytes(32)
SAMPLE = Path(__file__).parents[2] / "deploy" / "config.sample.yaml"
TXN = itertools.count()


@dataclass
class House:
    """A Synapse, a configuration that fits it, the three bots' tokens."""

    folder: Path
    synapse: Homeserver
    config: Config
    tokens: dict[Owner, str]
    session: aiohttp.ClientSession

    async def run_bot(self, stack: AsyncExitStack, owner: Owner) -> NioHome:
        """One bot's process: its account, its database, its loop. Unwinding the stack is a kill."""
        folder = self.folder / owner
        folder.mkdir(exist_ok=True)
        home = await NioHome.open(
            session=self.session,
            base_url=self.synapse.url,
            user=self.config.bot(owner.value),
            token=self.tokens[owner],
            state_dir=folder / "state",
            mark_dir=self.folder / "marks",
            identity_secret=SECRET,
            pickle_key="pickle",
            bots=frozenset(self.config.bots),
        )
        stack.callback(home.close)
        database = await open_database(f"sqlite:{folder}/db.sqlite", new_upgrades(), f"colloque_{owner}")
        stack.push_async_callback(database.stop)
        handled = Handled(database, SystemClock())

        async def handle(call: Call, _message: Incoming, reply: Reply) -> None:
            await reply(f"{owner} {call.command.name}")

        bot = Bot(
            me=owner,
            home=home,
            config=self.config,
            is_attested=lambda _user: False,
            administers=lambda _user: False,
            handlers={c.name: handle for c in COMMANDS if c.owner is owner or c.everyone},
            handled=handled,
        )
        task = asyncio.create_task(home.run(bot.hear, asyncio.Event(), position=handled))

        async def kill() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(kill)

        async def ready() -> bool:
            return not home.problem

        await until(ready, f"{owner}'s first sync")
        return home


@pytest.fixture
async def house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="clq-bots-", dir="/tmp") as name:
        folder = Path(name)
        config = load(SAMPLE)
        synapse = Homeserver(folder / "hs", f"t{secrets.token_hex(4)}.example")
        config = replace(config, homeserver=replace(config.homeserver, server_name=synapse.server_name))
        services = {o: Appservice(o, getattr(config, o).localpart, secrets.token_hex(), o) for o in Owner}
        synapse.configure(appservices=tuple(services.values()))
        synapse.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield House(folder, synapse, config, {o: s.as_token for o, s in services.items()}, session)
        finally:
            synapse.stop()


@dataclass
class Clinician:
    """One device of one person."""

    home: NioHome
    identity: Identity
    heard: list[Incoming] = field(default_factory=list)

    @classmethod
    async def login(cls, house: House, stack: AsyncExitStack, name: str, password: str, *, signed: bool) -> Clinician:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password}
        answer = house.synapse.call("POST", "/_matrix/client/v3/login", body)
        identity = Identity.derive(SECRET, UserId(answer["user_id"]))
        home = await NioHome.open_person(
            session=house.session,
            base_url=house.synapse.url,
            user=identity.user,
            token=answer["access_token"],
            device_id=answer["device_id"],
            state_dir=house.folder / answer["device_id"],
            identity=identity if signed else None,
            pickle_key="pickle",
            bots=frozenset(house.config.bots),
        )
        stack.callback(home.close)
        person = cls(home, identity)
        task = asyncio.create_task(home.run(person.hear, asyncio.Event(), position=Beginning()))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)
        return person

    async def hear(self, heard: Heard) -> None:
        if isinstance(heard, Incoming):
            self.heard.append(heard)

    async def say(self, room: RoomId, words: str) -> str:
        return await self.home.send(room, text(words), txn=f"t{next(TXN)}")

    async def answers(self, event: str, count: int = 1) -> list[tuple[UserId, str]]:
        async def found() -> list[tuple[UserId, str]]:
            said = [(m.sender, m.body) for m in self.heard if m.reply_to == event]
            return said if len(said) >= count else []

        return await until(found, "an answer")


class Beginning:
    """A reading that is not kept."""

    async def position(self) -> str | None:
        return None

    async def save_position(self, token: str) -> None:
        pass


async def test_three_bots_one_answer(house: House) -> None:
    async with AsyncExitStack() as stack:
        homes = {owner: await house.run_bot(stack, owner) for owner in (Owner.ANNUAIRE, Owner.MSSANTE)}
        kill_salles = await stack.enter_async_context(AsyncExitStack())
        homes[Owner.SALLES] = await house.run_bot(kill_salles, Owner.SALLES)
        password = secrets.token_urlsafe()
        house.synapse.register("camille", password)
        phone = await Clinician.login(house, stack, "camille", password, signed=True)
        laptop = await Clinician.login(house, stack, "camille", password, signed=False)
        annuaire = homes[Owner.ANNUAIRE]
        invite = (phone.home.user, *(bot for bot in house.config.bots if bot != annuaire.user))
        mark = RoomMark(RoomKind.HOME, "home", phone.home.user)
        room = await annuaire.create_room(RoomSpec("Colloque", mark, invite))

        async def everybody() -> bool:
            return list((await annuaire.members(room)).values()) == ["join"] * 4

        await until(everybody, "everybody in the room")
        aide = await phone.say(room, "! Aide")
        assert await phone.answers(aide) == [(house.config.bot("annuaire"), "annuaire aide")]
        boite = await phone.say(room, "!boite etat")
        assert await phone.answers(boite) == [(house.config.bot("mssante"), texts.NOT_ATTESTED)]
        plain = await phone.say(room, "bonjour")
        assert await phone.answers(plain) == [(house.config.bot("annuaire"), texts.ONLY_COMMANDS)]

        await laptop.say(room, "!aide")
        await laptop.say(room, "!aide")

        async def told() -> list[Incoming]:
            return [m for m in laptop.heard if m.body == texts.UNSIGNED_DEVICE]

        [hint] = await until(told, "what to tap")
        assert hint.sender == house.config.bot("annuaire")
        await ensure_identity(
            laptop.home.api, laptop.identity, laptop.home.device_id, fingerprint=laptop.home.fingerprint
        )
        again = await laptop.say(room, "!aide")
        assert await laptop.answers(again) == [(house.config.bot("annuaire"), "annuaire aide")]
        assert len(await told()) == 1

        # @salles dies; what it missed is answered when it comes back, once.
        await kill_salles.aclose()
        missed = await phone.say(room, "!patients")
        other = await phone.say(room, "!aide")
        await phone.answers(other)
        await house.run_bot(stack, Owner.SALLES)
        assert await phone.answers(missed) == [(house.config.bot("salles"), texts.NOT_ATTESTED)]
        last = await phone.say(room, "!patients")
        await phone.answers(last)
        for event, count in ((aide, 1), (boite, 1), (plain, 1), (missed, 1), (other, 1), (last, 1)):
            assert len(await phone.answers(event)) == count
        assert {m.sender for m in phone.heard} == set(house.config.bots)
        assert all(m.encrypted for m in phone.heard)
        assert all(m.device_signed for m in phone.heard)
