"""Patient rooms that end, on a real database: which of their files go; with a homeserver's answers by hand."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.admin import Deletion
from colloque.rooms.patient_room import PatientRoom
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.erasing.direct import DirectErasing
from colloque_salles.erasing.direct_files import Uploads
from colloque_salles.erasing.erase import Eraser
from colloque_salles.store.copies import Copies
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.jobs import ErasureRow, Jobs
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import PatientRooms
from tests.servers.dispatch import CONFIG, SERVER

ANNE, BOB, PAUL, GHOST = (UserId(f"@{name}:{SERVER}") for name in ("anne", "bob", "paul", "mss_x"))
ME = CONFIG.bot("salles")
A, B, C = (RoomId(f"!{name}") for name in "abc")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def mxc(name: str, server: str = SERVER) -> MxcUri:
    return MxcUri(f"mxc://{server}/{name}")


class Server:
    """The homeserver's files, rooms and people, as its admin API shows them."""

    def __init__(self) -> None:
        self.files: dict[MxcUri, UserId] = {}
        self.rooms: dict[RoomId, dict[UserId, str]] = {}
        self.pictures: dict[UserId, MxcUri] = {}
        self.talks: dict[UserId, dict[RoomId, str]] = {}
        self.pages: dict[RoomId, list[list[tuple[EventId, UserId]]]] = {}
        self.deleted: list[MxcUri] = []
        self.readable_at: dict[MxcUri, set[RoomId]] = {}
        """Which rooms could still be read when a file went."""
        self.stuck: set[RoomId] = set()
        """Rooms whose deletion takes its time."""

    async def media_uploader(self, file: MxcUri) -> UserId | None:
        return self.files.get(file)

    async def delete_media(self, file: MxcUri) -> None:
        self.readable_at.setdefault(file, set(self.rooms))
        self.files.pop(file, None)
        self.deleted.append(file)

    async def served(self, file: MxcUri) -> bool:
        return file in self.files

    async def memberships(self, room: RoomId) -> dict[UserId, str]:
        return self.rooms.get(room, {})

    async def room(self, room: RoomId) -> dict[str, Any] | None:
        return {} if room in self.rooms else None

    async def deletions(self, room: RoomId) -> dict[str, Deletion]:
        return {"d": Deletion.ACTIVE} if room in self.stuck else {}

    async def delete_room(self, room: RoomId) -> str:
        del self.rooms[room]
        return "d"

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        return self.talks.get(user, {})

    async def picture(self, user: UserId) -> str:
        return self.pictures.get(user, "")

    async def said(self, room: RoomId, me: UserId) -> AsyncIterator[list[tuple[EventId, UserId]]]:
        for page in self.pages.get(room, []):
            yield page


class Helper:
    """In the place of `Cleaning`: there is none, so nothing is looked at."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.noted: dict[RoomId, list[MxcUri]] = {}

    async def before(self, row: ErasureRow) -> None:
        pass

    async def clean(self, row: ErasureRow, files: list[MxcUri]) -> None:
        """The job stays here: what comes later is not this place's."""
        self.noted[row.room] = files


class Ending:
    """The eraser and what it stands on; rooms A and B are ANNE's, with BOB."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.db, self.clock, self.server = db, clock, Server()
        self.patients, self.jobs, self.directs = PatientRooms(db), Jobs(db), DirectRooms(db)
        self.mails, self.helper = MailThreadRows(db), Helper(self.jobs)
        self.count = itertools.count()
        unused: Any = None
        server = cast("Any", self.server)
        uploads = Uploads(
            admin=server,
            history=server,
            directs=self.directs,
            patients=self.patients,
            rooms=Rooms(db),
            jobs=self.jobs,
            clock=clock,
            me=ME,
            spare=timedelta(days=1),
            notice=timedelta(days=7),
        )
        journal, keys = Journal.open(tmp / "journal.jsonl", clock), RoomKeys(db)
        directs = DirectErasing(
            admin=server,
            history=server,
            directs=self.directs,
            uploads=uploads,
            jobs=self.jobs,
            listing=server,
            keys=keys,
            journal=journal,
            clock=clock,
            cleaning=cast("Any", self.helper),
            forget=unused,
        )
        self.eraser = Eraser(
            admin=server,
            patients=self.patients,
            copies=Copies(db),
            mails=self.mails,
            jobs=self.jobs,
            rooms=unused,
            handled=unused,
            keys=keys,
            journal=journal,
            clock=clock,
            signer=unused,
            store=unused,
            still_served=self.server.served,
            cleaning=cast("Any", self.helper),
            directs=directs,
            config=replace(CONFIG, salles=replace(CONFIG.salles, cleaner=None)),
        )

    async def opened(self, room: RoomId, *members: UserId) -> None:
        """A patient room of ANNE's that @salles follows, with these people."""
        people = {ANNE, *members}
        self.server.rooms[room] = dict.fromkeys(people, "join") | {ME: "join"}
        patient = PatientRoom(room=room, opener=ANNE, members=tuple(sorted(people)), opened_at=NOW, last_activity=NOW)
        await self.patients.add(patient, f"Pin {room}")

    async def shared(self, room: RoomId, name: str, by: UserId | None = ANNE) -> MxcUri:
        """Some event of the room names a file; `by`: who uploaded it, None for one that is gone."""
        file = mxc(name)
        if by is not None:
            self.server.files[file] = by
        event = EventId(f"$e{next(self.count)}")
        await self.patients.heard(room, event, readable=True, files=(file,))
        return file

    async def ends(self, *rooms: RoomId) -> None:
        """Their jobs begin, one after the other."""
        for room in rooms:
            kept = await self.patients.get(room)
            assert kept is not None
            await self.eraser.start(kept)

    async def goes_on(self) -> None:
        """As far as all jobs go: a deletion that was asked for is seen by the next sweep, by others the one after."""
        for _ in range(3):
            await self.eraser.go_on()

    async def forgotten(self, room: RoomId) -> None:
        await self.jobs.forget(room)

    async def manifest(self, room: RoomId) -> dict[str, Any]:
        row = await self.jobs.get(room)
        assert row is not None
        return row.manifest
