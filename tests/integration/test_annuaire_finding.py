"""The annuaire service as a process, on a real Synapse with our module and a sample directory: search, ask, contact."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from colloque import texts as common
from colloque.audit import verify_lines
from colloque.identity import RoomId
from colloque.matrix.home import Incoming
from colloque_annuaire.texts import finding as texts_finding
from tests.files_read import contents
from tests.servers.annuaire_house import RESULT, House, Member, a_house  # noqa: F401 - a fixture

LINK = re.compile(r"https://matrix\.to/#/(\S+)")


@pytest.fixture(scope="module")
async def members(house: House) -> AsyncIterator[tuple[Member, Member]]:
    """Two verified people; the first was told, before, that searching is for those who are."""
    async with AsyncExitStack() as undo:
        one = await Member.enter(house, undo, house.cast.author)
        two = await Member.enter(house, undo, house.cast.colleague)
        for line in ("!chercher cardiologue", "!suite", "!qui 1", "!contacter 1"):
            assert await one.ask(line) == common.NOT_ATTESTED
        await one.enrol(house)
        await two.enrol(house)
        yield one, two


async def test_two_colleagues_find_each_other_and_talk(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    assert "!chercher" in await one.ask("!aide")
    n, block = await one.find(two.person)
    assert "✅ sur Colloque" in block
    answer = await one.ask(f"!contacter {n}")
    if answer.startswith("Est-ce bien"):
        answer = (await one.client.ask(one.home, "oui", "oui")).body
    assert answer.startswith("Conversation chiffrée ouverte")
    assert two.person.professional.full_name in answer
    found = LINK.search(answer)
    assert found is not None
    room = RoomId(found[1])

    # The other is told in their own room whose the invitation is, accepts, and they talk; @annuaire is out of it.
    _, told = await two.client.hear(lambda m: room in m.body, "who wants to talk")
    assert told.room == two.home
    assert one.person.professional.full_name in told.body.split("\n")[1]
    await two.client.home.join(room)
    members_now = await one.client.members(room)
    assert members_now == {
        one.person.account: "join",
        two.person.account: "join",
        house.config.bot("annuaire"): "leave",
    }
    said = await one.client.say(room, "Bonjour")
    _, heard = await two.client.hear(lambda m: m.event == said, "a greeting")
    assert (heard.body, heard.encrypted, heard.device_signed) == ("Bonjour", True, True)
    await two.client.say(room, "!aide")

    # Whoever asks again, whatever died meanwhile, is led to the same room.
    await house.kill()
    again = await one.ask(f"!contacter {n} oui")
    assert again.startswith("Cette conversation existe déjà")
    assert room in again
    back, _ = await two.find(one.person)
    assert room in await two.ask(f"!contacter {back} oui")
    assert not [h for _, h in one.client.heard if isinstance(h, Incoming) and h.room == room and _is_bot(house, h)]
    assert await two.ask(f"!contacter {n + 90} oui") == texts_finding.no_result(n + 90)


def _is_bot(house: House, heard: Incoming) -> bool:
    return heard.sender in house.config.bots


async def test_a_mailbox_is_named_and_nothing_else_promised(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    n, block = await one.find(house.cast.correspondent)
    assert "✉️ par MSSanté" in block
    answer = await one.ask(f"!contacter {n} oui")
    assert f"{house.cast.correspondent.address} (personnelle" in answer
    assert house.cast.correspondent.professional.full_name in answer


async def test_numbers_go_on_after_a_kill(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    seen: list[int] = []
    for line in ("!chercher infirmier", "!suite", "! Suite", "kill", "!chercher infirmière", "!suite"):
        if line == "kill":
            await house.kill()
            continue
        answer = await one.ask(line)
        found = [int(n) for n, _ in RESULT.findall(answer)]
        assert len(found) == 5, answer
        seen += found
    assert len(set(seen)) == len(seen)
    await house.kill()
    assert await one.ask("!suite") == texts_finding.NO_SEARCH


async def test_a_homonym_is_asked_about_before_anything_is_done(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    rows = sqlite3.connect(house.config.annuaire.directory).execute(
        "SELECT family, given FROM people GROUP BY family, given HAVING COUNT(*) > 1 ORDER BY COUNT(*), family LIMIT 1"
    )
    family, given = rows.fetchone()
    answer = await one.ask(f"!chercher {family} {given}")
    n = next(int(n) for n, name in RESULT.findall(answer) if family in name and given in name)
    question = await one.ask(f"!contacter {n}")
    assert question.startswith("Est-ce bien cette personne ?")
    assert "répondez oui" in question
    done = (await one.client.ask(one.home, "Oui", "oui")).body
    assert re.search("MSSanté|Conversation", done.split("\n")[0])
    assert f"{n}. " in done


async def test_who_somebody_is(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    for line in (f"!qui {two.person.account}", f"!qui {two.person.rpps}", f"!qui {two.person.address}"):
        answer = await one.ask(line)
        assert answer.startswith("✅ Identité vérifiée")
        assert str(two.person.address) in answer
        assert f"Compte : {two.person.account}" in answer
        assert "Source : Annuaire Santé du" in answer
    outsider = house.cast.outsider
    assert await one.ask(f"!qui {outsider.account}") == texts_finding.NOT_VERIFIED
    assert (await one.ask(f"!qui {outsider.rpps}")).startswith("Pas de compte Colloque vérifié")


async def test_what_was_typed_is_nowhere(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    assert (await one.ask("!chercher Wqzyxpatient Mxqw")).startswith("Personne ne correspond")
    folders = (house.config.annuaire.state_dir, house.layout.logs)
    files = [(file, data) for folder in folders for file, data in contents(folder)]
    assert len(files) > 3
    assert not [file.name for file, data in files if b"wqzyxpatient" in data.lower()]
    journal = (house.config.annuaire.state_dir / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert verify_lines(journal).ok
    kinds = {json.loads(line)["kind"] for line in journal}
    assert {"person.contact", "room.direct"} <= kinds
