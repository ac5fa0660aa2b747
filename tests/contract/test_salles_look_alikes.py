"""No two of one person's rooms share a word, however they came into them; on both databases."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import RoomSpec
from colloque_salles.rules import words as rules
from colloque_salles.rules.words import FIRST, SECOND
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import inviting as says
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward

OTHER, NEW = RoomId("!other"), RoomId("!made0")


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    """ROOM is ANNE's and BOB's; CLEO is in none."""
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    ward.server.inside[BOB] = "join"
    return ward


async def has_another(ward: Ward, words: str = "Cerise Merle") -> None:
    """CLEO is in a room of other people, too."""
    await ward.add(OTHER, words)
    await ward.patients.members(OTHER, (CLEO,))
    ward.server.stood.remove(OTHER)


def last(ward: Ward) -> EventId:
    """The last question."""
    return [EventId(f"${txn}") for txn, (_, c) in ward.server.sent.items() if "Inviter CLEO" in c.get("body", "")][-1]


async def test_who_has_a_look_alike_joins_the_team_in_another_room(ward: Ward) -> None:
    await has_another(ward)
    assert await ward.typed(BOB, "!patient inviter Cleo") == says.elsewhere(says.Why.WORDS)
    asked = await ward.typed(ANNE, "!patient inviter Cleo")
    assert "nom trop proche" in asked
    assert "Celui-ci se ferme" in asked
    assert await ward.taps(BOB, last(ward), "🤝") == says.elsewhere(says.Why.WORDS)
    assert ward.server.made == {}
    assert "continue dans le salon" in await ward.taps(ANNE, last(ward), "🤝")
    ((room, spec),) = ward.server.made.values()
    assert (room, set(spec.invite), ward.server.invited) == (NEW, {ANNE, BOB, CLEO}, [])
    assert (await ward.kept()).room.closed_at == ward.clock.now()
    assert {"Pin", "Merle", "Cerise"}.isdisjoint((await ward.kept(NEW)).words.split())


async def test_another_room_that_is_not_alike_changes_nothing(ward: Ward) -> None:
    await has_another(ward, "Cerise Moulin")
    assert "dans ce salon, au-delà" in await ward.typed(BOB, "!patient inviter Cleo")
    await ward.taps(BOB, last(ward), "🤝")
    assert (ward.server.invited, ward.server.made) == ([CLEO], {})


async def test_no_room_is_closed_unless_who_taps_has_read_so(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    before = last(ward)
    await has_another(ward)
    assert "nom trop proche" in await ward.taps(ANNE, before, "🤝")
    assert (ward.server.invited, ward.server.made) == ([], {})
    assert last(ward) != before
    assert await ward.taps(ANNE, before, "🤝") == "", "another question took its place"
    assert "continue dans le salon" in await ward.taps(ANNE, last(ward), "🤝")


async def test_they_join_the_room_itself_once_nothing_is_alike_any_more(ward: Ward) -> None:
    await has_another(ward)
    await ward.typed(ANNE, "!patient inviter Cleo")
    await Jobs(ward.db).forget(OTHER)
    await ward.taps(ANNE, last(ward), "🤝")
    assert (ward.server.invited, ward.server.made) == ([CLEO], {})


async def test_no_other_room_is_made_whose_words_would_come_again_too(ward: Ward) -> None:
    await has_another(ward)
    for number, (first, second) in enumerate(zip(FIRST, SECOND, strict=False)):
        await ward.add(RoomId(f"!r{number}"), f"{first} {second}")
    assert "dans ce salon, au-delà" in await ward.typed(ANNE, "!patient inviter Cleo")


async def test_a_tap_that_a_crash_cut_short_goes_on_though_nothing_is_alike_any_more(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    await has_another(ward)
    await ward.typed(ANNE, "!patient inviter Cleo")

    async def dies(*_: object) -> None:
        raise HomeUnavailable("away")

    count = ward.count
    with monkeypatch.context() as patched:
        patched.setattr(ward.life, "call", dies)
        with pytest.raises(HomeUnavailable):
            await ward.taps(ANNE, last(ward), "🤝")
    await Jobs(ward.db).forget(OTHER)
    ward.count = count
    await ward.taps(ANNE, last(ward), "🤝")
    assert (ward.server.invited, ward.server.retired) == ([], {ROOM: NEW})
    assert (await ward.kept()).room.closed_at is not None


def choose_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are chosen in their order: what is not looked at comes again."""
    monkeypatch.setattr(rules.secrets, "choice", lambda several: several[0])


async def opens(ward: Ward, number: int, who: UserId) -> list[str]:
    """The words of a room of theirs with BOB."""
    _, words = await ward.opening.open(ward.held(number, who), [ward.held(2, BOB)], EventId(f"$open{number}"))
    return words.split()


async def test_of_two_openings_at_once_one_sees_the_other(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would have their words before the server has made a room for either."""
    choose_first(monkeypatch)
    picked, both, reserve, create = [0], asyncio.Event(), ward.patients.reserve_words, ward.server.create_room

    async def reserves(words: str, key: str) -> None:
        await reserve(words, key)
        picked[0] += 1
        if picked[0] == 2:
            both.set()

    async def creates(spec: RoomSpec) -> RoomId:
        with suppress(TimeoutError):
            await asyncio.wait_for(both.wait(), 0.2)
        return await create(spec)

    monkeypatch.setattr(ward.patients, "reserve_words", reserves)
    monkeypatch.setattr(ward.server, "create_room", creates)
    one, other = await asyncio.gather(opens(ward, 1, ANNE), opens(ward, 3, CLEO))
    assert {*one}.isdisjoint(other)


async def test_a_room_that_somebody_has_not_come_into_yet_counts(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_first(monkeypatch)
    ward.server.inside[BOB] = "invite"
    one = await opens(ward, 1, ANNE)
    assert {*one}.isdisjoint(await opens(ward, 3, CLEO))


async def test_where_the_server_does_not_say_what_was_heard_counts(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_first(monkeypatch)

    async def refused(_: UserId) -> dict[RoomId, str]:
        raise HomeRefused(403, "M_FORBIDDEN")

    monkeypatch.setattr(ward.opening, "_where", refused)
    one = await opens(ward, 1, ANNE)
    assert {*one}.isdisjoint(await opens(ward, 3, CLEO))
