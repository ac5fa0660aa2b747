"""Somebody whose access is taken away is out of everything, on three servers, and comes back when it is given back."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest

from colloque.cli.main import main
from colloque.errors import HomeRefused, Refused
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import text
from colloque.matrix.nio_home import NioHome
from tests.integration.test_federation import membership, patient_room
from tests.servers.federation_world import Somebody, World, knows, said_and_heard, talking, told, tries_to_write_to
from tests.waiting import until


async def answers(home: NioHome) -> int:
    """What the homeserver says to that session."""
    try:
        await home.api.call("GET", path(CLIENT, "account", "whoami"))
    except HomeRefused as error:
        return error.status
    return 200


def logs_in(somebody: Somebody) -> bool:
    try:
        somebody.person.server.login(somebody.person.name, somebody.person.password)
    except RuntimeError:
        return False
    return True


async def test_out_of_every_room_on_every_server_and_back(world: World) -> None:
    alice, berthe, chloe = world["alice"], world["berthe"], world["chloe"]
    async with (
        talking(berthe, chloe),
        patient_room(alice, berthe) as (room, home, ear, far, far_ear),
    ):
        await said_and_heard(room, home, far_ear)
        await said_and_heard(room, far, ear)
        assert knows(alice.place, berthe.user)
        with pytest.raises(Refused):
            await berthe.place.ask("revoke", user="@nobody:chu-b.test", motive="depart")
        began = time.monotonic()
        await berthe.place.ask("revoke", user=berthe.user, motive="depart")
        assert not knows(berthe.place, berthe.user), "here at once"

        async def out() -> bool:
            return await membership(home, room, berthe.user) == "leave"

        await until(out, "the revoked one out of the patient room of another server", within=60)
        assert time.monotonic() - began < 60
        assert not knows(alice.place, berthe.user)
        await until(lambda: _unknown(chloe, berthe), "the revocation at the third server", within=30)

        async def signed_out() -> bool:
            return await answers(far) == 401

        await until(signed_out, "the sessions ended", within=30)
        assert not await asyncio.to_thread(logs_in, berthe)
        await told(ear, berthe.professional.full_name, "n'a plus accès à ce salon", within=30)
        await tries_to_write_to(home, berthe.user)
        await told(ear, "(remote_unverified)")
        said = await berthe.place.ask("restore", user=berthe.user)
        assert "L'accès est rendu" in said["said"]

        async def back() -> bool:
            return await asyncio.to_thread(logs_in, berthe)

        await until(back, "the account unlocked", within=20)

        async def invited() -> bool:
            return await membership(home, room, berthe.user) == "invite"

        async def admitted() -> bool:
            return all(knows(place, berthe.user) for place in world.federation.places.values())

        # Nobody writes to anybody: their server presents them again, and the room invites them.
        await until(admitted, "admitted again on all three servers", within=30)
        await until(invited, "invited again into the patient room", within=60)
        async with berthe.client() as (again, _):
            await again.api.call("POST", path(CLIENT, "join", room), {}, query={"server_name": alice.place.name})
            await said_and_heard(room, again, ear)


async def test_the_referent_is_replaced_and_partners_are_told(world: World) -> None:
    boris, anne = world["boris"], world["anne"]
    async with (
        talking(world["alice"], boris) as (_, _alices, partner_ear, _, _),
        patient_room(boris, anne) as (room, _, _, far, far_ear),
    ):
        await boris.place.ask("revoke", user=boris.user, motive="securite")
        await told(partner_ear, boris.professional.full_name, "ne lit plus votre conversation", within=30)
        await told(far_ear, "n'a plus accès à ce salon", "!patient referent", within=30)
        await far.send(room, text("!patient referent"), txn=secrets.token_hex(8))
        await told(far_ear, anne.professional.full_name, "désormais le référent", within=30)
        assert await _gone(far, room, boris)
    await boris.place.ask("restore", user=boris.user)

    async def back() -> bool:
        return await asyncio.to_thread(logs_in, boris)

    await until(back, "the account unlocked", within=20)


async def _unknown(there: Somebody, who: Somebody) -> bool:
    return not knows(there.place, who.user)


async def _gone(home: NioHome, room: RoomId, somebody: Somebody) -> bool:
    return await membership(home, room, somebody.user) == "leave"


def test_the_commands_name_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["revoke", "@a:b.test", "--motive", "humeur"])
    assert left.value.code == 64
    assert "usurpation" in capsys.readouterr().err
