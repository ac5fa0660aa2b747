"""Other servers ask that our copies be erased; on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from colloque.clock import monotonic, to_millis
from colloque.errors import BadInput, HomeRefused, Refused
from colloque.identity import RoomId
from colloque.rooms.elsewhere import Copy
from colloque.rooms.mark import HOLD, ROOM_MARK
from colloque_salles.elsewhere.asked import UNDER_WAY
from colloque_salles.store.jobs import ReceiptRow
from tests.servers.salles_lodge import (
    GUEST,
    ME,
    REF,
    STATE,
    US,
    A,
    C,
    Lodge,
    address,
    event,
)
from tests.servers.salles_ward import BOB


async def test_a_copy_is_erased_once_and_its_receipt_is_the_same_each_time(lodge: Lodge) -> None:
    await lodge.lives_in()
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY
    await lodge.asking.once()
    ((asked, copy, guest),) = lodge.eraser.copies
    assert (asked.server, asked.ref, copy.name) == (A, REF, "Équipe · Pin Merle")
    assert guest is not None
    assert guest.followed
    await lodge.jobs.start(GUEST, {})
    await lodge.asking.once()
    assert len(lodge.eraser.copies) == 1, "it is under way"
    await lodge.jobs.add(ReceiptRow(1, json.dumps({"serial": 1}), "", ()), GUEST, asked=asked.asked)
    await lodge.jobs.forget(GUEST)
    for _ in range(2):
        answer = await lodge.asking.erase_copy(A, GUEST, REF)
        assert answer == {"state": "erased", "receipt": {"serial": 1}}
    rows = await lodge.db.fetch("SELECT * FROM asked_erasure")
    assert GUEST not in str([tuple(row) for row in rows])
    assert await lodge.rooms.get(GUEST) is None


async def test_it_begins_when_all_that_was_shared_is_heard(lodge: Lodge) -> None:
    await lodge.lives_in()
    lodge.heard_until = monotonic()
    await lodge.asking.erase_copy(A, GUEST, REF)
    await lodge.asking.once()
    await lodge.asking.once()
    assert lodge.eraser.copies == []
    lodge.heard_until = float("inf")
    await lodge.asking.once()
    assert len(lodge.eraser.copies) == 1


async def test_whose_room_it_is_our_own_copy_tells(lodge: Lodge) -> None:
    unmarked, direct, mine, own = [address(name) for name in ("unmarked", "direct", "bobs", "own")]
    await lodge.lives_in()
    await lodge.ward.add(own)
    lodge.server.states[own] = [event("m.room.create", sender=ME), event(ROOM_MARK, sender=ME, kind="patient")]
    lodge.server.states[unmarked] = STATE[:1]
    lodge.server.states[direct] = [STATE[0], event(ROOM_MARK, kind="direct")]
    lodge.server.states[mine] = [event("m.room.create", sender=BOB), STATE[1]]
    for server, room, code in (
        (C, GUEST, "erasure.not_yours"),
        (US, GUEST, "erasure.not_yours"),
        (A, own, "erasure.not_yours"),
        (US, own, "erasure.not_yours"),
        (A, mine, "erasure.not_yours"),
        (A, unmarked, "erasure.not_marked"),
        (A, direct, "erasure.not_marked"),
    ):
        with pytest.raises(Refused) as caught:
            await lodge.asking.erase_copy(server, room, REF)
        assert caught.value.reason == code
    await lodge.asking.once()
    assert lodge.eraser.copies == []
    journal = (lodge.ward.book._path.parent / "asked.jsonl").read_text(encoding="utf-8")
    assert journal.count("room.erase_asked") == 7
    assert not any(room in journal for room in (GUEST, own, unmarked, direct, mine))


async def test_a_request_that_fails_holds_up_no_other(lodge: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        await lodge.lives_in(address(name))
        await lodge.asking.erase_copy(A, address(name), REF)
    failing = (await lodge.asked.open())[0].room
    real = lodge.server.state

    async def state(room: RoomId) -> list[dict[str, Any]]:
        if room == failing:
            raise HomeRefused(400, "M_UNKNOWN")
        return await real(room)

    monkeypatch.setattr(lodge.server, "state", state)
    await lodge.asking.once()
    assert [asked.room for asked, _, _ in lodge.eraser.copies] != []
    assert failing not in [asked.room for asked, _, _ in lodge.eraser.copies]
    monkeypatch.undo()
    await lodge.asking.once()
    assert failing in [asked.room for asked, _, _ in lodge.eraser.copies]


async def test_a_hold_that_comes_before_it_begins_stops_it(lodge: Lodge) -> None:
    await lodge.lives_in()
    await lodge.asking.erase_copy(A, GUEST, REF)
    until = to_millis(lodge.clock.now() + timedelta(days=1))
    lodge.server.states[GUEST] = [*STATE, event(HOLD, until=until)]
    await lodge.asking.once()
    assert lodge.eraser.copies == []
    with pytest.raises(Refused, match=r"erasure\.held"):
        await lodge.asking.erase_copy(A, GUEST, REF)
    lodge.server.states[GUEST] = STATE
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY


async def test_a_room_that_nobody_knows_is_erased_like_any_other(lodge: Lodge) -> None:
    assert await lodge.asking.erase_copy(C, address("nothing"), REF) == UNDER_WAY
    lodge.heard_until = 0
    await lodge.asking.once()
    ((asked, copy, guest),) = lodge.eraser.copies
    assert (asked.server, copy, guest) == (C, Copy(), None)


async def test_of_mere_invitations_their_sender_told_whose_they_are(lodge: Lodge) -> None:
    await lodge.invited()
    lodge.server.known = {GUEST}
    with pytest.raises(Refused, match=r"erasure\.not_yours"):
        await lodge.asking.erase_copy(C, GUEST, REF)
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY
    lodge.server.known = {address("strange")}
    with pytest.raises(Refused, match=r"erasure\.not_yours"):
        await lodge.asking.erase_copy(A, address("strange"), REF)


async def test_the_same_word_for_another_room_is_another_request(lodge: Lodge) -> None:
    await lodge.lives_in()
    await lodge.lives_in(address("second"))
    for room in (GUEST, address("second")):
        await lodge.asking.erase_copy(A, room, REF)
    await lodge.asking.once()
    assert {asked.room for asked, _, _ in lodge.eraser.copies} == {GUEST, address("second")}


@pytest.mark.parametrize(
    ("room", "ref"), [(GUEST[1:], REF), (GUEST, "x"), (GUEST + "x", REF), ("!room:h.test", REF), (GUEST, "AB" * 10)]
)
async def test_what_is_no_room_and_no_token(lodge: Lodge, room: str, ref: str) -> None:
    with pytest.raises(BadInput):
        await lodge.asking.erase_copy(A, room, ref)
