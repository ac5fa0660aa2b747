"""Searching, paging, asking who somebody is."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from colloque.attestation import NO_RPPS, Attestation, Kind, Method, snapshot
from colloque.clock import FrozenClock
from colloque.identity import Adeli, EventId, UserId
from colloque.snapshot import SnapshotWriter
from colloque_annuaire.finding.finding import PER_DAY, PER_MINUTE
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import finding as texts_finding
from tests.servers.desk import ALONE, CONFIG, CROWD, KEY, ON_COLLOQUE, OTHER, SELF, SERVER, TWIN, Desk, standing


@pytest.fixture
async def desk(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Desk]:
    async with standing(tmp_path, clock) as made:
        yield made


# !chercher


@pytest.mark.parametrize(
    "typed",
    [
        "!chercher dr O’Neil",
        "! Chercher  o'neil  metz",
        "!search METZ O‘Neil",
        "!Find « O'Neil »",
        "!chercher: O’Neil, Paul",
    ],
)
async def test_phones_typing_is_understood(desk: Desk, typed: str) -> None:
    assert "Dr Paul O'NEIL" in await desk.tell(typed)


async def test_each_result_says_how_to_reach_the_person(desk: Desk) -> None:
    answer = await desk.tell("!chercher martin")
    assert answer.startswith("2 personnes trouvées")
    assert "1. Dr Anne MARTIN\n• Médecin, Cardiologie · CHRU DE NANCY · NANCY\n✅ sur Colloque" in answer
    assert "2. Dr Anne MARTIN\n• Médecin, Cardiologie · CLINIQUE DU PARC · NANCY\n✉️ par MSSanté" in answer
    alone = await desk.tell("!chercher metz")
    assert "3. Dr Zoé DURAND\nMédecin, Cardiologie\nMETZ\n👤 c'est vous" in alone
    assert "4. Dr Paul O'NEIL\nMédecin, Cardiologie\nMETZ\n⛔ non joignable" in alone
    assert "!contacter 4" in alone


async def test_paging_reaches_everybody_and_no_number_comes_twice(desk: Desk) -> None:
    pages = [await desk.tell("!chercher petit")]
    while "!suite" in pages[-1]:
        pages.append(await desk.tell("! Suite"))
    numbers = [line.split(".")[0] for page in pages for line in page.split("\n") if ". Dr " in line]
    names = {line.split(". ")[1] for page in pages for line in page.split("\n") if ". Dr " in line}
    assert numbers == [str(n) for n in range(1, 14)]
    assert len(names) == len(CROWD)
    assert ["5 affichées sur 13" in pages[0], "10 affichées sur 13" in pages[1], len(pages)] == [True, True, 3]
    assert await desk.tell("!suite") == texts_finding.NO_MORE
    assert "14. Dr" in await desk.tell("!chercher petit010")


async def test_the_same_command_heard_again_shows_the_same_page(desk: Desk) -> None:
    first = await desk.tell("!chercher petit", event="$a")
    assert await desk.tell("!chercher petit", event="$a") == first
    second = await desk.tell("!suite", event="$b")
    assert second != first
    assert await desk.tell("!suite", event="$b") == second


async def test_a_search_is_not_remembered_for_ever_nor_shared(desk: Desk) -> None:
    assert await desk.tell("!suite") == texts_finding.NO_SEARCH
    await desk.tell("!chercher petit")
    assert await desk.tell("!suite", sender=OTHER) == texts_finding.NO_SEARCH
    desk.clock.advance(hours=2)
    assert await desk.tell("!suite") == texts_finding.NO_SEARCH


async def test_what_finds_nobody_suggests_what_does(desk: Desk) -> None:
    answer = await desk.tell("!chercher martin metz")
    assert answer.startswith("Personne ne correspond")
    assert "!chercher martin (2 personnes)" in answer
    assert "!chercher metz (2 personnes)" in answer


async def test_what_is_no_search_is_explained(desk: Desk) -> None:
    assert await desk.tell("!chercher") == texts_finding.WHAT_TO_FIND
    assert await desk.tell("!chercher ?!") == texts_finding.WHAT_TO_FIND
    assert await desk.tell("!chercher " + "x" * 201) == texts_finding.TOO_LONG
    desk.shelf.empty = True
    assert await desk.tell("!chercher martin") == texts.DIRECTORY_EMPTY
    assert await desk.tell(f"!qui {SELF.rpps}") == texts.DIRECTORY_EMPTY


async def test_an_old_directory_warns(desk: Desk) -> None:
    desk.clock.advance(days=3)
    assert "retard" in await desk.tell("!chercher o'neil")
    desk.clock.advance(days=5)
    assert "trop ancien" in await desk.tell("!chercher o'neil")


async def test_searching_leaves_the_event_loop_alone(desk: Desk) -> None:
    await desk.tell("!chercher martin")
    assert desk.shelf.searched_in
    assert threading.main_thread().name not in desk.shelf.searched_in


async def test_nobody_copies_the_country_out(desk: Desk) -> None:
    for _ in range(PER_MINUTE):
        assert "O'NEIL" in await desk.tell("!chercher o'neil")
    assert await desk.tell("!chercher o'neil") == texts_finding.TOO_FAST
    assert await desk.tell("!qui 1") == texts_finding.TOO_FAST
    assert "MARTIN" in await desk.tell("!chercher martin", sender=OTHER)
    done = PER_MINUTE
    while done < PER_DAY:
        desk.clock.advance(minutes=1, seconds=1)
        for _ in range(min(PER_MINUTE, PER_DAY - done)):
            assert "O'NEIL" in await desk.tell("!qui 1")
            done += 1
    desk.clock.advance(minutes=2)
    assert await desk.tell("!chercher o'neil") == texts_finding.TOO_MANY
    desk.clock.advance(days=1)
    assert "O'NEIL" in await desk.tell("!chercher o'neil")


async def test_no_word_of_a_search_is_written_anywhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0):
        for typed in ("!chercher secretpatient nancy", "!qui secretpatient@m.mssante.test", "!suite"):
            await desk.tell(typed)
    written = b"".join(path.read_bytes() for path in desk.journal.parent.iterdir() if path.is_file())
    assert b"secretpatient" not in written
    assert "secretpatient" not in caplog.text


# !qui


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        (f"!qui {OTHER}", ["✅ Identité vérifiée\nDr Anne MARTIN", "anne@m.mssante.test", f"Compte : {OTHER}"]),
        ("!qui anne@m.mssante.test", ["✅ Identité vérifiée\n" + texts_finding.OWN_ADDRESS, "Dr Anne MARTIN"]),
        (f"!qui {ON_COLLOQUE.rpps}", ["✅ Identité vérifiée", "CHRU DE NANCY"]),
        (f"!who {TWIN.rpps}", ["Pas de compte Colloque vérifié\nDr Anne MARTIN", "CLINIQUE DU PARC"]),
        (f"!qui @nobody:{SERVER}", [texts_finding.NOT_VERIFIED]),
        ("!qui @anne:elsewhere.test", ["autre serveur", "elsewhere.test"]),
        (f"!qui {CONFIG.bot('salles')}", [texts_finding.BOT]),
        (f"!qui @mss_0123:{SERVER}", [texts_finding.GHOST]),
        ("!qui service@chu.mssante.test", ["d'un service", "CHRU DE NANCY"]),
        ("!qui disputed@m.mssante.test", ["plusieurs personnes"]),
        ("!qui nobody@m.mssante.test", ["ne liste pas cette adresse", "est bien de l'espace"]),
        ("!qui nobody@gmail.example", ["ne liste pas cette adresse", "n'est pas non plus"]),
        ("!qui 187099999999999@patient.mssante.fr", [texts_finding.PATIENT_ADDRESS]),
        ("!qui 89999999991", ["ne liste pas ce numéro"]),
        ("!qui 7", ["Le numéro 7 n'est pas"]),
        ("!qui", [texts_finding.WHO]),
        ("!qui 8990 0000 018", [texts_finding.BAD_NUMBER]),
        ("!qui Anne Martin", [texts_finding.WHO]),
    ],
)
async def test_who_somebody_is(desk: Desk, typed: str, parts: list[str]) -> None:
    answer = await desk.tell(typed)
    for part in parts:
        assert part in answer
    assert "martin" not in answer.split("\n")[0].casefold()


async def test_who_a_result_is(desk: Desk) -> None:
    await desk.tell("!chercher o'neil")
    assert "Dr Paul O'NEIL" in await desk.tell("!qui n°1")
    assert "Le numéro 1 n'est pas" in await desk.tell("!qui 1", sender=OTHER)


async def test_a_mention_names_the_account(desk: Desk) -> None:
    both = {"user_ids": [CONFIG.bot("annuaire"), OTHER]}
    assert "Identité vérifiée" in await desk.tell("!qui Dr Anne", **{"m.mentions": both})
    only_us = {"user_ids": [CONFIG.bot("annuaire")]}
    assert await desk.tell("!qui", **{"m.mentions": only_us}) == texts_finding.WHO


async def test_somebody_who_moved_from_adeli_is_found_by_the_old_number(desk: Desk) -> None:
    desk.shelf.people[3] = replace(ALONE, adeli=Adeli("549300012"))
    assert f"RPPS {ALONE.rpps}" in await desk.tell("!qui 54 930001 2")


async def test_accounts_that_are_no_professionals_own(desk: Desk, tmp_path: Path) -> None:
    now, people = desk.clock.now(), desk.finding._people
    boss = UserId(f"@boss:{SERVER}")
    lea = Attestation(
        UserId(f"@lea:{SERVER}"), ON_COLLOQUE.rpps, "Léa ROUX · secrétaire · avec Dr Anne MARTIN",  # type: ignore[arg-type]
        Method.SPONSORED, now, now + timedelta(days=9), kind=Kind.SUPERVISED, under=ON_COLLOQUE.rpps,
    )  # fmt: skip
    staff = Attestation(boss, NO_RPPS, "Paul PETIT · administration", Method.BOOTSTRAP, now, now + timedelta(days=9))
    for held in (lea, replace(staff, kind=Kind.STAFF)):
        await people.attest(held, EventId(f"$a{held.user}"))
    told = await desk.tell(f"!qui {lea.user}")
    assert told.startswith("✅ Identité vérifiée\nLéa ROUX")
    assert f"Travaille sous la responsabilité de Dr Anne MARTIN, RPPS {ON_COLLOQUE.rpps}" in told
    assert "anne@m.mssante.test" not in told
    told = await desk.tell(f"!qui {boss}")
    assert told.startswith("✅ Identité vérifiée\nPaul PETIT")
    assert "administre Colloque" in told
    assert "Annuaire Santé" not in told
    # Whoever answers for somebody is not verified any more.
    SnapshotWriter(tmp_path / "snapshot", KEY).publish(snapshot(2, now, []))
    assert (await desk.tell(f"!qui {lea.user}")).startswith("⚠️ L'identité de ce compte n'est plus vérifiée")
