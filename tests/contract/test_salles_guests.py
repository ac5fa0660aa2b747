"""Patient rooms that other servers made: which our bot follows, and what it notes there; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import MemberChange, Unreadable
from colloque.rooms.mark import ROOM_MARK
from colloque_salles.store.elsewhere import GuestRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_lodge import (
    FAR,
    GUEST,
    ME,
    STATE,
    THEIRS,
    THIRD,
    US,
    A,
    Lodge,
    event,
)
from tests.servers.salles_ward import BOB


async def test_our_bot_goes_where_a_listed_servers_bot_invites_it(lodge: Lodge) -> None:
    await lodge.lives_in()
    await lodge.guests.once()
    assert lodge.server.joined == [GUEST]
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert (guest.origin, guest.followed) == (A, True)
    assert await lodge.patients.get(GUEST) is None, "it leads nothing there"


@pytest.mark.parametrize(
    ("inviter", "shown"),
    [
        (FAR, STATE),
        (UserId("@salles:unknown.test"), STATE),
        (THIRD, STATE),
        (THEIRS, STATE[:1]),
        (THEIRS, [event("m.room.create", sender=FAR), STATE[1]]),
        (THEIRS, [STATE[0], event(ROOM_MARK, kind="direct")]),
        (THEIRS, ()),
        (UserId(f"@annuaire:{US}"), STATE),
    ],
)
async def test_it_goes_nowhere_else(lodge: Lodge, inviter: UserId, shown: Any) -> None:
    await lodge.invited(inviter, shown=shown)
    await lodge.guests.once()
    assert lodge.server.joined == []
    assert await lodge.rooms.get(GUEST) is None


async def test_a_room_of_another_version_is_not_followed(lodge: Lodge) -> None:
    await lodge.invited(room=RoomId("!room:chu-a.test"))
    assert await lodge.rooms.to_join() == []


async def test_a_room_that_is_not_what_its_invitation_showed_is_left(lodge: Lodge) -> None:
    await lodge.invited()
    lodge.server.states[GUEST] = [event("m.room.create", sender=FAR), STATE[1]]
    await lodge.guests.once()
    assert (lodge.server.joined, lodge.server.left) == ([GUEST], [GUEST])
    assert await lodge.rooms.get(GUEST) is None


async def test_an_invitation_that_can_not_be_taken_up_now_waits(lodge: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    await lodge.invited()
    lodge.server.states[GUEST] = STATE
    lodge.server.errors = [HomeUnavailable("away")]
    await lodge.guests.once()
    await lodge.guests.once()
    assert lodge.server.joined == [], "not at once"
    lodge.guests._again.clear()  # as time does, and a restart
    await lodge.guests.once()
    assert lodge.server.joined == [GUEST]


async def test_an_invitation_that_is_gone_is_not_tried_for_ever(lodge: Lodge) -> None:
    await lodge.invited()
    lodge.server.errors = [HomeRefused(403, "M_FORBIDDEN")]
    for _ in range(2):
        await lodge.guests.once()
    assert lodge.server.joined == []
    await lodge.lives_in()
    assert lodge.server.joined == [GUEST], "another one counts"


@pytest.mark.parametrize("how", ["leave", "ban"])
async def test_let_go_and_invited_again_it_comes_back_and_says_that_it_was_away(lodge: Lodge, how: str) -> None:
    await lodge.lives_in()
    for _ in range(2):
        await lodge.guests.hear(MemberChange(GUEST, ME, THEIRS, how))
        await lodge.guests.once()
    assert lodge.server.joined == [GUEST], "nobody invites it"
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert not guest.followed
    await lodge.invited()
    await lodge.guests.once()
    assert lodge.server.joined == [GUEST, GUEST]
    assert await lodge.rooms.to_join() == []
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert not guest.followed, "it was not there all the time"


async def test_whoever_is_invited_again_was_let_go_although_nobody_heard_it(lodge: Lodge) -> None:
    await lodge.lives_in()
    await lodge.invited()
    await lodge.guests.once()
    assert lodge.server.joined == [GUEST, GUEST]
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert not guest.followed


async def test_an_invitation_that_was_taken_back_leaves_no_gap(lodge: Lodge) -> None:
    await lodge.invited()
    await lodge.guests.hear(MemberChange(GUEST, ME, THEIRS, "leave"))
    await lodge.guests.hear(MemberChange(GUEST, BOB, BOB, "leave"))
    await lodge.lives_in()
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert guest.followed


async def test_only_what_our_own_people_share_is_in_the_ledger(lodge: Lodge) -> None:
    await lodge.guests.hear(lodge.message(BOB, f"mxc://{US}/early"))
    await lodge.lives_in()
    await lodge.guests.hear(lodge.message(BOB, f"mxc://{US}/ours", event="$1"))
    await lodge.guests.hear(lodge.message(FAR, f"mxc://{US}/stolen", f"mxc://{A}/theirs", event="$2"))
    await lodge.guests.hear(Unreadable(GUEST, EventId("$3"), BOB, lodge.clock.now()))
    assert [mxc for mxc, _ in await lodge.patients.files(GUEST)] == [f"mxc://{A}/theirs", f"mxc://{US}/ours"]
    assert await lodge.patients.counts(GUEST) == (3, 1)


async def test_a_room_of_an_earlier_release_counts_as_followed_until_ours_is_out(opened: Opener) -> None:
    before = salles_upgrades()
    before.upgrades = before.upgrades[: [each.__name__ for each in before.upgrades].index("gaps")]
    db = await opened(before)
    await db.execute("INSERT INTO guest_room (room, origin, since, joined) VALUES ($1, $2, 1, true)", GUEST, A)
    await db.stop()
    rooms = GuestRooms(await opened(salles_upgrades()))
    for followed in (True, False):
        guest = await rooms.get(GUEST)
        assert guest is not None
        assert guest.followed is followed
        await rooms.left(GUEST)
