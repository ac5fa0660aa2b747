"""Our server, a hostile one, and their people: what the tests of the module against the federation protocol share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from colloque.attestation import Attestation, Listed, Servers
from colloque.identity import UserId
from colloque.rooms.mark import ROOM_MARK, RoomKind
from tests.servers.hostile import EVIL, V11, V12, Hostile, HostileRoom, JsonDict, event_id
from tests.servers.house import Account, House, attestation
from tests.waiting import until

SHOWN = ("m.room.create", "m.room.join_rules", "m.room.encryption", "m.room.history_visibility", ROOM_MARK)
MEGOLM = {"algorithm": "m.megolm.v1.aes-sha2"}


@dataclass
class World:
    """Our server, the hostile one, and people: `ok` and `bot` of evil.test are admitted, `no` is not."""

    house: House
    evil: Hostile
    anne: Account
    bot: Account

    @property
    def ok(self) -> UserId:
        return self.evil.user("ok")

    @property
    def no(self) -> UserId:
        return self.evil.user("no")

    @property
    def their_bot(self) -> UserId:
        return self.evil.user("annuaire")

    def publish(self, *remote: Attestation, listed: bool = True, **more: Any) -> None:
        """Anne, and these of evil.test."""
        bots = (self.their_bot,)
        servers = Servers(1, datetime.now(UTC) + timedelta(days=1), (Listed(EVIL, bots),) if listed else ())
        self.house.publish(attestation(self.anne.user, 1), *remote, servers=servers, **more)

    def admit(self, *names: str, **more: Any) -> None:
        known = [attestation(self.evil.user(n), 10 + rank, name=f"Dr {n}") for rank, n in enumerate(names or ("ok",))]
        self.publish(*known, **more)

    async def talks(self, wanted: bool = True) -> None:
        """Wait until every process has taken in whether evil.test is listed."""

        async def seen() -> bool:
            said = await self.evil.make_join("!x:victim.test", self.ok)
            return ("Federation denied" not in said.body.get("error", "")) is wanted

        await until(seen, f"evil.test listed: {wanted}", within=10)

    def their_room(self, *state: tuple[str, JsonDict], kind: str = RoomKind.DIRECT) -> HostileRoom:
        """A room as a Colloque elsewhere would make it, but for `state`."""
        room = HostileRoom(self.evil, self.their_bot)
        normal: dict[str, JsonDict] = {
            "m.room.join_rules": {"join_rule": "invite"},
            "m.room.encryption": MEGOLM,
            "m.room.history_visibility": {"history_visibility": "invited"},
            ROOM_MARK: {"kind": kind, "key": "k", "owner": self.ok},
        }
        for type_, content in (normal | dict(state)).items():
            if content:
                room.add(type_, self.their_bot, content, "")
        return room

    async def invited(self, room: HostileRoom, who: Account, sender: str = "") -> Any:
        invite = room.make("m.room.member", sender or self.their_bot, {"membership": "invite"}, who.user)
        said = await self.evil.invite(invite, room.shown(SHOWN), V11)
        if said.status == 200:
            room.take(said.body["event"])
        return said

    async def entered(self, *state: tuple[str, JsonDict]) -> HostileRoom:
        """A fit room of theirs, with Anne and `ok` in it."""
        room = self.their_room(*state)
        room.add("m.room.member", self.their_bot, {"membership": "invite"}, self.ok)
        room.add("m.room.member", self.ok, {"membership": "join", "displayname": "Dr ok"}, self.ok)
        assert (await self.invited(room, self.anne)).status == 200
        said = await self.anne.call("POST", f"/join/{room.room_id}?server_name={EVIL}", {})
        assert said.status == 200, said
        return room

    async def state(self, room: HostileRoom, type_: str, key: str = "") -> JsonDict:
        return (await self.anne.call("GET", f"/rooms/{room.room_id}/state/{type_}/{key}")).body

    async def read(self, room: HostileRoom) -> list[str]:
        """Ids of the events that Anne's client shows."""
        said = await self.anne.call("GET", f"/rooms/{room.room_id}/messages?dir=b&limit=50")
        return [e["event_id"] for e in said.body["chunk"] if e["content"]]

    async def heard(self, room: HostileRoom) -> None:
        """A harmless event, and wait until it is there: what was sent before has been dealt with."""
        marker = room.add("m.room.encrypted", self.ok, MEGOLM | {"ciphertext": "marker"})
        await self.evil.send(marker)

        async def there() -> bool:
            return event_id(marker, V11) in await self.read(room)

        await until(there, "the room goes on", within=10)


async def our_room(world: World, *invite: UserId) -> str:
    """A direct room of ours that other servers may share."""
    body = {
        "preset": "private_chat",
        "room_version": "12",
        "initial_state": [{"type": ROOM_MARK, "state_key": "", "content": {"kind": "direct", "key": "k"}}],
        "invite": [world.anne.user, *invite],
        "power_level_content_override": {"state_default": 100, "invite": 100},
    }
    said = await world.bot.call("POST", "/createRoom", body)
    assert said.status == 200, said
    return str(said.body["room_id"])


async def joins(world: World, room: str, user: UserId) -> Any:
    """By the book: a template, then the signed join."""
    template = await world.evil.make_join(room, user)
    if template.status != 200:
        return template
    event = template.body["event"]
    return await world.evil.send_join(room, world.evil.sign(event, V12), V12)
