"""A mail conversation whose correspondent has an account on another listed server: brought in, talking, gone again."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from colloque.identity import EventId, RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, text
from colloque.matrix.nio_home import NioHome
from tests.clients.mailbox import text_of
from tests.servers.federation_bridge import Bridge, bridging
from tests.servers.federation_world import Somebody, World, knows, talking
from tests.servers.nio import Ear
from tests.waiting import until


@pytest.fixture(scope="module")
async def bridge(world: World) -> AsyncIterator[Bridge]:
    amelie, basile = world["amelie"], world["basile"]
    async with bridging(amelie.place, (amelie,), (basile,)) as made:
        yield made


def mark() -> str:
    return f"repère {secrets.token_hex(6)}"


async def says(ear: Ear, room: RoomId | None, words: str) -> Incoming:
    async def found() -> Incoming | None:
        here = (m for m in ear.messages() if room in {None, m.room} and words in m.body)
        return next(here, None)

    return await until(found, words)


async def write(home: NioHome, room: RoomId, words: str) -> EventId:
    return await home.send(room, text(words), txn=secrets.token_hex(8))


async def mails(bridge: Bridge, who: Somebody, words: str) -> int:
    return sum(words in text_of(mail) for mail in bridge.box(who).inbox())


async def test_a_colleague_of_another_server_is_brought_in(world: World, bridge: Bridge) -> None:
    amelie, basile = world["amelie"], world["basile"]
    async with talking(amelie, basile) as (_, home, ear, far, far_ear):
        assert knows(amelie.place, basile.user)
        first = mark()
        await bridge.write(basile, amelie, first)
        old = (await says(ear, None, first)).room
        assert (await home.state(old, "m.room.create") or {}).get("m.federate") is False
        await says(ear, old, "a un compte vérifié")
        await write(home, old, "!inviter")
        said = await says(ear, old, "est invité")
        assert "autre établissement" in said.body
        await says(ear, old, "Cette conversation continue ici")
        tombstone = await home.state(old, "m.room.tombstone")
        assert tombstone is not None
        new = RoomId(tombstone["replacement_room"])
        assert new in said.body

        async def both() -> bool:  # Synapse joins its own by and by
            members = await home.members(new)
            return (members.get(amelie.user), members.get(basile.user)) == ("join", "invite")

        await until(both, "the one is in, the other invited")

        await far_ear.member(basile.user, "invite")
        await far.api.call("POST", path(CLIENT, "join", new), {}, query={"server_name": amelie.place.name})
        await says(ear, new, "est dans ce salon")

        spoken, answer, mailed = mark(), mark(), mark()
        event = await write(home, new, spoken)
        heard = await says(far_ear, new, spoken)
        assert heard.encrypted
        assert heard.device_signed
        await write(far, new, answer)
        await says(ear, new, answer)
        await bridge.write(basile, amelie, mailed)
        shown = await says(far_ear, new, mailed)
        assert shown.encrypted, "the ghost's words reach the other server's people"
        assert (await says(ear, None, mailed)).room == new
        assert await mails(bridge, basile, spoken) == 0, "what is said leaves as mail only when asked for"

        by_mail = text("!envoyer-par-mail", reply_to=event)
        await home.send(new, by_mail, txn=secrets.token_hex(8))
        await write(home, new, "1")

        async def left() -> bool:
            return await mails(bridge, basile, spoken) == 1

        await until(left, "the mail that was asked for")
        await write(far, new, "!envoyer-par-mail")
        await says(far_ear, new, "boîte")

        await write(far, new, "!inviter fin")
        await says(ear, new, "n'est plus dans ce salon")
        assert (await home.members(new))[basile.user] == "leave"
        alone = mark()
        await write(home, new, alone)
        await write(home, new, "1")

        async def gone() -> bool:
            return await mails(bridge, basile, alone) == 1

        await until(gone, "mail is mail again")
