"""Blocks, vouchers, assistants and staff over the wire: the annuaire service as a process, a real Synapse with our
module."""

from __future__ import annotations

import asyncio
import re
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from colloque.book import read_secret
from colloque.errors import HomeRefused
from colloque.identity import UserId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.home import RoomSpec, room_request
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.texts import NOT_ATTESTED
from colloque_demo.clinician import Clinician
from colloque_demo.people import Person
from tests.servers.annuaire_house import House, Member, a_house, follow, room_of  # noqa: F401 - a fixture
from tests.waiting import until


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


async def test_somebody_without_an_account_is_brought_in_by_two(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    person = house.cast.mailboxes[0]
    assert (await one.ask(f"!garant {person.rpps}")).startswith("Faire un compte pour cette personne")
    made = (await one.client.ask(one.home, "oui", "oui")).body
    found = re.search(r"Le compte : (\S+)", made)
    assert found is not None, made
    user = UserId(found[1])
    assert house.mails[-1]["to"] == person.address.value
    async with AsyncExitStack() as undo:
        client = await come_in(house, undo, user, await follow(house, made))
        new = Member(client, await room_of(client, RoomKind.HOME))
        assert await new.ask("!chercher cardiologue") == NOT_ATTESTED
        assert "deuxième" in await two.ask(f"!garant {user} oui")
        await client.hear(lambda m: "Identité vérifiée" in m.body, "that it is verified")

        async def named() -> bool:
            return person.professional.full_name in await client.display_name(user)

        await until(named, "the directory's name")
        assert "trouvée" in await new.ask("!chercher cardiologue")


async def colloque(*words: str) -> tuple[int, str]:
    """The operator's command."""
    program = Path(sys.executable).with_name("colloque")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, *words, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def link_of(user: UserId, said: str) -> str:
    """What the command gave for that account."""
    found = re.search(rf"{re.escape(user)}\n.*: (\S+)\n", said)
    assert found is not None, said
    return found[1]


async def login(house: House, user: UserId, password: str) -> str:
    """The access token of a new session. Raises HomeRefused."""
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
    answer = await MatrixApi(house.session, house.server.url, "").call("POST", path(CLIENT, "login"), body)
    return str(answer["access_token"])


async def come_in(house: House, undo: AsyncExitStack, user: UserId, password: str) -> Clinician:
    """Somebody who is no professional, at their client."""
    person = Person(house.cast.admin.professional, house.cast.admin.address, "", user, password)
    client = await Clinician.login(house.session, house.server.url, person, house.layout.client(user))
    undo.push_async_callback(client.close)
    return client


async def test_the_first_administrators_come_in_and_stay_out_of_patients_rooms(
    house: House, members: tuple[Member, Member], tmp_path: Path
) -> None:
    file, where = tmp_path / "first", ("--config", str(house.layout.config))
    code, said = await colloque("admin", "bootstrap", "zoe.durand", "Paul Petit", *where, "--out", str(file))
    assert code == 0, said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(re.findall(r"hours: https://\S+", file.read_text())) == 2
    assert "https" not in said
    again, said = await colloque("admin", "bootstrap", "zoe.durand", "Paul Petit", *where, "--out", f"{file}2")
    assert again == 65, said
    assert names_in(tmp_path) == ["first"]
    zoe, paul = (UserId(f"@{name}:{house.config.homeserver.server_name}") for name in ("zoe.durand", "paul.petit"))
    async with AsyncExitStack() as undo:
        password = await follow(house, link_of(zoe, file.read_text()))
        first = await come_in(house, undo, zoe, password)
        second = await come_in(house, undo, paul, await follow(house, link_of(paul, file.read_text())))
        room = await room_of(first, RoomKind.ADMIN)
        assert await room_of(second, RoomKind.ADMIN) == room
        with pytest.raises(HomeRefused):
            await login(house, zoe, password)
        assert "Paul PETIT · administration" in (await first.ask(room, "!administrateurs", "who administers")).body
        assert "!administrateur ajouter" in (await first.ask(room, "!aide", "help")).body

        # An administrator is in no patient room, whoever invites: over the wire, by the rule in the homeserver.
        token = read_secret(house.config.salles.as_token).decode()
        salles = MatrixApi(house.session, house.server.url, token, user=house.config.bot("salles"))
        doctor = members[0].person.account
        for invited in ((doctor, zoe), (doctor,)):
            spec = RoomSpec("Salon", RoomMark(RoomKind.PATIENT, f"k{len(invited)}", doctor), invite=invited)
            making = salles.call("POST", path(CLIENT, "createRoom"), room_request(spec))
            if zoe in invited:
                with pytest.raises(HomeRefused):
                    await making
            else:
                assert (await making)["room_id"]
        assert (await invite(members[0], Member(first, room)))["errcode"] == "M_FORBIDDEN"

        await house.kill()
        code, said = await colloque("admin", "access", paul, *where, "--out", "-")
        assert code == 0, said
        assert await login(house, paul, await follow(house, link_of(paul, said)))
        await first.hear(lambda m: "colloque admin access" in m.body, "that an access was given")
        answer = (await first.ask(room, f"!administrateur retirer {paul}", "the removal")).body
        assert answer.startswith("C'est fait")

        async def gone() -> bool:
            return (await first.members(room)).get(paul) == "leave"

        await until(gone, "the removed administrator is out")
        code, said = await colloque("admin", "list", *where)
        assert (code, said) == (0, f"{zoe}\tZoe DURAND · administration\tstaff\n")

        async def closed() -> bool:
            try:
                await second.api.call("GET", path(CLIENT, "joined_rooms"))
            except HomeRefused:
                return True
            return False

        await until(closed, "their sessions are closed")
        code, said = await colloque("admin", "access", paul, *where, "--out", "-")
        assert code == 65, said


async def test_somebody_works_under_a_professional(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    lea = UserId(f"@lea.roux:{house.config.homeserver.server_name}")
    async with AsyncExitStack() as undo:
        assert "Pour confirmer" in await one.ask("!assistant inviter Léa Roux, secrétaire")
        made = (await one.client.ask(one.home, "oui", "oui")).body
        assert lea in made
        client = await come_in(house, undo, lea, await follow(house, made))
        secretary = Member(client, await room_of(client, RoomKind.HOME))
        assert await client.display_name(lea) == (f"Léa ROUX · secrétaire · avec {one.person.professional.full_name}")
        shown = await secretary.ask("!aide")
        assert "!chercher" in shown
        assert f"avec {one.person.professional.full_name}. Ce professionnel répond" in shown
        who = await two.ask(f"!qui {lea}")
        assert who.startswith("✅ Identité vérifiée")
        assert f"sous la responsabilité de {one.person.professional.full_name}" in who
        assert str(one.person.address) not in who, "their professional's mailboxes are not theirs"

        # In a patient room only beside their professional.
        token = read_secret(house.config.salles.as_token).decode()
        salles = MatrixApi(house.session, house.server.url, token, user=house.config.bot("salles"))
        for owner, refused in ((two, True), (one, False)):
            invited = (owner.person.account, lea)
            spec = RoomSpec("Salon", RoomMark(RoomKind.PATIENT, f"lea{refused}", invited[0]), invite=invited)
            making = salles.call("POST", path(CLIENT, "createRoom"), room_request(spec))
            if refused:
                with pytest.raises(HomeRefused):
                    await making
            else:
                assert (await making)["room_id"]

        await house.kill()
        assert "Léa ROUX (secrétaire)" in await one.ask("!assistants")
        assert "répondez oui" in await one.ask("!assistant terminer 1")
        assert "n'a plus accès" in (await one.client.ask(one.home, "oui", "oui")).body
        assert (await two.ask(f"!qui {lea}")).startswith("⚠️")

        async def closed() -> bool:
            try:
                await client.api.call("GET", path(CLIENT, "joined_rooms"))
            except HomeRefused:
                return True
            return False

        await until(closed, "their sessions are closed")
