"""How mails that arrive are shown, on a real store: the homeserver, the directory and the rooms are stood for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock, to_millis
from colloque.errors import HomeUnavailable
from colloque.identity import EventId, MssanteAddress, MxcUri, RoomId, UserId
from colloque.matrix.home import JsonDict
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.arriving.inbound import Inbound
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.arriving.scanning import Scanning
from colloque_mssante.arriving.twins import Twins
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.store.documents import Documents
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.mailboxes import Mailboxes, Place
from colloque_mssante.store.mails import Mails, Uploads
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import Reads
from colloque_mssante.store.sending import Sending
from tests.unit.mssante.test_store import BOX, SINCE


@dataclass
class Homeserver:
    """Keeps transaction ids for a day, as Synapse does. `losing`: after how many events an answer is lost.

    It is every ghost, and its own API.
    """

    clock: FrozenClock
    user: UserId = field(default=UserId("@mss_x:h.test"))
    looked: int = 0
    """How often rooms were read."""
    stood: list[tuple[RoomId, str, JsonDict]] = field(default_factory=list)
    """Room, transaction id and content of each event, whose id is its number here."""
    losing: int | None = None
    _at: list[int] = field(default_factory=list)
    _known: dict[tuple[RoomId, str], tuple[EventId, Any]] = field(default_factory=dict)

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        event, at = self._known.get((room, txn), (None, None))
        if event is None or self.clock.now() - at > timedelta(hours=24):
            self.stood.append((room, txn, content))
            self._at.append(to_millis(self.clock.now()))
            event = EventId(f"${len(self.stood)}")
            self._known[room, txn] = event, self.clock.now()
        if self.losing is not None:
            self.losing -= 1
            if self.losing < 0:
                raise HomeUnavailable("its answer is lost")
        return event

    @property
    def api(self) -> Homeserver:
        return self

    async def call(self, _method: str, _where: str, *, query: Mapping[str, str]) -> JsonDict:
        """The history of the one room that stands here."""
        self.looked += 1
        found = [
            {"event_id": f"${n}", "sender": self.user, "origin_server_ts": at, "unsigned": {"transaction_id": txn}}
            for n, (txn, at) in enumerate(zip(self.txns(), self._at, strict=True), 1)
        ]
        return {"chunk": found[::-1]} if query["dir"] == "b" else {}

    async def reserve_media(self) -> MxcUri:
        return MxcUri("mxc://h.test/1")

    async def upload(self, _data: bytes, to: MxcUri) -> MxcUri:
        return to

    def txns(self) -> list[str]:
        """What each event was sent under."""
        return [txn for _, txn, _ in self.stood]

    def rooms(self) -> list[str]:
        """Where each event stands."""
        return [room for room, _, _ in self.stood]


@dataclass
class Rooms:
    """Stands for the conversations: one room for each holder and correspondent, and the quiet ones."""

    home: Homeserver
    documents_: Documents

    async def ensure(self, owner: UserId, who: Correspondent, *, team: MssanteAddress | None = None) -> tuple[Any, Any]:
        return RoomId(f"!{team or owner} {who.key}"), self.home

    async def documents(self, owner: UserId, mailbox: MssanteAddress, _who: Correspondent) -> tuple[Any, Any]:
        room = RoomId(f"!quiet {owner} {mailbox}")
        await self.documents_.begin(room, owner, None)
        return room, self.home


class Shelf:
    """A directory that lists nobody; everybody is of MSSanté."""

    def by_mssante(self, _address: MssanteAddress) -> None:
        return None

    def whitelisted(self, _domain: str) -> bool:
        return True

    async def settled(self, who: Correspondent) -> Correspondent:
        """As the ghosts'."""
        return who


class Desk:
    """Inbound, and what becomes of what it does."""

    def __init__(self, db: Database, clock: FrozenClock, folder: Path) -> None:
        self.db, self.clock = db, clock
        self.home = Homeserver(clock)
        self.inbox, self.boxes = Inbox(db, clock), Mailboxes(db, clock)
        self.mails, self.reads, self.threads = Mails(db, clock), Reads(db, clock), Threads(db, clock)
        self.journal = Journal.open(folder / "journal.jsonl", clock)
        shelf, outbox, keys = cast("Any", Shelf()), Outbox(db, clock), RoomKeys(db)
        documents = Documents(db)
        common: dict[str, Any] = {
            "db": db,
            "inbox": self.inbox,
            "mails": self.mails,
            "outbox": outbox,
            "keys": keys,
            "journal": self.journal,
        }
        self.quiet = Quiet(
            home=cast("Any", self.home), directory=shelf, ghosts=shelf, mails=self.mails, documents=documents
        )
        self.inbound = Inbound(
            **common,
            conversations=cast("Any", Rooms(self.home, documents)),
            ghosts=shelf,
            directory=shelf,
            threads=self.threads,
            uploads=Uploads(db),
            sending=Sending(db, clock),
            scanning=Scanning(None, incidents=Incidents(db, clock), journal=self.journal, clock=clock),
            quiet=self.quiet,
            twins=Twins(**common, sayings=Sayings(db, clock), reads=self.reads),
            only_reports=lambda _mailbox: False,
            changed=lambda: None,
        )

    async def came(self, owner: UserId, uid: int, raw: bytes, *, validity: int = 7) -> Place:
        """That mail is fetched from the mailbox that `owner` has."""
        cursor = await self.boxes.start(BOX, owner, SINCE)
        if cursor.uidvalidity not in {None, validity}:
            cursor = await self.inbox.anew(cursor, validity, uid + 1)
        cursor = await self.inbox.store(cursor, validity, uid, [Taken(uid, raw)])
        return Place(cursor, validity, uid)

    async def deliver(self, owner: UserId, uid: int, raw: bytes, *, validity: int = 7) -> None:
        """And shown."""
        await self.inbound.deliver(await self.came(owner, uid, raw, validity=validity), raw)


def a_mail(name: str, sender: str = "b@cabinet.mssante.test", *more: str) -> bytes:
    """Message-ID `<name@x>`; `more` header lines."""
    lines = [f"From: {sender}", "To: a@medecin.mssante.test", f"Message-ID: <{name}@x>", "Subject: Avis", *more]
    return "\r\n".join([*lines, "", "Bonjour"]).encode()
