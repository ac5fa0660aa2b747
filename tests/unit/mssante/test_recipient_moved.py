"""An address that the directory gave to somebody else since: no answer to its former owner goes there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from colloque.clock import FrozenClock
from colloque.errors import Refused
from colloque.identity import Adeli, EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Attachment, Party
from colloque.professional import Mailbox, MailboxKind
from colloque_mssante.leaving.composing import GONE_FROM_DIRECTORY, Composer
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.targets import Target
from colloque_mssante.people.conversations import Conversation
from colloque_mssante.people.ghosts import still_of
from colloque_mssante.rules.sends import Send
from colloque_mssante.texts import writing as texts
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_store import ANNE, BOX, ROOM

ADDRESS, OTHER = "bruno@cabinet.mssante.test", "autre@cabinet.mssante.test"
SERVICE = MssanteAddress("cardio@chu.mssante.test")
BRUNO = f"rpps:{rpps(2)}"
TARGET = Target(BOX, (Party("Dr B", ADDRESS),), thread="t", subject="Avis", listed=True)
LINES = [Line(EventId("$1"), "Bonjour")]


class Nothing:
    """Stands for authors, scanning, keys: everything may leave."""

    def name(self, _user: UserId) -> str:
        return "Dr Anne MARTIN"

    def sender(self, _user: UserId, mailbox: MssanteAddress) -> Party:
        return Party("Dr_Anne", mailbox.value)

    def signature(self, _user: UserId, _mailbox: MssanteAddress) -> str:
        return ""

    async def check(self, _files: list[Attachment]) -> None:
        return

    async def token(self, _room: RoomId, _value: str) -> str:
        return "ref"


class Room:
    """What the room is to whoever writes in it."""

    who: str | None = BRUNO

    async def of(self, room: RoomId, user: UserId) -> Conversation | None:
        return None if self.who is None else Conversation(room, user, self.who, "", "")


class Desk:
    def __init__(self, clock: FrozenClock) -> None:
        self.shelf = Shelf(doctor(2, "PETIT", "Bruno", mail=[ADDRESS]))
        self.room, self.clock = Room(), clock
        nothing = cast("Any", Nothing())
        self.composer = Composer(
            config=cast("Any", Config()),
            home=nothing,
            authors=nothing,
            directory=self.shelf,
            conversations=cast("Any", self.room),
            whitelisted=lambda _domain: True,
            scanning=nothing,
            originals=nothing,
            keys=nothing,
            clock=clock,
            secret=b"s" * 32,
        )

    async def send(self, target: Target = TARGET) -> Send:
        draft = Draft("$1", ROOM, ANNE, states.WAITING, target, next_at=self.clock.now())
        return await self.composer.compose(draft, LINES)

    async def why(self, target: Target = TARGET) -> tuple[str, str]:
        with pytest.raises(Refused) as refusal:
            await self.send(target)
        return refusal.value.reason, str(refusal.value)


class Config:
    """The limits of the operator."""

    size_limit = patient_size_limit = 10_000_000
    nil = "nil"


@pytest.fixture
async def desk(clock: FrozenClock) -> Desk:
    made = Desk(clock)
    assert (await made.send()).recipients == (ADDRESS,)
    return made


def to_another(shelf: Shelf) -> None:
    shelf.people = [doctor(2, "PETIT", "Bruno"), doctor(3, "GRAND", "Luc", mail=[ADDRESS])]


def disputed(shelf: Shelf) -> None:
    shelf.people = [doctor(2, "PETIT", "Bruno")]
    shelf.others = [Mailbox(MssanteAddress(ADDRESS), MailboxKind.PER)]


def to_a_service(shelf: Shelf) -> None:
    shelf.people = [doctor(2, "PETIT", "Bruno")]
    shelf.others = [Mailbox(MssanteAddress(ADDRESS), MailboxKind.ORG, "CHU")]


MOVES = [to_another, disputed, to_a_service]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("who", ["", BRUNO])
async def test_an_answer_stops_and_asks(desk: Desk, move: Any, who: str) -> None:
    """Whether the mail says whose it was, or its room does."""
    move(desk.shelf)
    assert await desk.why(replace(TARGET, who=who)) == (GONE_FROM_DIRECTORY, texts.ADDRESS_ANOTHERS)


@pytest.mark.parametrize("move", MOVES)
async def test_among_documents_the_mail_says_whose_it_was(desk: Desk, move: Any) -> None:
    desk.room.who = None
    of_bruno = replace(TARGET, who=BRUNO)
    assert (await desk.send(of_bruno)).state == "queued"
    move(desk.shelf)
    assert (await desk.why(of_bruno))[0] == GONE_FROM_DIRECTORY
    assert (await desk.send()).state == "queued", "of what came before nothing else is known"


async def test_a_person_keeps_their_address_under_another_number(desk: Desk) -> None:
    number = Adeli("990000015")
    desk.shelf.people = [replace(doctor(2, "PETIT", "Bruno", mail=[ADDRESS]), former=(number,))]
    for desk.room.who in (BRUNO, f"adeli:{number.value}"):
        assert (await desk.send()).state == "queued"
    desk.room.who = "adeli:990000023"
    assert (await desk.why())[0] == GONE_FROM_DIRECTORY


async def test_another_address_of_the_same_person_is_theirs(desk: Desk) -> None:
    desk.shelf.people = [doctor(2, "PETIT", "Bruno", mail=[ADDRESS, OTHER])]
    assert (await desk.send(replace(TARGET, to=(Party("", OTHER),)))).recipients == (OTHER,)


async def test_an_organisation_is_its_address_until_it_is_a_persons(desk: Desk) -> None:
    desk.room.who = f"address:{SERVICE}"
    desk.shelf.others = [Mailbox(SERVICE, MailboxKind.ORG, "CHU, cardiologie")]
    target = replace(TARGET, to=(Party("", SERVICE.value),))
    assert (await desk.send(target)).recipients == (SERVICE.value,)
    desk.shelf.others = [Mailbox(SERVICE, MailboxKind.ORG, "CHU, neurologie")]
    assert (await desk.send(target)).recipients == (SERVICE.value,)
    desk.shelf.others, desk.shelf.people = [], [doctor(3, "GRAND", "Luc", mail=[SERVICE.value])]
    reason, words = await desk.why(target)
    assert reason != GONE_FROM_DIRECTORY, "the same address would be proposed"
    assert words == texts.ADDRESS_ANOTHERS


async def test_who_was_never_listed_is_answered(desk: Desk) -> None:
    desk.room.who = "address:x@cabinet.mssante.test"
    target = replace(TARGET, to=(Party("", "x@cabinet.mssante.test"),), listed=False)
    assert (await desk.send(target)).state == "queued"
    desk.room.who = "operator"
    assert (await desk.send(replace(TARGET, listed=True))).state == "queued", "whoever brings reports is nobody"


@pytest.mark.parametrize("move", [*MOVES, lambda shelf: shelf.people.clear()])
async def test_an_answer_to_all_stops_and_proposes_no_other(desk: Desk, move: Any) -> None:
    """It would go to the others unconfirmed."""
    target = replace(TARGET, cc=(Party("", OTHER),), everyone=True)
    assert (await desk.send(target)).recipients == (ADDRESS, OTHER), "of the others nobody knows who they were"
    move(desk.shelf)
    assert (await desk.why(target))[0] != GONE_FROM_DIRECTORY


def test_what_the_directory_lists_under_somebody_without_being_theirs_alone_reaches_them() -> None:
    practice = Mailbox(MssanteAddress(OTHER), MailboxKind.CAB, "Cabinet")
    bruno = doctor(2, "PETIT", "Bruno", mail=[ADDRESS])
    shelf = Shelf(replace(bruno, mailboxes=(*bruno.mailboxes, practice)))
    assert still_of(BRUNO, practice.address, shelf)
    assert not still_of(f"rpps:{rpps(3)}", practice.address, shelf)
