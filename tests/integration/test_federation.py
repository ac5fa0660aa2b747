"""Three homeservers with real names, federating over TLS: verified people talk, whoever is not verified does not."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import MemberChange, text
from colloque.matrix.nio_home import NioHome
from tests.servers.federation_erasing import is_in
from tests.servers.federation_world import (
    Somebody,
    World,
    as_c,
    entry_of,
    home_room,
    knows,
    said_and_heard,
    talking,
    told,
    tries_to_write_to,
)
from tests.servers.nio import Ear
from tests.waiting import until


async def test_verified_people_of_two_servers_talk_encrypted(world: World) -> None:
    anne, bob = world["anne"], world["bob"]
    async with talking(anne, bob) as (room, home, ear, far, far_ear):
        assert knows(anne.place, bob.user)
        assert knows(bob.place, anne.user)
        await said_and_heard(room, home, far_ear)
        await said_and_heard(room, far, ear)
        wants = await told(far_ear, "veut vous écrire")
        assert anne.professional.full_name in wants
        # How long messages live there: @annuaire of the one that asked has said it, @salles of the other says its own.
        await told(ear, "est ouverte", "s'y effacent au bout de 90 jours")
        await far.send(await home_room(far), text("!echanges"), txn=secrets.token_hex(8))
        await told(far_ear, "les messages s'effacent désormais au bout de 90 jours")
        listed = await told(far_ear, "Vos conversations", room)
        assert anne.professional.family_name in listed


async def test_known_people_keep_talking_while_an_annuaire_service_is_away(world: World) -> None:
    anne, boris = world["anne"], world["boris"]
    async with talking(anne, boris) as (room, home, ear, far, far_ear):
        anne.place.annuaire.kill()
        try:
            await said_and_heard(room, home, far_ear)
            await said_and_heard(room, far, ear)
            assert not knows(anne.place, world["berthe"].user)
            await tries_to_write_to(home, world["berthe"].user)
        finally:
            anne.place.annuaire.start()
            await anne.place.well()
        # What was refused meanwhile is looked into now: the homeserver's report waited.
        await told(ear, "est ouverte", world["berthe"].professional.full_name)


async def test_an_unverified_account_of_a_listed_server_is_refused_both_ways(world: World) -> None:
    alice, c = world["alice"], world.federation["c"]
    mallory = c.clinician("mallory")
    async with alice.client() as (home, ear):
        before = await home.api.call("GET", path(CLIENT, "joined_rooms"))
        await tries_to_write_to(home, mallory.user)
        assert "pas d'identité vérifiée" in await told(ear, "(remote_unverified)")
        far = await mallory.login()
        try:
            with pytest.raises(HomeRefused) as caught:
                await far.api.call("POST", path(CLIENT, "createRoom"), {"invite": [alice.user], "is_direct": True})
            assert caught.value.status == 403
            assert await home.api.call("GET", path(CLIENT, "joined_rooms")) == before
        finally:
            far.close()


@asynccontextmanager
async def patient_room(one: Somebody, other: Somebody) -> AsyncIterator[tuple[RoomId, NioHome, Ear, NioHome, Ear]]:
    """A patient room of two people on two servers who know each other, opened as clinicians do."""
    async with talking(one, other) as (_, home, ear, far, far_ear):
        own = next(m.room for m in ear.messages() if "est ouverte" in m.body)
        await home.send(own, text(f"!patient ouvrir {other.user}"), txn=secrets.token_hex(8))

        async def invited() -> RoomId | None:
            rooms = [h.room for h in far_ear.heard if isinstance(h, MemberChange) and h.user == other.user]
            bot = one.place.user("salles")
            found = [h.room for h in far_ear.heard if isinstance(h, MemberChange) and h.sender == bot]
            return next((room for room in found if room in rooms), None)

        room = await until(invited, "the invitation to the patient room", within=20)
        await far.api.call("POST", path(CLIENT, "join", room), {}, query={"server_name": one.place.name})

        await until(lambda: is_in(home, room, other.user), "the other one in the patient room", within=15)
        yield room, home, ear, far, far_ear


async def membership(home: NioHome, room: RoomId, user: UserId) -> str:
    state = await home.api.call("GET", path(CLIENT, "rooms", room, "state", "m.room.member", user))
    return str(state["membership"])


async def test_a_delisted_server_is_cut_off_and_its_people_leave_the_patient_rooms(world: World) -> None:
    federation, anne, chloe = world.federation, world["anne"], world["chloe"]
    a, b = federation["a"], federation["b"]
    async with patient_room(anne, chloe) as (room, home, ear, far, far_ear):
        await said_and_heard(room, home, far_ear)
        await said_and_heard(room, far, ear)
        await federation.spread(a, b)
        try:
            assert not knows(a, chloe.user)
            token = next(iter(anne.person.tokens.values()))

            async def cut_off() -> bool:
                gone = await membership(home, room, chloe.user) == "leave"
                return gone and await a.connected(token) == {a.name, b.name}

            await until(cut_off, "the removed server out of everything", within=15)
            lost, kept = (f"perdu {secrets.token_hex(4)}", f"gardé {secrets.token_hex(4)}")
            with suppress(HomeRefused):  # Their server may have heard of the departure before it was cut off.
                await far.send(room, text(lost), txn=secrets.token_hex(8))
            await home.send(room, text(kept), txn=secrets.token_hex(8))
            await tries_to_write_to(home, chloe.user)
            await told(ear, "(remote_not_listed)")
            with pytest.raises(HomeRefused):
                await far.api.call("POST", path(CLIENT, "createRoom"), {"invite": [anne.user], "is_direct": True})
            with pytest.raises(Temporary):
                await as_c(world).ask(entry_of(world, a), "account", {})
            assert lost not in ear.bodies()
            assert kept not in far_ear.bodies()

            async def noted() -> bool:
                journal = (a.layout.state("annuaire") / "journal.jsonl").read_text(encoding="utf-8")
                entries = [json.loads(line) for line in journal.splitlines()]
                done = [(e["kind"], e["facts"].get("reason")) for e in entries if e["actor"] == chloe.user]
                return done[-2:] == [("remote.drop", "delisted"), ("remote.left", "delisted")]

            await until(noted, "both in the journal", within=15)  # each is noted once it is done
        finally:
            await federation.spread(*federation.places.values())
