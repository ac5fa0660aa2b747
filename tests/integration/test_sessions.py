"""A new session and a replaced identity are told on a real Synapse; sessions are closed; kills tell nobody twice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import SystemClock
from colloque.commands import Call, parse
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.crosssign import Identity, master_key
from colloque.matrix.home import Incoming
from colloque.matrix.nio_home import NioHome
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import open_database
from colloque_annuaire.life.sessions import Sessions
from colloque_annuaire.store.sessions import KnownSessions
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.nio import Bot, Ear, Person, Place, Server, person, serve, spec
from tests.waiting import until


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


class Homes:
    """Everybody's home room is the one that the test has made."""

    def __init__(self, room: RoomId, user: UserId) -> None:
        self.room, self.user = room, user

    def is_person(self, user: UserId) -> bool:
        return user == self.user

    async def ensure(self, user: UserId) -> RoomId:
        return self.room


@dataclass
class Desk:
    """The part of the annuaire service that is tested, for one process's life."""

    sessions: Sessions
    home: NioHome
    incidents: Incidents
    journal: Path

    async def type_(self, alice: Person, home: NioHome, typed: str) -> str:
        answers: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            answers.append(body)
            return EventId("$reply")

        call = parse(typed)
        assert isinstance(call, Call)
        now = SystemClock().now()
        content: JsonDict = {"body": typed, "msgtype": "m.text"}
        message = Incoming(
            RoomId("!r"), EventId(f"${typed}"), alice.user, now, "m.room.message", content, True, True, home.device_id
        )
        await self.sessions.command(call, message, reply)
        return answers[0]


async def nobody(user: UserId, since: Any) -> bool:
    return False


@asynccontextmanager
async def desk(
    bot: Bot, room: list[RoomId], alice: Person, admin: SynapseAdmin, proved: Any = nobody
) -> AsyncIterator[Desk]:
    """Leaving the block is like a kill."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        home = await bot.open()
        stack.callback(home.close)
        if not room:
            room.append(await home.create_room(spec(secrets.token_hex(4), alice.user)))
        db = await open_database(f"sqlite:{bot.folder}/a.db", annuaire_upgrades(), "colloque_annuaire")
        stack.push_async_callback(db.stop)
        journal = Journal.open(bot.folder / "journal.jsonl", clock)
        stack.callback(journal.close)
        incidents = Incidents(db, clock)
        sessions = Sessions(
            known=KnownSessions(db),
            server=admin,
            masters=partial(master_key, home.api),
            home=home,
            homes=Homes(room[0], alice.user),  # type: ignore[arg-type]
            incidents=incidents,
            journal=journal,
            clock=clock,
            proved=proved,
        )
        await sessions.settle()
        home.on_devices_changed = sessions.changed
        task = asyncio.create_task(home.run(Ear(), asyncio.Event(), position=bot.place))
        yield Desk(sessions, home, incidents, bot.folder / "journal.jsonl")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def phone(home: NioHome) -> AsyncIterator[Ear]:
    ear, stop = Ear(), asyncio.Event()
    task = asyncio.create_task(home.run(ear, stop, position=Place()))
    yield ear
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def admin_of(server: Server) -> SynapseAdmin:
    token = server.synapse.register(f"admin{secrets.token_hex(3)}", secrets.token_urlsafe(), admin=True)
    return SynapseAdmin(server.session, server.synapse.url, token)


async def told(desk: Desk, ear: Ear, words: str, times: int = 1) -> None:
    async def heard() -> bool:
        await desk.sessions.run_once()
        return sum(words in body for body in ear.bodies()) >= times

    await until(heard, words, within=20)


async def test_the_second_session_is_told_once_also_through_a_kill(server: Server) -> None:
    bot, admin = server.bot(), admin_of(server)
    alice = person(server, bot.user)
    room: list[RoomId] = []
    async with desk(bot, room, alice, admin) as first:
        await first.sessions.changed([alice.user])
        await first.sessions.run_once()
    one = await alice.login()
    async with phone(one) as ear:
        async with desk(bot, room, alice, admin) as first:
            home = first.home
            await until(lambda: _joined(home, room[0], alice.user), "alice in her room")
            await first.sessions.changed([alice.user])
            await first.sessions.run_once()
            two = await alice.login()
            # The registration's session was the first: nobody's news. Both logins are.
            await told(first, ear, "nouvelle session", times=2)
        async with desk(bot, room, alice, admin) as again:
            await again.sessions.changed([alice.user])
            await again.sessions.run_once()
            assert sum("nouvelle session" in body for body in ear.bodies()) == 2
            shown = await again.type_(alice, one, "!sessions")
            assert "celle-ci" in shown.splitlines()[1]
            assert shown.splitlines()[2].startswith("1. ")
            assert "n'est pas dans la liste" in await again.type_(alice, one, "!sessions fermer 7")
            assert "2 sessions sont fermées" in await again.type_(alice, one, "!sessions fermer")
            assert "rien à fermer" in await again.type_(alice, one, "!sessions fermer")
        with pytest.raises(HomeRefused):
            await two.api.call("GET", path(CLIENT, "account", "whoami"))
        await one.api.call("GET", path(CLIENT, "account", "whoami"))
    one.close()
    two.close()


async def _joined(home: NioHome, room: RoomId, user: UserId) -> bool:
    return (await home.members(room)).get(user) == "join"


@pytest.mark.parametrize("proof", [False, True])
async def test_a_replaced_identity_is_told_on_every_device(server: Server, proof: bool) -> None:
    bot, admin = server.bot(), admin_of(server)
    alice = person(server, bot.user)

    async def proved(user: UserId, since: Any) -> bool:
        assert user == alice.user
        return proof

    async with desk(bot, [], alice, admin, proved) as running:
        one = await alice.login()
        async with phone(one) as ear:
            room = running.sessions._homes.room  # type: ignore[attr-defined]
            await until(lambda: _joined(running.home, room, alice.user), "alice in her room")
            await running.sessions.changed([alice.user])
            await running.sessions.run_once()
            assert ear.bodies() == []
            fresh = Identity.derive(secrets.token_bytes(32), alice.user)
            await _reset(one, alice, fresh)
            # The old device is not signed by the new identity any more, and reads it all the same.
            await told(running, ear, "identité de chiffrement de votre compte a été réinitialisée")
            opened = [i.key for i in await running.incidents.unposted()]
            assert [key.startswith("identity.unproved.") for key in opened] == ([] if proof else [True])
            assert "person.identity_replaced" in running.journal.read_text(encoding="utf-8")
            await running.sessions.changed([alice.user])
            await running.sessions.run_once()
            assert sum("réinitialisée" in body for body in ear.bodies()) == 1
        one.close()


async def _reset(home: NioHome, alice: Person, fresh: Identity) -> None:
    where = path(CLIENT, "keys", "device_signing", "upload")
    password = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": alice.user},
        "password": alice.password,
    }
    status, asked = await _post(home, where, fresh.upload_body())
    assert status == 401
    status, _ = await _post(home, where, fresh.upload_body() | {"auth": password | {"session": asked["session"]}})
    assert status == 200


async def _post(home: NioHome, where: str, body: JsonDict) -> tuple[int, JsonDict]:
    api: Any = home.api
    async with api._session.post(api._base + where, json=body, headers=api._headers) as answer:
        return answer.status, await answer.json()
