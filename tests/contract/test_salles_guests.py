"""Companions in our rooms, guest rooms of other servers, and requests to erase a copy; on both databases."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Listed, Method, Servers, snapshot
from colloque.clock import FrozenClock, monotonic, to_millis
from colloque.errors import BadInput, HomeRefused, HomeUnavailable, Refused
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming, MemberChange, Unreadable
from colloque.rooms.elsewhere import Copy
from colloque.rooms.mark import HOLD, ROOM_MARK
from colloque.store.journal import Journal
from colloque_salles.asked import UNDER_WAY, Asking
from colloque_salles.guests import Guests
from colloque_salles.hearing import Ledger
from colloque_salles.jobs import Jobs, ReceiptRow
from colloque_salles.store import PatientRooms
from colloque_salles.store_elsewhere import Asked, AskedErasures, GuestRoom, GuestRooms
from colloque_salles.tables import salles_upgrades
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener
from tests.servers.salles_ward import ANNE, BOB, ROOM, Ward

US, A, C = "h.test", "chu-a.test", "chu-c.test"
ME, THEIRS, THIRD = UserId(f"@salles:{US}"), UserId(f"@salles:{A}"), UserId(f"@salles:{C}")
FAR = UserId(f"@far:{A}")
REF = "ab" * 10


def address(name: str) -> RoomId:
    """As rooms of version 12 have."""
    return RoomId("!" + name.ljust(43, "_"))


GUEST = address("guest")


def listed(ward: Ward, *servers: str, erases: bool = True, people: tuple[UserId, ...] = ()) -> None:
    """What the snapshot says from now on."""
    now = ward.clock.now()
    until = now + timedelta(days=30)
    names = [Listed(s, (UserId(f"@salles:{s}"),), "", until if erases else None) for s in servers]
    held = [ward._held(1, ANNE), ward._held(2, BOB)]
    for n, user in enumerate(people):
        held.append(
            Attestation(user, rpps(20 + n), f"FAR{n}", Method.PSC, now, until, professions=("10",), category="C")
        )
    serial = ward.book.serial + 1
    ward.writer.publish(snapshot(serial, now, held, {}, Servers(serial, until, tuple(names))))


def event(type_: str, sender: str = THEIRS, state_key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": state_key, "sender": sender, "content": content}


STATE = [event("m.room.create"), event(ROOM_MARK, kind="patient"), event("m.room.name", name="Équipe · Pin Merle")]


@dataclass
class Homeserver:
    """What ours says of rooms that others made."""

    user: UserId = ME
    states: dict[RoomId, list[dict[str, Any]]] = field(default_factory=dict)
    known: set[RoomId] = field(default_factory=set)
    joined: list[RoomId] = field(default_factory=list)
    left: list[RoomId] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def state(self, room: RoomId) -> list[dict[str, Any]]:
        return self.states.get(room, [])

    async def room(self, room: RoomId) -> dict[str, Any] | None:
        return {} if room in self.known or room in self.states else None

    async def join(self, room: RoomId) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.joined.append(room)

    async def leave(self, room: RoomId) -> None:
        self.left.append(room)


@dataclass
class Begun:
    """An eraser that notes what it was to erase."""

    copies: list[tuple[Asked, Copy, GuestRoom | None]] = field(default_factory=list)

    async def start_copy(self, asked: Asked, copy: Copy, guest: GuestRoom | None) -> None:
        self.copies.append((asked, copy, guest))


class Lodge:
    """All of it around one ward."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.ward, self.db, self.clock = Ward(tmp, db, clock), db, clock
        self.server, self.eraser = Homeserver(), Begun()
        self.patients, self.rooms, self.asked, self.jobs = PatientRooms(db), GuestRooms(db), AskedErasures(db), Jobs(db)
        self.heard_until = float("inf")
        self.guests = Guests(
            home=self.server,
            admin=self.server,  # type: ignore[arg-type]
            rooms=self.rooms,
            patients=self.patients,
            book=self.ward.book,
            clock=clock,
        )
        self.asking = Asking(
            admin=self.server,  # type: ignore[arg-type]
            rows=self.asked,
            guests=self.rooms,
            patients=self.patients,
            jobs=self.jobs,
            eraser=self.eraser,  # type: ignore[arg-type]
            has_heard=lambda _, until: until <= self.heard_until,
            journal=Journal.open(tmp / "asked.jsonl", clock),
            clock=clock,
        )
        listed(self.ward, A, C)

    async def invited(self, inviter: UserId = THEIRS, *, room: RoomId = GUEST, shown: Any = STATE) -> None:
        await self.guests.hear(MemberChange(room, ME, inviter, "invite", None, tuple(shown)))

    async def lives_in(self, room: RoomId = GUEST) -> None:
        await self.invited(room=room)
        self.server.states[room] = STATE
        await self.guests.once()

    def message(self, sender: UserId, *files: str, event: str = "$e") -> Incoming:
        content = {"files": list(files)}
        return Incoming(GUEST, EventId(event), sender, self.clock.now(), "m.room.message", content, True, True)


@pytest.fixture
async def lodge(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Lodge:
    return Lodge(tmp_path, await opened(salles_upgrades()), clock)


# guest rooms


async def test_our_bot_goes_where_a_listed_servers_bot_invites_it(lodge: Lodge) -> None:
    await lodge.lives_in()
    await lodge.invited()
    await lodge.guests.once()
    assert lodge.server.joined == [GUEST]
    guest = await lodge.rooms.get(GUEST)
    assert guest is not None
    assert (guest.origin, guest.joined) == (A, True)
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


async def test_only_what_our_own_people_share_is_in_the_ledger(lodge: Lodge) -> None:
    await lodge.guests.hear(lodge.message(BOB, f"mxc://{US}/early"))
    await lodge.lives_in()
    await lodge.guests.hear(lodge.message(BOB, f"mxc://{US}/ours", event="$1"))
    await lodge.guests.hear(lodge.message(FAR, f"mxc://{US}/stolen", f"mxc://{A}/theirs", event="$2"))
    await lodge.guests.hear(Unreadable(GUEST, EventId("$3"), BOB, lodge.clock.now()))
    assert [mxc for mxc, _ in await lodge.patients.files(GUEST)] == [f"mxc://{A}/theirs", f"mxc://{US}/ours"]
    assert await lodge.patients.counts(GUEST) == (3, 1)


# being asked


async def test_a_copy_is_erased_once_and_its_receipt_is_the_same_each_time(lodge: Lodge) -> None:
    await lodge.lives_in()
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY
    assert await lodge.asking.erase_copy(A, GUEST, REF) == UNDER_WAY
    await lodge.asking.once()
    ((asked, copy, guest),) = lodge.eraser.copies
    assert (asked.server, asked.ref, copy.name) == (A, REF, "Équipe · Pin Merle")
    assert guest is not None
    assert guest.joined
    await lodge.jobs.start(GUEST, {})
    await lodge.asking.once()
    assert len(lodge.eraser.copies) == 1, "it is under way"
    await lodge.jobs.add(ReceiptRow(1, json.dumps({"serial": 1}), "", ()), GUEST, asked.asked)
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


# companions


async def test_each_other_server_has_its_own_bot_in_the_room_first(lodge: Lodge) -> None:
    ward = lodge.ward
    listed(ward, US, A, C, people=(FAR,))
    ward.server.user = ME
    await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    ((room, spec),) = ward.server.made.values()
    assert spec.invite == (THEIRS, ANNE, FAR)
    assert spec.shared
    assert await ward.companions._rows.all() == {room: {THEIRS}}


async def test_nobody_comes_in_of_a_server_that_can_prove_no_erasure(lodge: Lodge) -> None:
    ward = lodge.ward
    listed(ward, A, people=(FAR,))
    said = await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    assert "votre établissement ne sait pas encore prouver" in said
    listed(ward, US, people=(FAR,))
    said = await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    assert "ne sait pas encore effacer un salon avec reçu" in said
    assert ward.server.made == {}


async def test_who_is_invited_later_has_their_bot_there_before(lodge: Lodge) -> None:
    ward = lodge.ward
    await ward.add()
    listed(ward, A, people=(FAR,))
    ward.server.user, ward.server.inside[ME] = ME, "join"
    await ward.companions.invite(ROOM, [FAR])
    assert ward.server.invited == [THEIRS]


async def test_whoever_is_missing_is_invited_and_who_has_nobody_left_goes(
    lodge: Lodge, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = lodge.ward
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, FAR))
    ward.server.user = ME
    ward.server.inside = {ANNE: "join", FAR: "join", ME: "join"}
    out = []

    async def set_state(room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        out.append((UserId(state_key), content))
        ward.server.inside[UserId(state_key)] = "leave"
        return EventId("$s")

    monkeypatch.setattr(ward.server, "set_state", set_state)
    await ward.companions.once()
    assert ward.server.invited == [THEIRS]
    ward.server.inside[THEIRS] = "join"
    for _ in range(3):
        await ward.companions.once()
    assert (ward.server.invited, out) == ([THEIRS], [])
    ward.server.inside[FAR] = "leave"
    await ward.patients.members(ROOM, (ANNE,))
    await ward.companions.once()
    assert out == [(THEIRS, {"membership": "leave"})]
    await ward.companions.once()
    assert await ward.companions._rows.all() == {}
    assert len(out) == 1


async def test_the_bot_of_a_server_that_is_listed_no_more_goes(lodge: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    ward = lodge.ward
    await ward.add()
    ward.server.user = ME
    ward.server.inside = {ANNE: "join", FAR: "join", ME: "join", THEIRS: "join"}
    await ward.companions.note(ROOM, [THEIRS])
    listed(ward, C)
    out = []

    async def set_state(room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        out.append(state_key)
        return EventId("$s")

    monkeypatch.setattr(ward.server, "set_state", set_state)
    await ward.companions.once()
    assert out == [THEIRS], "their people's own going is the annuaire service's business"


async def test_a_companion_is_no_member_of_the_team(lodge: Lodge) -> None:
    ward = lodge.ward
    await ward.add()
    ledger = Ledger(ward.patients, ward.life, ME, ward.clock, ward.book.is_bot)
    for user in (ANNE, THEIRS):
        await ledger.hear(MemberChange(ROOM, user, user, "join"))
    assert (await ward.kept()).room.members == (ANNE,)
    ward.server.inside = {ANNE: "join", THEIRS: "join"}
    assert "salles" not in await ward.typed(ANNE, "!patient equipe")
