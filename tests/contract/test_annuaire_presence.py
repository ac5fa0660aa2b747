"""Every new directory: who is missing, back, renamed or gone, on both databases, with real imports."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from colloque.clock import monotonic
from colloque.errors import HomeUnavailable
from colloque.identity import Rpps, UserId
from colloque.policy.presence import Presence, State, Turn
from colloque_annuaire.directory.looking import Watched, look_up
from colloque_annuaire.store.presence import Edition, Kept, Stage
from tests.extracts import person, rpps
from tests.servers.verification import ADMIN, BEGIN, PEOPLE, House, a_house, user  # noqa: F401 - a fixture


async def test_nothing_changes_nothing(house: House) -> None:
    await house.day()
    assert await house.presences.all() == {}
    assert house.server.sent == {}
    assert house.server.names == {}
    assert await house.incidents_open() == []
    assert (await house.presences.verified() or (None, None))[1] is Stage.DONE


async def test_a_grace_from_its_first_day_to_its_end(house: House) -> None:
    for n in range(7):
        await house.day(without=(3,))
        assert await house.state(3) is State.MISSING
        assert house.snapshot()[user(3)].is_valid(house.clock.now()), n
        assert house.snapshot()[user(3)].frozen is (n >= 3), n
    said, frozen = house.server.told(3)
    assert "au moins jusqu'au 05/03/2026" in said
    assert "plus tôt le 09/03/2026" in frozen
    assert house.acts("person.missing") == [("intent", ""), ("result", "done")] * 2
    await house.day(without=(3,))
    assert await house.state(3) is State.GONE
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())
    assert house.acts("person.end") == [("intent", ""), ("result", "done")]
    assert len(house.server.told(3)) == 3
    assert "n'est plus vérifiée" in house.server.told(3)[2]
    await house.closing.run_once()
    await house.closing.run_once()
    assert house.server.acts == [("evict gone", user(3))], "not locked, and keeps the sessions"
    held = await house.people.attestation_of(user(3))
    assert held is not None
    assert await house.people.holder_of(held.rpps) == user(3), "nobody else takes the number"
    await house.day()
    assert "!inscription" in house.server.told(3)[3]
    assert await house.presences.all() == {}
    assert house.snapshot()[user(4)].is_valid(house.clock.now())


async def test_whoever_comes_back_within_the_grace_has_lost_nothing(house: House) -> None:
    before = house.snapshot()[user(3)]
    for _ in range(5):
        await house.day(without=(3,))
    await house.day()
    assert house.snapshot()[user(3)] == before
    assert len(house.server.told(3)) == 3
    assert "rien n'a été perdu" in house.server.told(3)[2]
    assert house.acts("person.back") == [("intent", ""), ("result", "done")]


async def test_a_stall_ends_nobody_and_the_day_after_it_counts_as_one(house: House) -> None:
    await house.day(without=(3,))
    for _ in range(30):
        house.clock.advance(days=1)
        await house.verification.run_once()
        await house.restart()
        await house.verification.run_once()
    assert await house.state(3) is State.MISSING
    await house.day(without=(3,))
    assert (await house.presences.all())[user(3)].presence.days == 1
    assert len(house.server.told(3)) == 1


async def test_an_extraction_that_comes_late_proves_no_absence(house: House) -> None:
    house.clock.advance(days=1)
    house.bring(without=(3,))
    house.clock.advance(days=3)
    await house.verification.run_once()
    assert await house.state(3) is State.PRESENT


async def test_clocks_that_jump_shorten_no_grace(house: House) -> None:
    await house.day(without=(3,))
    for jump in (400, -380, -100, 30):
        house.clock.advance(days=jump)
        await house.restart()
        await house.verification.run_once()
        assert (await house.presences.all())[user(3)].presence.days == 0


async def test_a_new_name_profession_or_town_is_published(house: House) -> None:
    house.rows[5] = person(5, family="MARTIN", town="METZ")
    house.server.nobody.add(user(6))
    house.rows[6] = person(6, profession="Chirurgien-Dentiste")
    await house.day()
    assert house.snapshot()[user(5)].name == "Dr Hélène MARTIN · médecin · METZ"
    assert house.server.names == {user(5): "Dr Hélène MARTIN · médecin · METZ"}
    assert house.snapshot()[user(6)].name == "Dr Hélène NOM6 · chirurgien-dentiste · NANCY"
    assert house.acts("person.rename") == [("intent", ""), ("intent", ""), ("result", "done"), ("result", "done")]
    house.server.nobody.clear()
    await house.day()
    assert user(6) in house.server.names, "what the homeserver refused is tried again"


async def test_an_adeli_number_that_becomes_an_rpps_disturbs_nobody(house: House) -> None:
    """The same person is listed under both for a while: attestations go by RPPS."""
    house.rows[100] = person(100, kind="0", id="540000001")
    await house.day()
    house.rows.pop(100)
    await house.day()
    assert await house.presences.all() == {}
    assert house.server.sent == {}


async def test_the_admin_room_gets_one_line_of_counts_an_import(house: House) -> None:
    await house.day(without=(3, 4))
    [incident] = await house.incidents.unposted()
    assert "leur délai commence) : 2" in incident.text
    assert "p3" not in incident.text
    await house.incidents.posted(incident.key)
    await house.restart()
    await house.verification.run_once()
    assert await house.incidents.unposted() == []
    await house.day(without=(3, 4))
    assert await house.incidents_open() == []


async def test_a_directory_that_lacks_too_many_waits_for_an_administrator(house: House) -> None:
    lacking = tuple(range(10))
    await house.day(without=lacking)
    assert await house.presences.all() == {}
    [key] = await house.incidents_open()
    assert key.startswith("held.")
    assert "10 des 30" in (await house.incidents.unposted())[-1].text
    await house.restart()
    await house.verification.run_once()
    assert await house.presences.all() == {}, "a restart confirms nothing"
    assert await house.verification.confirm(ADMIN)
    assert not await house.verification.confirm(ADMIN)
    await house.verification.run_once()
    assert len(await house.presences.all()) == 10
    assert house.acts("directory.confirmed") == [("note", "")]
    assert not any(k.startswith("held.") for k in await house.incidents_open())


async def test_a_better_directory_settles_a_held_one_by_itself(house: House) -> None:
    await house.day(without=tuple(range(10)))
    await house.day()
    assert await house.incidents_open() == []
    assert not await house.verification.confirm(ADMIN)
    assert await house.presences.all() == {}


async def test_whoever_could_not_be_told_is_told_later_once(house: House) -> None:
    house.server.errors = [HomeUnavailable("down")]
    with pytest.raises(HomeUnavailable):
        await house.day(without=(3,))
    assert house.server.told(3) == []
    await house.restart()
    await house.verification.run_once()
    await house.verification.run_once()
    assert len(house.server.told(3)) == 1


async def test_whoever_was_not_told_of_an_absence_is_not_told_of_its_end(house: House) -> None:
    house.server.errors = [HomeUnavailable("down")]
    with pytest.raises(HomeUnavailable):
        await house.day(without=(3,))
    await house.day()
    assert house.server.told(3) == []
    assert await house.presences.all() == {}


async def test_a_new_proof_before_the_next_look_begins_anew(house: House) -> None:
    for _ in range(8):
        await house.day(without=(3,))
    house.clock.advance(days=1)
    house.bring()
    await house.attest(3)
    await house.verification.run_once()
    assert len(house.server.told(3)) == 3
    assert await house.presences.all() == {}
    await house.closing.run_once()
    await house.closing.run_once()
    assert await house.endings.of(user(3)) is None, "a new proof brings everything back"


async def test_twenty_five_thousand_people_take_seconds_and_leave_the_loop_free(house: House) -> None:
    """Counted in this house's people, looked up as often as it takes."""
    fresh = house.directory.freshness()
    one = [
        Watched(
            UserId(f"@n{n}:h.test"), Rpps(rpps(n % PEOPLE)), None, Kept(user(n), Rpps(rpps(n % PEOPLE)), Presence())
        )
        for n in range(25_000)
    ]
    gaps, done = [0.0], asyncio.Event()

    async def heartbeat() -> None:
        last = monotonic()
        while not done.is_set():
            await asyncio.sleep(0.005)
            gaps.append(monotonic() - last)
            last = monotonic()

    beat = asyncio.create_task(heartbeat())
    began = monotonic()
    seen = await look_up(house.directory, Edition(fresh.made_at, fresh.imported_at), one, fresh=True)
    took = monotonic() - began
    done.set()
    await beat
    assert seen is not None
    assert seen.unlisted == []
    assert took < 30, "a few seconds on a machine that has nothing else to do"
    assert sorted(gaps)[int(len(gaps) * 0.95)] < 0.1


async def test_rows_come_back_as_they_were_kept(house: House) -> None:
    kept = Kept(
        user(1),
        Rpps(rpps(1)),
        Presence(State.MISSING, BEGIN, BEGIN.date(), 3, 1, BEGIN.date()),
        "ab" * 16,
        Turn.MISSING,
    )
    await house.presences.put(kept)
    assert await house.presences.all() == {user(1): kept}
    assert await house.presences.to_tell() == [kept]
    await house.presences.told(replace(kept, tell=Turn.BACK))
    assert await house.presences.to_tell() == [kept], "something else is to be told by now"
    await house.presences.told(kept)
    assert await house.presences.to_tell() == []
