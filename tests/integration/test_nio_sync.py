"""Nothing that was written is lost: kills, outages, late keys, long absences, on a real Synapse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from colloque.clock import monotonic
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.home import Unreadable, edit, text
from colloque.matrix.nio_home import NioHome
from colloque.matrix.nio_sync import POLL_S
from tests.servers.nio import Place, Server, listening, person, serve, spec
from tests.waiting import until


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


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


async def test_what_is_withdrawn_before_its_key_came_is_heard_by_nobody(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("withdrawn", alice.user))
        await phone.join(room)
        await phone.send(room, text("avant"), txn="x")
        await heard.body("avant")
        event, key = await _write_without_key(phone, room, "à ne pas envoyer", bot.user)
        await phone.api.call("PUT", path(CLIENT, "rooms", room, "redact", event, "r"), {})
        await phone.send(room, text("ensuite"), txn="y")
        await heard.body("ensuite")
        assert home._store.waiting() == []
        await phone.api.call("PUT", path(CLIENT, "sendToDevice", "m.room.encrypted", "late"), {"messages": key})
        await phone.send(room, text("enfin"), txn="z")
        await heard.body("enfin")
        assert "à ne pas envoyer" not in heard.bodies()
        assert not [h for h in heard.heard if isinstance(h, Unreadable)]
    phone.close()


async def test_an_edit_is_not_heard_before_what_it_changes(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("early", alice.user))
        await phone.join(room)
        await phone.send(room, text("avant"), txn="x")
        await heard.body("avant")
        event, key = await _write_without_key(phone, room, "dix mg", bot.user)
        await phone.send(room, edit(event, text("un mg")), txn="e")
        odd = text("bizarre") | {"m.relates_to": {"rel_type": "m.replace", "event_id": ["$x"]}}
        await phone.send(room, odd, txn="o")  # anybody may write anything
        await phone.send(room, text("ensuite"), txn="y")
        await heard.body("ensuite")
        assert "un mg" not in heard.bodies()
        await phone.api.call("PUT", path(CLIENT, "sendToDevice", "m.room.encrypted", "late"), {"messages": key})
        await heard.body("un mg")
        assert [body for body in heard.bodies() if body.endswith(" mg")] == ["dix mg", "un mg"]
    phone.close()


async def test_who_asks_whether_all_was_heard_waits_for_no_long_poll(server: Server) -> None:
    bot = server.bot()
    alice = person(server, bot.user)
    home = await bot.open()
    async with listening(home, bot.place):
        room = await home.create_room(spec("asked", alice.user))
        for _ in range(3):
            now = monotonic()

            async def heard(now: float = now) -> bool:
                return home.has_heard(room, now)

            await until(heard, "all of that moment", within=POLL_S / 2)


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


async def test_what_is_new_is_asked_again_when_the_server_misses_a_row(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synapse answers so when a room is deleted meanwhile. That the account is refused is another matter."""
    bot = server.bot()
    alice = person(server, bot.user)
    home, phone = await bot.open(), await alice.login()
    call, answers = home.api.call, [HomeRefused(404, "M_UNKNOWN")]

    async def odd(method: str, where: str, *args: Any, **kwargs: Any) -> JsonDict:
        if where.endswith("/sync") and answers:
            raise answers.pop()
        return await call(method, where, *args, **kwargs)

    async with listening(home, bot.place) as heard:
        room = await home.create_room(spec("row", alice.user))
        await phone.join(room)
        await heard.member(alice.user, "join")
        monkeypatch.setattr(home.api, "call", odd)
        await phone.send(room, text("avant"), txn="a")
        await heard.body("avant")

        async def answered() -> bool:
            return not answers

        await until(answered, "the odd answer")
        await phone.send(room, text("ensuite"), txn="b")
        await heard.body("ensuite")
    again = await bot.open()
    monkeypatch.setattr(again.api, "call", odd)
    answers.append(HomeRefused(401, "M_UNKNOWN_TOKEN"))
    with pytest.raises(HomeRefused):
        async with asyncio.timeout(30):
            await again.run(heard, asyncio.Event(), position=bot.place)
    again.close()
    phone.close()
