"""How long somebody whose access is taken away stays in patient rooms: 50 of them, on three servers.

Everything is real: three Synapses with the module, federating over TLS, their services as processes, rooms opened by
`!patient ouvrir` and joined by the person's client.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ruamel.yaml import YAML

from colloque.clock import monotonic
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import MemberChange, text
from colloque.matrix.nio_home import NioHome
from tests.bench.result import Goal, Result, result
from tests.servers.federation import begin, running_federation
from tests.servers.federation_place import Place
from tests.servers.federation_world import A, B, C, Somebody, home_room, talking
from tests.servers.nio import Ear
from tests.waiting import until

ROOMS = {A: 17, B: 17, C: 16}
GOAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Opener:
    """Somebody who opens rooms, on their phone."""

    somebody: Somebody
    home: NioHome

    async def membership(self, room: RoomId, user: UserId) -> str:
        """Somebody's, as this one's server says."""
        state = await self.home.api.call("GET", path(CLIENT, "rooms", room, "state", "m.room.member", user))
        return str(state["membership"])


async def out_of_rooms() -> Result:
    """From the order to the last room, in seconds."""
    async with running_federation(A, B, C) as federation, AsyncExitStack() as stack:
        people = []
        for name, server in (("anne", A), ("bob", B), ("chloe", C), ("berthe", B)):
            place, professional = federation.places[server], next(federation.professionals)
            people.append(Somebody(place, place.user(name), professional))
            await place.attest(people[-1].user, professional)
        for place in federation.places.values():
            _let_rooms_live(place)
        await begin(stack, *federation.places.values())
        anne, bob, chloe, berthe = people
        _, anne_home, _, _, _ = await stack.enter_async_context(talking(anne, berthe))
        _, chloe_home, _, far, far_ear = await stack.enter_async_context(talking(chloe, berthe))
        bob_home, _ = await stack.enter_async_context(bob.client())
        openers = [Opener(anne, anne_home), Opener(bob, bob_home), Opener(chloe, chloe_home)]
        rooms = {opener.somebody.place.name: await _open(opener, berthe, far, far_ear) for opener in openers}
        count = sum(map(len, rooms.values()))
        assert count == sum(ROOMS.values()), count
        print(f"{count} rooms on {len(rooms)} servers; revoking", flush=True)
        began = monotonic()
        await berthe.place.ask("revoke", user=berthe.user, motive="depart")
        last = await asyncio.gather(*(_emptied(o, rooms[o.somebody.place.name], berthe.user, began) for o in openers))
    print(", ".join(f"{o.somebody.place.name}: {at:.1f} s" for o, at in zip(openers, last, strict=True)), flush=True)
    return result("revocation-50-rooms", max(last), "s from the order to out of the last of 50 rooms", Goal(GOAL_S))


def _let_rooms_live(place: Place) -> None:
    """The demo's rooms end within half a minute: not what is measured."""
    yaml = YAML()
    raw = yaml.load(place.layout.config)
    raw["salles"]["lifetime"] = {"idle_s": 7200, "notice_s": 3600, "reminder_s": 0, "linger_s": 600}
    with place.layout.config.open("w", encoding="utf-8") as out:
        yaml.dump(raw, out)


async def _open(opener: Opener, berthe: Somebody, far: NioHome, far_ear: Ear) -> list[RoomId]:
    """Rooms opened with her, all of which she has entered."""
    place, own = opener.somebody.place, await home_room(opener.home)
    bot, wanted = place.user("salles"), ROOMS[place.name]
    for _ in range(wanted):
        await opener.home.send(own, text(f"!patient ouvrir {berthe.user}"), txn=secrets.token_hex(8))

    async def invited() -> list[RoomId] | None:
        heard = [h for h in far_ear.heard if isinstance(h, MemberChange) and h.sender == bot]
        found = list(dict.fromkeys(h.room for h in heard if h.user == berthe.user))
        return found if len(found) >= wanted else None

    found = await until(invited, f"{wanted} invitations from {place.name}", within=180)
    for room in found:
        await far.api.call("POST", path(CLIENT, "join", room), {}, query={"server_name": place.name})

    async def inside() -> bool:
        return all([await opener.membership(room, berthe.user) == "join" for room in found])

    await until(inside, f"in all rooms of {place.name}", within=120)
    return found


async def _emptied(opener: Opener, rooms: Sequence[RoomId], user: UserId, began: float) -> float:
    """When, in seconds since then, she is in none of them any more."""
    left = list(rooms)

    async def out() -> bool:
        while left and await opener.membership(left[-1], user) == "leave":
            left.pop()
        return not left

    await until(out, "out of every room", within=GOAL_S * 3)
    return monotonic() - began
