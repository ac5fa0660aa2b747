"""A colleague of another server joins the team of a room that can't leave its server, on two real homeservers."""

from __future__ import annotations

import secrets

from colloque.errors import HomeRefused
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, reaction, text
from colloque.matrix.nio_home import NioHome
from tests.servers.federation_world import World, home_room, room_in, said_and_heard, talking
from tests.servers.nio import Ear
from tests.waiting import until


async def asks(home: NioHome, ear: Ear, room: RoomId, line: str, *words: str) -> Incoming:
    """What @salles says then that holds all these words."""
    since = len(ear.messages())
    await home.send(room, text(line), txn=secrets.token_hex(8))
    return await says(ear, since, *words)


async def says(ear: Ear, since: int, *words: str) -> Incoming:
    async def found() -> Incoming | None:
        return next((m for m in ear.messages()[since:] if all(each in m.body for each in words)), None)

    return await until(found, f"@salles saying {words}", within=40)


async def test_the_team_goes_on_with_them_in_another_room(world: World) -> None:
    amelie, alice, basile = world["amelie"], world["alice"], world["basile"]
    async with talking(amelie, basile) as (_, home, ear, far, far_ear), alice.client() as (other, other_ear):
        own = await home_room(home)
        opened = await asks(home, ear, own, f"!patient ouvrir 10 jours {alice.user}", "ouvert avec")
        old = room_in(opened.body)
        for client in (home, other):
            await client.join(old)
        await said_and_heard(old, home, other_ear)
        create = await home.state(old, "m.room.create") or {}
        assert create["m.federate"] is False

        question = await asks(home, ear, old, f"!patient inviter {basile.user}", "nouveau salon")
        since = len(ear.messages())
        await home.send(old, reaction(question.event, "🤝"), txn=secrets.token_hex(8), type_="m.reaction")
        moved = await says(ear, since, "continue dans le salon")
        new = room_in(moved.body)

        async def replaced() -> bool:
            return (await home.state(old, "m.room.tombstone") or {}).get("replacement_room") == new

        await until(replaced, "the old room names the new one")

        for client, query in ((home, {}), (other, {}), (far, {"server_name": amelie.place.name})):
            await client.api.call("POST", path(CLIENT, "join", new), {}, query=query)
        for user in (alice.user, basile.user):
            await ear.member(user, "join")

        async def all_in() -> bool:
            members = await home.members(new)
            return all(members.get(user) == "join" for user in (amelie.user, alice.user, basile.user))

        await until(all_in, "everybody in the new room")
        await said_and_heard(new, home, far_ear)
        await said_and_heard(new, far, other_ear)
        assert not any(heard.room == old for heard in far_ear.messages())

        async def closed() -> bool:
            try:
                await other.send(old, text("encore"), txn=secrets.token_hex(8))
            except HomeRefused:
                return True
            return False

        await until(closed, "nobody writes in the old room")
