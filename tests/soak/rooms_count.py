"""What came of a batch's rooms: each one's receipt, archive and remains, one by one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from colloque.clock import from_millis, to_millis
from colloque.identity import RoomId
from colloque.rooms.keeping import WAIVERS, Proof
from colloque_salles.erasing.receipts import PUBLIC_NAME
from tests.pdfa import text_of
from tests.soak.bridge_people import TAKEN
from tests.soak.rooms_people import ERASED, Room, RoomsPeople, parts_of
from tests.soak.rooms_plan import Way
from tests.soak.rooms_world import WAIT_S
from tests.waiting import until

HEARD_S = 15.0
"""A tap that comes that long before time alone proves an archive is heard before."""
EMPTY_S = 60.0
"""After everybody was told, the last rows are to be gone within that."""


@dataclass
class Found:
    """Faults by room (its story's key), or by what is of no single room."""

    lost: dict[str, list[str]] = field(default_factory=dict)
    doubled: dict[str, list[str]] = field(default_factory=dict)

    def miss(self, key: str, what: str) -> None:
        """Something is not there, or came too early."""
        self.lost.setdefault(key, []).append(what)

    def more(self, key: str, what: str) -> None:
        """Something is there twice, or left."""
        self.doubled.setdefault(key, []).append(what)

    def exactly(self, count: int, wanted: int, key: str, what: str) -> None:
        """Note too few, or too many."""
        if count < wanted:
            self.miss(key, f"{what}: {count} instead of {wanted}")
        elif count > wanted:
            self.more(key, f"{what}: {count} instead of {wanted}")


async def look(people: RoomsPeople, rooms: Sequence[Room], ever: int) -> Found:
    """`ever`: how many rooms were opened since the world began, these included."""
    found, world = Found(), people.world

    async def empty() -> bool:
        return not await asyncio.to_thread(world.rows_left)

    with contextlib.suppress(AssertionError):  # the count below tells
        await until(empty, "nothing left of any room", within=EMPTY_S)
    for person in people.people:
        await person.look()
    receipts = await asyncio.to_thread(world.receipts)
    for room in rooms:
        if room.stuck:
            found.miss(room.story.key, f"{room.story.end} {room.story.way}: {room.stuck}")
        if room.words:
            await _one(found, people, room, receipts)
    found.exactly(len(receipts), ever, "receipts", "receipts of all rooms")
    if not await _holds(people):
        found.miss("receipts", "the chain does not hold")
    for table, count in (await asyncio.to_thread(world.rows_left)).items():
        found.more("rows", f"{count} left in {table}")
    if left := await world.left_files():
        found.more("files", f"{left} of @salles's left on the server")
    return found


async def _one(found: Found, people: RoomsPeople, room: Room, receipts: Mapping[int, dict[str, Any]]) -> None:
    receipt = receipts.get(_told(found, people, room))
    if receipt is None:
        found.miss(room.story.key, "no receipt")
    else:
        _receipt(found, people, room, receipt)
    _archive(found, people, room)
    for left in await people.world.left_of(RoomId(room.room), room.urls):
        found.more(room.story.key, left)


def _told(found: Found, people: RoomsPeople, room: Room) -> int:
    """Each of its two members is told once, and of the same receipt; its number."""
    serials = set[int]()
    for rank in range(2):
        said = people.told(room, f"« {room.words} » {ERASED}", rank=rank)
        found.exactly(len(said), 1, room.story.key, f"told to be erased (member {rank})")
        serials |= {int(number[1]) for each in said if (number := re.search(r"n° (\d+),", each["body"]))}
    if len(serials) > 1:
        found.more(room.story.key, "two receipts")
    return min(serials, default=0)


def _receipt(found: Found, people: RoomsPeople, room: Room, receipt: dict[str, Any]) -> None:
    key, erased_at = room.story.key, from_millis(receipt["erased_at"])
    if receipt["archived"] not in _proofs(people, room):
        found.miss(key, f"proven by {receipt['archived'] or 'nothing'}")
    if receipt["archived"] != Proof.DELIVERED and receipt["erased_at"] < room.tapped_ms:
        found.miss(key, "erased before its referent had said so")
    if receipt["archived"] == Proof.DELIVERED and (came := [_came(mail) for mail in people.mails(room)]):
        waited = (erased_at - max(came)).total_seconds()
        if waited < WAIT_S:
            found.miss(key, f"erased {waited:.0f} s after its delivery")
    if receipt["before"]["files"] != len(room.urls):
        found.miss(key, f"{receipt['before']['files']} files counted of {len(room.urls)}")
    if receipt["undecryptable"]:
        found.miss(key, f"{receipt['undecryptable']} events not read")


def _proofs(people: RoomsPeople, room: Room) -> set[Proof]:
    asked = _asked_for(room)
    came = [to_millis(_came(mail)) for mail in people.mails(room)]
    late = bool(came) and room.last_tap_ms > max(came) + (WAIT_S - HEARD_S) * 1000
    return asked | {Proof.DELIVERED} if late else asked


def _asked_for(room: Room) -> set[Proof]:
    match room.story.way:
        case Way.SILENT:
            return {Proof.NOTHING_SAID}
        case Way.WAIVED:
            return {WAIVERS[room.story.reason - 1]}
        case Way.DELIVERED if not room.asked:
            return {Proof.DELIVERED}
        # A room that waited for its referent's word may just have been proven when they gave it.
        case Way.DELIVERED:
            return {Proof.DELIVERED, Proof.FILED}
    return {Proof.FILED}


def _archive(found: Found, people: RoomsPeople, room: Room) -> None:
    """Every mail of it once, and in them everything that was said. Of a waived one a mail may have left before."""
    key, mails = room.story.key, people.mails(room)
    taken = {parts_of(mail): set[str]() for mail in mails}
    named = {parts_of(mail): set[str]() for mail in mails}
    for mail in mails:
        taken[parts_of(mail)].add(_queue_id(mail))
        named[parts_of(mail)].add(str(mail["Message-ID"]))
    for parts, ids in taken.items():
        # One that nobody could know to have left leaves once more, as the same mail.
        room.sent_again |= len(ids) > 1
        found.exactly(max(len(named[parts]), len(ids) - 1), 1, key, f"mail {parts[0]} of its archive")
    if room.story.way is Way.WAIVED:
        return
    if room.story.way is Way.SILENT:
        found.exactly(len(mails), 0, key, "mails of a room where nothing was said")
        return
    if people.told(room, f"« {room.words} » sont ci-dessus"):
        return  # no mailbox took it
    count = next((of for _, of in taken), 1)
    found.exactly(len(taken), count, key, "parts of its archive")
    files = dict(_files(mails))
    printed = "".join(text_of(data) for name, data in files.items() if name.endswith(".pdf"))
    for text in room.texts:
        found.exactly(int(text in printed), 1, key, "what was said, in its archive")
    for name, data in room.files.items():
        found.exactly(int(files.get(name) == data), 1, key, "a file, in its archive")


def _files(mails: Sequence[EmailMessage]) -> Iterator[tuple[str, bytes]]:
    for mail in mails:
        for part in mail.iter_attachments():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            yield part.get_filename() or "", data


def _queue_id(mail: EmailMessage) -> str:
    """Postfix, killed while it delivers, may deliver one mail twice: under one queue id."""
    taken = TAKEN.search(" ".join(map(str, mail.get_all("Received", []))))
    return taken[1] if taken else ""


def _came(mail: EmailMessage) -> datetime:
    """When Postfix took it."""
    return parsedate_to_datetime(str(mail.get_all("Received", [""])[-1]).rpartition(";")[2].strip())


async def _holds(people: RoomsPeople) -> bool:
    """Signatures and chain of all receipts, by the command that an establishment uses."""
    folder = people.world.receipt_files
    files = sorted(map(str, folder.glob("receipt-*.json")))
    if not files:
        return True
    command = (sys.executable, "-m", "colloque.cli.main", "receipt", "verify", *files)
    out = asyncio.subprocess.DEVNULL
    checked = await asyncio.create_subprocess_exec(*command, "--key", str(folder / PUBLIC_NAME), stdout=out)
    return await checked.wait() == 0
