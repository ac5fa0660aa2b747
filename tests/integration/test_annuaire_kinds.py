"""Blocks, vouchers, assistants and staff over the wire: the annuaire service as a process, a real Synapse with our
module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from colloque.errors import HomeRefused
from colloque.matrix.api import CLIENT, path
from tests.servers.annuaire_house import House, Member, a_house  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
async def members(house: House) -> AsyncIterator[tuple[Member, Member]]:
    async with AsyncExitStack() as undo:
        one = await Member.enter(house, undo, house.cast.author)
        two = await Member.enter(house, undo, house.cast.colleague)
        await one.enrol(house)
        await two.enrol(house)
        yield one, two


async def invite(by: Member, other: Member) -> dict[str, object]:
    """The homeserver's refusal of an invitation into a room of one's own; empty when there is none."""
    room = (await by.client.call("POST", path(CLIENT, "createRoom"), {"preset": "private_chat"}))["room_id"]
    try:
        await by.client.call("POST", path(CLIENT, "rooms", room, "invite"), {"user_id": other.person.account})
    except HomeRefused as error:
        return {"errcode": error.errcode, "said": str(error)}
    return {}


async def test_whoever_is_blocked_is_not_let_in_and_does_not_learn_why(
    house: House, members: tuple[Member, Member]
) -> None:
    one, two = members
    assert await invite(two, one) == {}
    answer = await one.ask(f"!bloquer {two.person.account}")
    assert answer.startswith("C'est fait")
    assert two.person.professional.full_name in answer
    assert (await invite(two, one))["errcode"] == "M_FORBIDDEN"
    _, told = await two.client.hear(lambda m: "(not_available)" in m.body, "why the invitation was refused")
    assert told.room == two.home
    assert "bloqu" not in told.body
    n, _ = await two.find(one.person)
    refused = await two.ask(f"!contacter {n} oui")
    assert refused.startswith("Cette personne n'est pas joignable par Colloque.")
    assert "bloqu" not in refused
    assert await invite(one, two) == {}, "of one side only"

    await house.kill()
    assert (await invite(two, one))["errcode"] == "M_FORBIDDEN", "after a kill, too"
    assert str(two.person.account) in await one.ask("!bloquer")
    assert (await one.ask(f"!debloquer {two.person.rpps}")).startswith("C'est fait")
    assert await invite(two, one) == {}
    assert (await two.ask(f"!contacter {n} oui")).startswith("Conversation chiffrée ouverte")


async def test_two_colleagues_vouch_for_a_third(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    async with AsyncExitStack() as undo:
        third = await Member.enter(house, undo, house.cast.outsider)
        before = len(house.mails)
        asked = await third.ask(f"!inscription {third.person.rpps} garants")
        assert f"!garant {third.person.account}" in asked
        assert [mail["to"] for mail in house.mails[before:]] == [third.person.address.value], "the listed box is told"
        question = await one.ask(f"!garant {third.person.account}")
        assert question.startswith("Connaissez-vous cette personne ?")
        assert third.person.professional.full_name in question
        assert "notée" in (await one.client.ask(one.home, "oui", "oui")).body
        await house.kill()
        assert "deuxième" in await two.ask(f"!garant {third.person.account} oui")
        _, told = await third.client.hear(lambda m: "Identité vérifiée" in m.body, "that it is verified")
        assert told.room == third.home
        for voucher in members:
            await voucher.client.hear(lambda m: "êtes porté garant est vérifié" in m.body, "what came of it")
        who = await one.ask(f"!qui {third.person.account}")
        assert "sur la parole de deux confrères" in who
        garants = next(line for line in who.split("\n") if line.startswith("Garants : "))
        assert all(voucher.person.professional.full_name in garants for voucher in members)
        assert await invite(third, one) == {}
