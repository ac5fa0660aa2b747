"""The referent gives the patient's qualified identity, reads it back, confirms it, takes it away; on both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import EventId, RoomId
from colloque.rooms.patient_room import PatientRoom
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import identity as texts_identity
from colloque_salles.texts import rooms as texts
from tests.servers.annuaire import activity, doctor
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward
from tests.unit.mail.test_standing import ALONE, CLINIC
from tests.unit.salles.test_qualified import FIELDS, NIR, ZELIE

LINE = f"!patient identite {' ; '.join(FIELDS)}"
YES = "✅"


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    await ward.standing_in.refresh()
    ward.directory.people[0] = doctor(1, "ANNE", "Anne", CLINIC)
    return ward


def asked(ward: Ward) -> EventId:
    return [EventId(f"${txn}") for txn, (_, c) in ward.server.sent.items() if "Relisez" in c.get("body", "")][-1]


def signs(ward: Ward) -> list[str]:
    relations = (content.get("m.relates_to", {}) for _, content in ward.server.sent.values())
    return [relation["key"] for relation in relations if relation.get("event_id") == asked(ward)]


async def test_it_is_read_back_and_counts_once_its_referent_confirms_it(ward: Ward) -> None:
    said = await ward.typed(ANNE, LINE)
    assert "ne compte pas encore" in said.splitlines()[0]
    for trait in ("2 79 03 51 215 189 89 (INS-NIR)", "ESSAI-DUPONT", "ZELIE ANNE", "28/03/1979", "féminin", "51215"):
        assert trait in said
    assert "⚠️" not in said
    assert signs(ward) == [YES]
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert (given.identity, given.confirmed_by) == (ZELIE, None)
    assert await ward.taps(ANNE, asked(ward), "👍") == ""
    noted = await ward.taps(ANNE, asked(ward), YES)
    assert "confirmée par ANNE" in noted
    assert not any(trait in noted for trait in ("ESSAI", "79 03", "51215"))
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert (given.confirmed_by, given.confirmed_at) == (ANNE, ward.clock.now())
    assert "CLINIQUE D'ESSAI" in given.standing


async def test_only_the_referent_or_who_stands_in_for_them(ward: Ward) -> None:
    assert await ward.typed(BOB, LINE) == texts_identity.NOT_YOURS
    assert await ward.identities.of(ROOM) is None
    await ward.typed(ANNE, LINE)
    assert await ward.taps(BOB, asked(ward), YES) == texts_identity.NOT_YOURS
    assert await ward.typed(BOB, "!patient identite") == texts_identity.NOT_YOURS
    assert await ward.typed(BOB, "!patient identite retirer") == texts_identity.NOT_YOURS
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.confirmed_by is None
    await ward.goes_away(ANNE, BOB, 3)
    assert "confirmée par BOB" in await ward.taps(BOB, asked(ward), YES)
    assert await ward.typed(CLEO, LINE) == texts_identity.NOT_YOURS


async def test_who_is_not_verified_any_more_confirms_nothing(ward: Ward) -> None:
    await ward.typed(ANNE, LINE)
    ward.day(401)
    assert await ward.taps(ANNE, asked(ward), YES) == texts_identity.NOT_YOURS
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.confirmed_by is None


async def test_a_wrong_line_says_what_is_wrong_and_changes_nothing(ward: Ward) -> None:
    await ward.typed(ANNE, LINE)
    await ward.taps(ANNE, asked(ward), YES)
    before = await ward.identities.of(ROOM)
    said = await ward.typed(ANNE, LINE.replace("18989", "18988").replace("28/03", "31/02"))
    assert "clé" in said
    assert "JJ/MM/AAAA" in said
    assert "ESSAI" not in said
    assert await ward.identities.of(ROOM) == before


async def test_a_correction_counts_no_more_until_it_is_confirmed_in_its_turn(ward: Ward) -> None:
    await ward.typed(ANNE, LINE)
    first = asked(ward)
    await ward.taps(ANNE, first, YES)
    await ward.typed(ANNE, LINE.replace("Zélie, Anne", "Zélie, Marie"))
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert (given.identity.givens, given.confirmed_by) == ("ZELIE MARIE", None)
    assert await ward.taps(ANNE, first, YES) == "", "that one is gone"
    await ward.taps(ANNE, asked(ward), YES)
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.confirmed_by == ANNE


async def test_it_is_shown_and_taken_away(ward: Ward) -> None:
    assert texts_identity.HOW in await ward.typed(ANNE, "!patient identity")
    await ward.typed(ANNE, LINE)
    shown = await ward.typed(ANNE, "!patient identite")
    assert "79 03" not in shown.splitlines()[0]
    assert "ESSAI-DUPONT" in shown
    assert "ne compte pas" in shown
    await ward.taps(ANNE, asked(ward), YES)
    assert "Confirmée par ANNE" in await ward.typed(ANNE, "!patient identite")
    assert await ward.typed(ANNE, "!patient identite Retirer.") == texts_identity.WITHDRAWN
    assert await ward.identities.of(ROOM) is None
    assert await ward.taps(ANNE, asked(ward), YES) == ""
    assert await ward.db.fetch("SELECT * FROM patient_identity") == []


async def test_what_differs_is_pointed_at_before_it_counts(ward: Ward) -> None:
    said = await ward.typed(ANNE, LINE.replace("; 51215", "; 51454").replace("NIR", "NIR de test"))
    assert "pas de ce lieu" in said
    assert "identité de test" in said


async def test_with_several_places_of_work_the_tap_says_which(ward: Ward) -> None:
    ward.directory.people[0] = doctor(1, "ANNE", "Anne", CLINIC, ALONE)
    said = await ward.typed(ANNE, LINE)
    assert "1️⃣ CLINIQUE D'ESSAI, Etablissement privé non PSPH, Médecin" in said
    assert "2️⃣ Cabinet individuel, Médecin" in said
    assert signs(ward) == ["1️⃣", "2️⃣"]
    for odd in (YES, "3️⃣", "0️⃣"):
        assert await ward.taps(ANNE, asked(ward), odd) == ""
    ward.directory.people[0] = doctor(1, "ANNE", "Anne", ALONE, CLINIC, replace(activity("METZ"), sector_code="SA05"))
    await ward.taps(ANNE, asked(ward), "2️⃣")
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert "SA07" in given.standing, "as it was numbered when it was asked"


@pytest.mark.parametrize("empty", [True, False])
async def test_without_a_place_of_work_it_says_that_no_document_can_be_made(ward: Ward, empty: bool) -> None:
    ward.directory.people[0] = doctor(1, "ANNE", "Anne")
    ward.directory.empty = empty
    assert "PDF seul" in await ward.typed(ANNE, LINE)
    assert "confirmée" in await ward.taps(ANNE, asked(ward), YES)


async def test_a_crash_between_the_question_and_its_signs_is_repaired(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ward.server.send

    async def cut_short(room: RoomId, content: dict[str, object], **more: object) -> EventId:
        if "m.relates_to" in content:
            raise HomeUnavailable("away")
        return await send(room, content, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ward.server, "send", cut_short)
    with pytest.raises(HomeUnavailable):
        await ward.typed(ANNE, LINE, event="$once")
    monkeypatch.undo()
    await ward.taps(ANNE, asked(ward), YES)
    await ward.typed(ANNE, LINE, event="$once")
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.confirmed_by == ANNE, "heard again, the same line takes nothing back"
    assert signs(ward) == [YES]


async def test_a_tap_that_is_heard_again_after_a_crash_is_answered_and_a_second_is_not(ward: Ward) -> None:
    await ward.typed(ANNE, LINE)
    given = await ward.identities.of(ROOM)
    assert given is not None
    tap = EventId(f"$r{ward.count + 1}")
    await ward.identities.confirm(ROOM, given.event, tap=tap, by=ANNE, at=ward.clock.now(), standing="")
    assert "confirmée par ANNE" in await ward.taps(ANNE, asked(ward), YES)
    assert await ward.taps(ANNE, asked(ward), YES) == ""


async def test_a_tap_that_is_taken_back_confirms_nothing(ward: Ward) -> None:
    await ward.typed(ANNE, LINE)
    await ward.taps(ANNE, asked(ward), YES)
    tap = f"$r{ward.count}"
    await ward.takes_back(ANNE, "$another", ROOM)
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.tap == tap
    await ward.takes_back(ANNE, tap, ROOM)
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert (given.tap, given.confirmed_by, given.confirmed_at, given.standing) == (None, None, None, "")
    assert texts_identity.DOUBTED in ward.server.said
    await ward.takes_back(ANNE, tap, ROOM)
    assert ward.server.said.count(texts_identity.DOUBTED) == 1
    assert "confirmée" in await ward.taps(ANNE, asked(ward), YES)


async def test_lines_do_as_well_as_semicolons(ward: Ward) -> None:
    """What is pasted from a letter."""
    assert "ne compte pas encore" in await ward.typed(ANNE, "!patient identité\n" + "\n".join(FIELDS))
    given = await ward.identities.of(ROOM)
    assert given is not None
    assert given.identity == ZELIE


async def test_elsewhere_and_in_a_closed_room(ward: Ward) -> None:
    assert await ward.typed(ANNE, LINE, room=RoomId("!home-anne")) == texts.ONLY_PATIENT_ROOM
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    assert await ward.typed(ANNE, LINE) == texts_identity.CLOSED
    assert await ward.identities.of(ROOM) is None


async def test_nothing_of_it_stands_anywhere_else_or_outlives_the_room(ward: Ward, tmp_path: Path) -> None:
    other, now = RoomId("!other"), ward.clock.now()
    await ward.patients.add(PatientRoom(room=other, opener=ANNE, opened_at=now, last_activity=now), "Lac Tulipe")
    await ward.typed(ANNE, LINE, room=other)
    await ward.typed(ANNE, LINE)
    await ward.taps(ANNE, asked(ward), YES)
    journal = (tmp_path / "journal.jsonl").read_text(encoding="utf-8")
    assert '"confirmed"' in journal
    assert not any(trait in journal for trait in (ZELIE.number, "ESSAI", NIR, "51215", "1979-03-28"))
    assert ward.server.states == {}
    await Jobs(ward.db).forget(ROOM)
    rows = await ward.db.fetch("SELECT room FROM patient_identity")
    assert [row["room"] for row in rows] == [other]
