"""Before people of several servers share a room, each server knows all of them; over real HTTP, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import BadInput, Refused, Temporary
from tests.servers.annuaire import doctor
from tests.servers.sides import Sides


async def test_whom_a_server_does_not_know_it_looks_at(sides: Sides) -> None:
    a, b = sides.a, sides.b
    for n in (1, 3):
        await a.attest(n)
    await b.attest(2)
    told = await a.teams.acquaint([a.user(1), a.user(3), b.user(2)])
    assert told == {"unknown": {}}
    assert await b.knows(a.user(1))
    assert await b.knows(a.user(3))
    assert await a.knows(b.user(2)), "whom they presented"
    assert (a.rooms.told(a.user(1)), b.rooms.told(b.user(2))) == ([], []), "nobody wants to write to anybody"


async def test_whom_it_knows_it_does_not_ask_about(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.teams.acquaint([a.user(1), b.user(2)])

    async def never(*_: Any) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(b.meetings, "meet", never)
    assert await a.teams.acquaint([a.user(1), b.user(2)]) == {"unknown": {}}


async def test_whom_it_can_not_admit_is_named(sides: Sides) -> None:
    """Another name in its directory; no attestation at all."""
    a, b = sides.a, sides.b
    for n in (1, 3):
        await a.attest(n)
    await b.attest(2)
    b.directory.people[2] = doctor(3, "AUTRE", "Anne")
    told = await a.teams.acquaint([a.user(1), a.user(3), a.user(5), b.user(2)])
    assert told == {"unknown": {b.server: [a.user(3), a.user(5)]}}


async def test_a_server_that_is_not_listed_knows_nobody(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await sides.list(a)
    assert await a.teams.acquaint([a.user(1), b.user(2)]) == {"unknown": {b.server: [a.user(1)]}}


async def test_a_server_that_is_away_leaves_it_open(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.running.aclose()
    with pytest.raises(Temporary):
        await a.teams.acquaint([a.user(1), b.user(2)])
    await b.start()


async def test_a_team_of_one_server_asks_nobody(sides: Sides) -> None:
    await sides.a.attest(1)
    assert await sides.a.teams.acquaint([sides.a.user(1), sides.a.user(3)]) == {"unknown": {}}


@pytest.mark.parametrize("members", [None, "x", [], [1], ["nobody"], ["@p1:chu-a.test"] * 41, ["@p2:chu-b.test"]])
async def test_what_is_no_team_is_refused(sides: Sides, members: object) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    with pytest.raises((BadInput, Refused)):
        await b.teams.answer(a.server, {"members": members})


async def test_nobody_is_presented_for_a_team_without_one_of_ours(sides: Sides) -> None:
    a, b = sides.a, sides.b
    with pytest.raises(Refused, match="none_of_ours"):
        await b.teams.answer(a.server, {"members": [a.user(1), b.user(2)]})
