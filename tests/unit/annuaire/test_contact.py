"""What `!contacter` says before any room is opened."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from colloque.attestation import snapshot
from colloque.clock import FrozenClock
from colloque.professional import Professional
from colloque.snapshot import SnapshotWriter
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import contact as texts_contact
from colloque_annuaire.texts import finding as texts_finding
from tests.servers.desk import ALONE, ASKER, CROWD, KEY, ON_COLLOQUE, OTHER, SELF, TWIN, Desk, standing


@pytest.fixture
async def desk(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Desk]:
    async with standing(tmp_path, clock) as made:
        yield made


async def test_a_number_is_good_for_its_owner_and_its_day(desk: Desk) -> None:
    await desk.tell("!chercher martin")
    assert await desk.tell("!contacter") == texts_contact.WHICH_RESULT
    assert await desk.tell("!contacter 9") == texts_finding.no_result(9)
    assert await desk.tell("!contacter 2", sender=OTHER) == texts_finding.no_result(2)
    desk.clock.advance(hours=15)
    assert await desk.tell("!contacter 2 oui") == texts_finding.no_result(2)


async def test_a_homonym_is_asked_about_first(desk: Desk) -> None:
    await desk.tell("!chercher martin")
    assert await desk.tell("oui") == "(no command)"
    question = await desk.tell("!contacter 2")
    assert question.startswith("Est-ce bien cette personne ?\n2. Dr Anne MARTIN\n")
    assert "CLINIQUE DU PARC · NANCY" in question
    assert await desk.tell("oui", sender=OTHER) == "(no command)"
    assert await desk.tell("non") == "(no command)"
    answer = await desk.tell("Oui !")
    assert "martin@m.mssante.test (personnelle)" in answer
    assert "CLINIQUE DU PARC" in answer
    assert await desk.tell("oui") == answer, "an answer heard again does the same"
    assert await desk.tell("!contacter 2 oui") == answer


async def test_a_yes_answers_the_last_question_for_a_while(desk: Desk) -> None:
    await desk.tell("!chercher martin")
    await desk.tell("!contacter 2")
    desk.clock.advance(minutes=11)
    assert await desk.tell("oui") == "(no command)"
    await desk.tell("!contacter 2")
    await desk.tell("!chercher o'neil")
    assert await desk.tell("oui") == "(no command)"


async def test_who_can_not_be_written_to(desk: Desk) -> None:
    await desk.tell("!chercher metz")
    assert await desk.tell("!contacter 1") == texts_contact.MYSELF
    answer = await desk.tell("!contacter 2")
    assert "ni par Colloque ni par MSSanté" in answer
    assert "2. Dr Paul O'NEIL\n• Médecin, Cardiologie · METZ" in answer
    desk.shelf.people.remove(ALONE)
    assert "ne liste plus" in await desk.tell("!contacter 2")
    desk.shelf.empty = True
    assert await desk.tell("!contacter 2") == texts.DIRECTORY_EMPTY


async def test_a_block_is_not_told_to_whoever_is_blocked(desk: Desk, tmp_path: Path) -> None:
    writer, book = SnapshotWriter(tmp_path / "snapshot", KEY), desk.contacting._book
    held = book.all(desk.clock.now())
    await desk.tell("!chercher nancy")
    shown = await desk.tell(f"!qui {OTHER}")
    assert OTHER in shown
    writer.publish(snapshot(2, desk.clock.now(), held, blocks={OTHER: frozenset({ASKER})}))
    assert await desk.tell(f"!qui {OTHER}") == shown, "nor told there"
    answer = await desk.tell("!contacter 1 oui")
    assert answer.startswith("Cette personne n'est pas joignable par Colloque.")
    assert "anne@m.mssante.test" in answer
    assert "bloqu" not in answer
    writer.publish(snapshot(3, desk.clock.now(), held, blocks={ASKER: frozenset({OTHER})}))
    assert f"!debloquer {OTHER}" in await desk.tell("!contacter 1 oui")


async def test_contacts_are_journaled_without_a_name(desk: Desk) -> None:
    await desk.tell("!chercher metz")
    await desk.tell("!contacter 2")
    [entry] = [json.loads(line) for line in desk.journal.read_text().splitlines()]
    assert (entry["kind"], entry["actor"], entry["outcome"]) == ("person.contact", ASKER, "none")
    assert "neil" not in json.dumps(entry).casefold()


def test_these_people_are_made_up() -> None:
    everybody: list[Professional] = [SELF, ON_COLLOQUE, TWIN, ALONE, *CROWD]
    assert all(str(p.rpps).startswith("899") for p in everybody)
