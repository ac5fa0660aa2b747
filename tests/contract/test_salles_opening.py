"""Opening a patient room by words and by taps, and what is noted of the patient; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import MemberChange, RoomSpec
from colloque.rooms.lifecycle import end_of
from colloque.rooms.mark import RoomKind, home_key
from colloque.rooms.patient_room import RoomState
from colloque_salles.living.hearing import Ledger
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import DAY, ROOM, RULE, Ward

HOME, OTHER_HOME = RoomId("!home-anne"), RoomId("!home-bob")


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    for room, owner in ((HOME, ANNE), (OTHER_HOME, BOB)):
        await ward.rooms.put(home_key(owner), room, RoomKind.HOME, owner)
    return ward


def made(ward: Ward) -> list[set[UserId]]:
    """Who is invited to the rooms that were made."""
    return [set(spec.invite) for _, spec in ward.server.made.values()]


def last(ward: Ward) -> EventId:
    """The last message that was said."""
    return EventId("$" + [txn for txn, (_, content) in ward.server.sent.items() if "body" in content][-1])


async def offered(ward: Ward, words: str = "!patient ouvrir") -> EventId:
    await ward.typed(ANNE, words, f"$o{words}", HOME)
    offer = await ward.offers.of(ANNE)
    assert offer is not None
    return offer.event


async def test_three_taps(ward: Ward) -> None:
    await ward.offering.once()
    await ward.offering.once()
    assert [room for room, content in ward.server.sent.values() if "🩺" in content.get("body", "")] == [
        HOME,
        OTHER_HOME,
    ], "once in each home"
    door = await ward.offers.door(ANNE)
    assert door is not None
    said = await ward.taps(ANNE, door, "🩺", HOME)
    assert [line for line in said.splitlines() if line[0] in "12"] == ["1️⃣ BOB · médecin", "2️⃣ CLEO · pharmacien"]
    offer = last(ward)
    assert await ward.taps(ANNE, offer, "1️⃣", HOME) == ""
    assert "ouvert avec BOB" in await ward.taps(ANNE, offer, "✅", HOME)
    assert made(ward) == [{ANNE, BOB}]


async def test_a_number_is_taken_back(ward: Ward) -> None:
    offer = await offered(ward)
    await ward.taps(ANNE, offer, "1️⃣", HOME)
    first = f"$r{ward.count}"
    await ward.taps(ANNE, offer, "2️⃣", HOME)
    await ward.takes_back(ANNE, first, HOME)
    await ward.taps(ANNE, offer, "✅", HOME)
    assert made(ward) == [{ANNE, CLEO}]


async def test_yes_without_a_number_opens_nothing(ward: Ward) -> None:
    offer = await offered(ward)
    assert "Touchez d'abord" in await ward.taps(ANNE, offer, "✅", HOME)
    assert made(ward) == []
    await ward.taps(ANNE, offer, "3️⃣", HOME)
    assert "Touchez d'abord" in await ward.taps(ANNE, offer, "✅", HOME)


async def test_an_offer_serves_once_and_its_owner_alone(ward: Ward) -> None:
    offer = await offered(ward)
    await ward.taps(BOB, offer, "1️⃣", OTHER_HOME)
    await ward.taps(BOB, offer, "1️⃣", HOME)
    assert "Touchez d'abord" in await ward.taps(ANNE, offer, "✅", HOME)
    await ward.taps(ANNE, offer, "1️⃣", HOME)
    await ward.taps(ANNE, offer, "✅", HOME)
    assert await ward.taps(ANNE, offer, "✅", HOME) == ""
    newer = await offered(ward, "!patient ouvrir 10 jours")
    assert newer != offer
    await ward.taps(ANNE, offer, "1️⃣", HOME)
    assert "Touchez d'abord" in await ward.taps(ANNE, newer, "✅", HOME)
    assert len(made(ward)) == 1


async def test_a_name_opens_at_once_and_twice_heard_opens_once(ward: Ward) -> None:
    for _ in range(2):
        await ward.typed(ANNE, "!patient ouvrir bob, cleo", "$same", HOME)
    assert made(ward) == [{ANNE, BOB, CLEO}]


async def test_a_name_nearly_so_is_proposed_never_picked(ward: Ward) -> None:
    said = await ward.typed(ANNE, "!patient ouvrir cléa, bob", "$n", HOME)
    assert "Rien n'a été ouvert" in said
    assert made(ward) == []
    assert "1️⃣ CLEO · pharmacien" in said
    assert "Déjà choisis : BOB" in said
    await ward.taps(ANNE, last(ward), "1️⃣", HOME)
    await ward.taps(ANNE, EventId("$$n"), "✅", HOME)
    assert made(ward) == [{ANNE, BOB, CLEO}]


async def test_nobody_of_that_name(ward: Ward) -> None:
    assert "Nommez-les" in await ward.typed(ANNE, "!patient ouvrir inconnu", "$n", HOME)
    assert await ward.offers.of(ANNE) is None


@pytest.mark.parametrize(
    ("typed", "idle"),
    [
        ("10 jours bob", 10 * DAY),
        ("pour 48h bob", 2 * DAY),
        ("trois mois bob", 90 * DAY),
        ("bob", None),
    ],
)
async def test_how_long_it_lives(ward: Ward, typed: str, idle: timedelta | None) -> None:
    said = await ward.typed(ANNE, f"!patient ouvrir {typed}", "$n", HOME)
    (kept,) = await ward.patients.all()
    assert kept.room.own_idle == idle
    assert end_of(kept.room, RULE) == ward.begin + (idle or RULE.idle)
    assert ("30 jours" in said) is (idle is None)
    room, first = ward.server.sent[f"first-{next(iter(ward.server.made))}"]
    assert room == kept.room.room
    assert "appelez le 15" in first["body"]


@pytest.mark.parametrize("typed", ["12h bob", "400 jours bob"])
async def test_a_life_out_of_bounds_opens_nothing(ward: Ward, typed: str) -> None:
    assert "entre 24 heures et 180 jours" in await ward.typed(ANNE, f"!patient ouvrir {typed}", "$n", HOME)
    assert made(ward) == []


async def test_a_short_life_is_announced_in_its_measure(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient ouvrir 2 jours bob", "$n", HOME)
    before = len(ward.server.said)
    for at, count in ((1.4, 0), (1.5, 1), (1.8, 1), (1.875, 2), (2, 3)):
        ward.day(at)
        await ward.sweep.once()
        assert len(ward.server.said) - before == count, at
    (kept,) = await ward.patients.all()
    assert kept.room.state is RoomState.CLOSED


async def test_each_room_has_its_picture(ward: Ward) -> None:
    for number in range(3):
        await ward.typed(ANNE, "!patient ouvrir bob", f"$n{number}", HOME)
    assert len(set(ward.server.pictures)) == 3
    for kept in await ward.patients.all():
        url = ward.server.states[kept.room.room, "m.room.avatar"]["url"]
        assert await ward.patients.picture(kept.room.room) == url
    words = [word for kept in await ward.patients.all() for word in kept.words.split()]
    assert len(set(words)) == 6, "no two of one person's rooms look alike"


async def test_what_a_crash_cut_short_is_done_when_heard_again(ward: Ward) -> None:
    ward.server.errors = [RuntimeError("killed")]
    with pytest.raises(RuntimeError):
        await ward.typed(ANNE, "!patient ouvrir bob", "$n", HOME)
    await ward.typed(ANNE, "!patient ouvrir bob", "$n", HOME)
    (kept,) = await ward.patients.all()
    assert len(ward.server.made) == 1
    assert sum("appelez le 15" in said for said in ward.server.said) == 1
    assert await ward.patients.picture(kept.room.room)


async def test_who_loses_their_access_while_the_room_is_made_is_not_left_in_it(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their eviction came before the room was followed, and passed it over."""
    create = ward.server.create_room

    async def creates(spec: RoomSpec) -> RoomId:
        room = await create(spec)
        ward.loses_access(BOB)
        return room

    monkeypatch.setattr(ward.server, "create_room", creates)
    await ward.typed(ANNE, "!patient ouvrir Bob, Cleo", "$o", HOME)
    assert ward.server.inside[BOB] == "leave"
    assert [gone.user for gone in await Evicted(ward.db).all()] == [BOB]
    assert ward.server.inside[ANNE] == "join"


async def test_a_room_whose_command_serves_no_more_ends_all_the_same(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash right after it was made; the only one who was named has lost their access meanwhile."""

    async def dies(*_: object) -> None:
        raise HomeUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ward.patients, "add", dies)
        with pytest.raises(HomeUnavailable):
            await ward.typed(ANNE, "!patient ouvrir Bob", "$o", HOME)
    ward.loses_access(BOB)
    ward.server.refuses_members = True
    await ward.opening.settle()
    ward.server.refuses_members = False
    for _ in range(2):
        await ward.opening.settle()
    assert "Nommez-les" in await ward.typed(ANNE, "!patient ouvrir Bob", "$o", HOME)
    ((room, _),) = ward.server.made.values()
    assert (await ward.kept(room)).room.opener == ANNE
    assert (await ward.kept(room)).room.members == (ANNE,)
    assert ward.server.inside[BOB] == "leave"
    assert ward.server.inside[ward.server.user] == "join"
    for day in (23, 29, 30):
        ward.day(day)
        await ward.sweep.once()
    assert (await ward.kept(room)).room.state is RoomState.CLOSED


async def test_whom_the_server_joined_before_a_crash_is_a_member_all_the_same(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their join was heard of a room that nobody followed yet. Without them the archive went to somebody else."""

    async def dies(*_: object) -> None:
        raise HomeUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ward.patients, "add", dies)
        with pytest.raises(HomeUnavailable):
            await ward.typed(ANNE, "!patient ouvrir Bob", "$o", HOME)
    ((room, _),) = ward.server.made.values()
    ledger = Ledger(ward.patients, ward.membership, ward.clock)
    await ledger.hear(MemberChange(room, ANNE, ANNE, "join"))
    await ward.typed(ANNE, "!patient ouvrir Bob", "$o", HOME)
    await ledger.hear(MemberChange(room, BOB, BOB, "join"))
    assert (await ward.kept(room)).room.members == (ANNE, BOB)


async def test_who_is_there_at_the_closing_is_the_servers_word(ward: Ward) -> None:
    await ward.add()
    await ward.patients.members(ROOM, (BOB,))
    ward.server.inside[BOB] = "join"
    await ward.typed(ANNE, "!patient terminer")
    assert (await ward.kept()).room.members == (ANNE, BOB)


async def test_consent_is_noted_once_by_whom_and_when(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient ouvrir bob", "$n", HOME)
    (kept,) = await ward.patients.all()
    room = kept.room.room
    first = await ward.offers.asked_by(room)
    assert first is not None
    signs = {c["m.relates_to"]["key"] for r, c in ward.server.sent.values() if r == room and "m.relates_to" in c}
    assert signs == {"🗣️", "🤝", "🚨"}
    assert "patient informé (BOB, le 02/03/2026" in await ward.taps(BOB, first, "🗣", room)
    assert await ward.taps(ANNE, first, "🗣️", room) == ""
    assert await ward.taps(ANNE, EventId("$other"), "🤝", room) == ""
    ward.clock.advance(minutes=1)
    assert "consentement" in await ward.taps(ANNE, first, "🤝", room)
    assert [told.what for told in await ward.offers.told(room)] == ["informed", "consent"]
    assert len(await ward.consent.said(room)) == 2
    await Jobs(ward.db).forget(room)
    assert await ward.offers.told(room) == []


async def test_an_opposition_stops_the_writing(ward: Ward) -> None:
    await ward.add()
    said = await ward.typed(BOB, "!patient opposition")
    assert "s'oppose" in said
    kept = await ward.kept()
    assert kept.room.state is RoomState.CLOSED
    assert ward.server.states[ROOM, "m.room.power_levels"]["events_default"] == 100
    assert [told.what for told in await ward.offers.told(ROOM)] == ["opposed"]
    assert "déjà fermé" in await ward.typed(ANNE, "!patient opposition")


async def test_a_home_that_refuses_holds_up_no_other_and_a_new_one_gets_its_door(ward: Ward) -> None:
    ward.server.errors = [HomeRefused(403, "M_FORBIDDEN")]
    await ward.offering.once()
    await ward.offering.once()
    assert [room for room, _ in ward.server.sent.values()] == [OTHER_HOME] * 2, "the message, and its sign"
    await ward.rooms.put(home_key(ANNE), RoomId("!new-home"), RoomKind.HOME, ANNE)
    await ward.offering.once()
    assert await ward.offers.door(ANNE)
