"""Erases a closed room: manifest, Synapse's deletion, each file, a look with other eyes, the signed receipt.

The job lives in the database; every step may be run again after a crash:

    purge    (`direct_erase`: old messages of a room that goes on; they have no step "delete")
    delete   ask Synapse to delete and purge (its own job is forgotten after a day or a restart: then ask again)
    files    delete each file of the ledger, and every copy made of the room; files that a living room knows too are
             kept and counted, also when it came to know them since the manifest was made
    verify   the room and each file are asked for again
    clean    what Synapse leaves in its side tables goes (see `cleaning`)
    scan     everything is looked at with other eyes
    receipt  signed, chained to the previous one, kept in the database, then written as a file
    forget   our own rows, the bot's keys of the room, and last the key that could name it in the journal
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from colloque.clock import Clock, from_millis
from colloque.config import Config
from colloque.errors import ColloqueError, Temporary
from colloque.identity import MxcUri, RoomId, UserId
from colloque.logs import event as log_event
from colloque.matrix.admin import Deletion, SynapseAdmin
from colloque.rooms.elsewhere import Copy
from colloque.rooms.erasure import (
    ELSEWHERE,
    GENESIS,
    NOT_FOLLOWED,
    OTHER_SERVERS,
    OUT_OF_REACH,
    AskedBy,
    Counts,
    Kind,
    Receipt,
    Residue,
)
from colloque.store.handled import Handled
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.erasing.cleaning import SIDE_TABLES, Cleaning
from colloque_salles.erasing.direct import PURGE, DirectErasing
from colloque_salles.erasing.manifests import Manifests, several
from colloque_salles.erasing.receipts import Signer
from colloque_salles.erasing.unheard import Unheard
from colloque_salles.store.copies import Copies
from colloque_salles.store.elsewhere import Asked, GuestRoom
from colloque_salles.store.jobs import ErasureRow, Jobs, ReceiptRow
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import Kept, PatientRooms

ROOM_ADDRESS, UNTIL_ANSWERED = "room_address", "until_servers_answer"
"""What our own database keeps of an erased room, and how long, where other servers had members."""
log = logging.getLogger(__name__)


class Forgetful(Protocol):
    """The bot's own crypto store."""

    async def forget_room_keys(self, room: RoomId) -> None:
        """Delete every session of the room."""
        ...


class Eraser:
    """One erasure at a time, one step after the other."""

    def __init__(
        self,
        *,
        admin: SynapseAdmin,
        patients: PatientRooms,
        copies: Copies,
        mails: MailThreadRows,
        jobs: Jobs,
        rooms: Rooms,
        handled: Handled,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        signer: Signer,
        store: Forgetful,
        still_served: Callable[[MxcUri], Awaitable[bool]],
        cleaning: Cleaning,
        directs: DirectErasing,
        config: Config,
    ) -> None:
        self._admin = admin
        self._patients = patients
        self._copies = copies
        self._mails = mails
        self._jobs = jobs
        self._rooms = rooms
        self._handled = handled
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._signer = signer
        self._store = store
        self._still_served = still_served
        self._cleaning = cleaning
        self._directs = directs
        self._manifests = Manifests(
            admin=admin,
            patients=patients,
            mails=mails,
            jobs=jobs,
            unheard=Unheard(listing=directs.listing, jobs=jobs, me=config.bot("salles")),
            uploads=directs.uploads,
            keys=keys,
            clock=clock,
            config=config,
        )
        self._steps: dict[str, Callable[[ErasureRow], Awaitable[None]]] = {
            "delete": self._delete,
            PURGE: directs.purge,
            "files": self._files,
            "verify": self._verify,
            "clean": self._clean,
            "scan": self._scan,
            "receipt": self._receipt,
            "forget": self._forget,
        }

    async def start(self, kept: Kept) -> None:
        """Begin the job: what the room held is written down before anything is deleted."""
        await self._begin(kept.room.room, await self._manifests.of_room(kept))

    async def start_copy(self, asked: Asked, copy: Copy, guest: GuestRoom | None) -> None:
        """The same for our copy of a room that another server made, and asks us to erase."""
        await self._begin(asked.room, await self._manifests.of_copy(asked, copy, guest))

    async def _begin(self, room: RoomId, found: dict[str, Any]) -> None:
        files, events = len(found["files"]), found["events"]
        self._journal.begin("room.erase", actor="system", ref=found["ref"], files=files, events=events)
        await self._jobs.start(room, found)

    async def go_on(self) -> None:
        """Move every job as far as it goes now; a failing one waits for the next sweep and is reported."""
        for row in await self._jobs.under_way():
            try:
                await self._advance(row)
            except Temporary as error:
                log_event(log, "erasure.deferred", step=row.step, code=error.code)
            except ColloqueError as error:
                log_event(log, "erasure.failed", step=row.step, code=error.code)

    async def _advance(self, row: ErasureRow) -> None:
        current: ErasureRow | None = row
        while current is not None:
            before = current.step
            await self._steps[before](current)
            current = await self._jobs.get(row.room)
            if current is not None and current.step == before:
                return

    async def _delete(self, row: ErasureRow) -> None:
        under_way = await self._admin.deletions(row.room)
        if any(d in {Deletion.SCHEDULED, Deletion.ACTIVE} for d in under_way.values()):
            return
        if await self._admin.room(row.room) is None:
            await self._jobs.at_step(row.room, "files")
            return
        if await self._lives_on(row):
            return
        await self._cleaning.before(row)
        if not await self._lives_on(row):
            await self._admin.delete_room(row.room)

    async def _lives_on(self, row: ErasureRow) -> bool:
        """A conversation that nobody could close is held by now, or goes on: then its job ends here."""
        if not row.is_unclosed or await self._directs.is_over(row):
            return False
        await self._directs.stop(row)
        return True

    async def _files(self, row: ErasureRow) -> None:
        """A file that another room knows stays while that one can be read: for good where it is not being erased."""
        lives, waits = set[MxcUri](), set[MxcUri]()
        for mxc in map(MxcUri, row.manifest["files"]):
            known, ends = await self._jobs.known_in(mxc, row.room)
            if known and await self._admin.media_uploader(mxc) is not None:
                await self._mails.orphaned(mxc)
                lives.add(mxc)
            elif ends:
                waits.add(mxc)
        if lives:
            files = [mxc for mxc in row.manifest["files"] if mxc not in lives]
            kept = Counter(row.manifest["kept_files"]) + Counter(known_in_another_room=len(lives))
            await self._jobs.noted(row.room, row.step, {"files": files, "kept_files": kept})
        gone = [mxc for mxc in await self._stored(row) if mxc not in lives | waits]
        await several(gone, self._admin.delete_media)
        if not waits:
            await self._jobs.at_step(row.room, "verify")

    async def _verify(self, row: ErasureRow) -> None:
        served = await several(await self._stored(row), self._is_there)
        if row.of_messages and not await self._directs.is_purged(row):
            await self._jobs.at_step(row.room, PURGE)
        elif not row.of_messages and await self._admin.room(row.room) is not None:
            await self._jobs.at_step(row.room, "delete")
        elif any(served):
            await self._jobs.at_step(row.room, "files")
        else:
            await self._mails.gone(await self._stored(row))
            await self._jobs.at_step(row.room, "clean")

    async def _clean(self, row: ErasureRow) -> None:
        await self._cleaning.clean(row, await self._stored(row))

    async def _scan(self, row: ErasureRow) -> None:
        await self._cleaning.scan(row, await self._stored(row))

    async def _stored(self, row: ErasureRow) -> list[MxcUri]:
        """The files that people shared; uncounted in the receipt, the room's own picture and the copies of it.

        A copy goes with its room wherever it was forwarded: what people shared may belong to another room, too, but the
        copy is this room's conversation, and whoever asked for it was told that it ends here. The other room keeps a
        message whose file is gone.

        No copy is added any more: `Copies.keep` refuses once the room is being erased.
        """
        shared = [MxcUri(mxc) for mxc in (*row.manifest["files"], row.manifest.get("picture")) if mxc]
        return [*shared, *await self._copies.files(row.room)]

    async def _is_there(self, mxc: MxcUri) -> bool:
        return await self._admin.media_uploader(mxc) is not None or await self._still_served(mxc)

    async def _receipt(self, row: ErasureRow) -> None:
        async with self._jobs.chain:
            await self._sign(row)

    async def _sign(self, row: ErasureRow) -> None:
        found: dict[str, Any] = row.manifest
        members, stay = tuple(UserId(u) for u in found["members"]), row.of_messages
        serial, previous = await self._jobs.last()
        receipt = Receipt(
            serial=serial + 1,
            room=found["token"],
            opened_at=from_millis(found["opened_at"]),
            closed_at=from_millis(found["closed_at"]),
            erased_at=self._clock.now(),
            before=Counts(events=found["events"], files=len(found["files"]), members=len(members)),
            after=Counts(events=0, files=0, members=len(members) if stay else 0),
            files_deleted=len(found["files"]),
            undecryptable=found["undecryptable"],
            residue=_residue(found),
            out_of_reach=(*OUT_OF_REACH, *_unseen(found)),
            previous=json.loads(previous)["hash"] if previous else GENESIS,
            archived=found.get("archived", ""),
            servers=tuple(found.get("servers", ())),
            asked_by=AskedBy(**found["asked_by"]) if "asked_by" in found else None,
            kind=Kind(found.get("kind", Kind.PATIENT)),
        )
        body = self._signer.sign(receipt.to_dict())
        await self._jobs.add(
            ReceiptRow(receipt.serial, body, found["words"], () if stay else members),
            row.room,
            asked=found.get("asked", ""),
        )

    async def _forget(self, row: ErasureRow) -> None:
        for receipt in await self._jobs.to_write():
            self._signer.write(receipt.serial, receipt.body)
            await self._jobs.written(receipt.serial)
        act = self._journal.begin("room.erase", actor="system", ref=row.manifest["ref"])
        await self._cleaning.forget(row.room)
        if row.is_unclosed:
            await self._directs.forget(row.room)
        await self._store.forget_room_keys(row.room)
        await self._handled.forget_room(row.room)
        await self._rooms.forget(row.room)
        await self._keys.destroy(row.room)
        self._journal.end(act, "erased")
        await self._jobs.forget(row.room)


def _residue(found: dict[str, Any]) -> tuple[Residue, ...]:
    kept = (Residue("kept_files", count, why) for why, count in sorted(found["kept_files"].items()))
    # Their servers are still to be asked about it, by its address.
    waits = [Residue(ROOM_ADDRESS, len(found["servers"]), UNTIL_ANSWERED)] if found.get("servers") else []
    return (*kept, *(Residue(*left) for left in found.get("left", ())), *waits)


def _unseen(found: dict[str, Any]) -> tuple[str, ...]:
    """What is out of reach besides what always is."""
    elsewhere = [ELSEWHERE] if found.get("servers") else []
    elsewhere += [OTHER_SERVERS] if found.get("abroad") else []
    alone = [] if found.get("followed", True) else [NOT_FOLLOWED]
    return (*found.get("unseen", [SIDE_TABLES]), *elsewhere, *alone)
