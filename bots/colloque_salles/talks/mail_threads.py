"""A mail thread that ended: its files are deleted, what is left is looked for, and a receipt is signed.

The bridge withdrew its events, and asks here for what only @salles may do. The job lives in the database; every step
may be run again:

    events   each must be withdrawn; what Synapse still holds of it is counted
    files    delete what senders of these events uploaded; what others uploaded, or a patient room takes too, is kept
             and counted
    verify   each file is asked for again
    clean    what Synapse leaves of the files in its side tables goes (where the helper is)
    scan     everything is looked at for the files' names (where it is)
    receipt  signed, in the one chain of receipts

A receipt names no thread: its token means nothing to anybody once the bridge has forgotten it.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from colloque.calls import JsonDict
from colloque.clock import Clock, from_millis
from colloque.config import Config
from colloque.errors import BadInput, ColloqueError, Temporary
from colloque.identity import MxcUri, RoomId, UserId, server_of
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.erasure import GENESIS, ORIGINALS, OTHER_SERVERS, OUT_OF_REACH, Counts, Kind, Receipt, Residue
from colloque.rooms.leftovers import DAYS_7, UNREADABLE, as_code, why
from colloque.rooms.media import files_in, server_of_media
from colloque.sockets import Client, Verb
from colloque_salles.cleaner.work import CLEANER, SLOW_S
from colloque_salles.erasing.cleaning import SIDE_TABLES
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.jobs import Jobs, ReceiptRow
from colloque_salles.store.mail_threads import MailThreadRows, ThreadRow

CONTENTS = "event_json"
"""The table in which Synapse keeps what a withdrawn event said, until it drops that by itself."""
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_NUMBERS = ("began_at", "last_at", "members", "remote", "undecryptable")

log = logging.getLogger(__name__)


class MailThreads:
    """One instance a service."""

    def __init__(
        self,
        *,
        config: Config,
        rows: MailThreadRows,
        jobs: Jobs,
        admin: SynapseAdmin,
        signer: Signer,
        still_served: Callable[[MxcUri], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._rows = rows
        self._jobs = jobs
        self._admin = admin
        self._signer = signer
        self._still_served = still_served
        self._clock = clock
        self._server = server_of(config.bot("salles"))
        configured = config.salles.cleaner is not None
        self._helper = Client(config.socket(CLEANER), "salles", timeout_s=SLOW_S + 10) if configured else None
        self._steps: dict[str, Callable[[ThreadRow], Awaitable[None]]] = {
            "events": self._events,
            "files": self._files,
            "verify": self._verify,
            "clean": self._clean,
            "scan": self._scan,
            "receipt": self._receipt,
        }

    @property
    def verbs(self) -> dict[str, Verb]:
        """What the bridge may ask."""
        return {"thread_note": self.note, "thread_erase": self.erase, "thread_forget": self.forget}

    async def note(
        self, token: str, events: Sequence[object], files: Sequence[object], shared: Sequence[object]
    ) -> JsonDict:
        """Some of a thread's events and files (`[mxc, who shared it]` each); `shared`: files that another thread shares
        too. Safe to repeat. Raises BadInput.
        """
        if not _is_token(token) or not all(isinstance(event, str) for event in events):
            raise BadInput("a thread has a token and events")
        own, others = _pairs(files), _pairs(shared)
        await self._rows.note(token, [str(event) for event in events], own)
        await self._rows.note(token, [], others, shared=True)
        return {}

    async def erase(
        self,
        *,
        token: str,
        began_at: int,
        last_at: int,
        members: int,
        remote: int,
        undecryptable: int,
    ) -> JsonDict:
        """End a thread that was noted whole: `{"serial": …}`, 0 until there is a receipt: ask again.

        `began_at` and `last_at` are milliseconds since 1970; `remote`: how many of the members are of other servers.
        Raises BadInput.
        """
        numbers = dict(zip(_NUMBERS, (began_at, last_at, members, remote, undecryptable), strict=True))
        if not _is_token(token) or not all(type(value) is int and value >= 0 for value in numbers.values()):
            raise BadInput("an erasure has a token, two moments and counts")
        return {"serial": await self._rows.start(token, numbers)}

    async def forget(self, token: str) -> JsonDict:
        """The bridge knows the receipt's number."""
        await self._rows.forget(token)
        return {}

    async def once(self) -> None:
        """Move every job as far as it goes now; a failing one waits for the next pass, and is logged."""
        for row in await self._rows.under_way():
            try:
                await self._advance(row)
            except ColloqueError as error:
                log_event(log, "mail_thread.deferred", step=row.step, code=error.code)
        for receipt in await self._jobs.to_write():
            self._signer.write(receipt.serial, receipt.body)
            await self._jobs.written(receipt.serial)

    async def _advance(self, row: ThreadRow) -> None:
        current: ThreadRow | None = row
        while current is not None:
            before = current.step
            await self._steps[before](current)
            current = await self._rows.get(row.token)
            if current is not None and current.step == before:
                return

    async def _events(self, row: ThreadRow) -> None:
        held, senders = 0, set[UserId]()
        for event in await self._rows.events(row.token):
            stored = await self._admin.stored_event(event)
            if stored is None:
                continue
            if stored.given:
                raise Temporary("an event was not withdrawn")
            senders.add(stored.sender)
            held += stored.held
        await self._rows.noted(row, "files", {"held": held, "senders": sorted(senders)})

    async def _files(self, row: ThreadRow) -> None:
        """People may name files that are not theirs: what its sender uploaded goes, or what an earlier thread left.

        A patient room that lives takes what it knows; of those that end, the one whose list has it. Raises Temporary
        while another that ends can still be read.
        """
        kept: Counter[str] = Counter()
        ours: list[MxcUri] = []
        copies: list[MxcUri] = []
        job = RoomId(row.token)
        taken = await self._jobs.taken(job)
        for file in await self._rows.files(row.token):
            lives, ends = await self._jobs.known_in(file.mxc, job)
            if server_of_media(file.mxc) != self._server:
                kept["on_another_server"] += 1
                if not lives:
                    copies.append(file.mxc)
                continue
            uploader = await self._admin.media_uploader(file.mxc)
            in_patient_room = lives or file.mxc in taken
            if uploader is not None and not (file.orphan or uploader in file.senders & set(row.manifest["senders"])):
                kept["of_somebody_else"] += 1
            elif uploader is not None and (in_patient_room or file.in_thread):
                kept["known_in_another_room" if in_patient_room else "known_in_another_thread"] += 1
                await self._rows.orphaned(file.mxc)
            elif ends:
                raise Temporary("a room that is still to be deleted knows a file")
            else:
                ours.append(file.mxc)
                if uploader is not None:
                    await self._admin.delete_media(file.mxc)
        await self._rows.noted(row, "verify", {"ours": ours, "copies": copies, "kept_files": dict(kept)})

    async def _verify(self, row: ThreadRow) -> None:
        for mxc in row.manifest["ours"]:
            if await self._admin.media_uploader(mxc) is not None or await self._still_served(mxc):
                await self._rows.noted(row, "files", {})
                raise Temporary("a file is still there")
        await self._rows.gone([MxcUri(mxc) for mxc in row.manifest["ours"]])
        await self._rows.noted(row, "clean", {})

    async def _clean(self, row: ThreadRow) -> None:
        """Files of other servers go there with what they are part of; the copies that our server made go here."""
        reviewed, ours, copies = False, row.manifest["ours"], row.manifest["copies"]
        if self._helper is not None and (ours or copies):
            await self._helper.call("note", room=row.token, events=[], files=ours, remote=copies)
            reviewed = bool((await self._helper.call("clean", room=row.token))["reviewed"])
        await self._rows.noted(row, "scan", {"reviewed": reviewed})

    async def _scan(self, row: ThreadRow) -> None:
        left: list[tuple[str, int, str]] = []
        if self._helper is not None and (row.manifest["ours"] or row.manifest["copies"]):
            done = (await self._helper.call("look", rooms=[row.token]))["done"]
            if row.token not in done:
                return
            seen = done[row.token]
            left = [
                (as_code(place), count, why(place, reviewed=row.manifest["reviewed"]))
                for place, count in seen["found"].items()
            ]
            left += [(as_code(place), 1, UNREADABLE) for place in seen["unreadable"]]
        await self._rows.noted(row, "receipt", {"left": sorted(left)})

    async def _receipt(self, row: ThreadRow) -> None:
        if self._helper is not None:
            await self._helper.call("forget", room=row.token)
        async with self._jobs.chain:
            serial, previous = await self._jobs.last()
            before = json.loads(previous)["hash"] if previous else GENESIS
            receipt = await self._made(row, serial + 1, before)
            body = self._signer.sign(receipt.to_dict())
            await self._jobs.add(ReceiptRow(receipt.serial, body, "", ()), RoomId(row.token), settle=self._rows.settle)

    async def _made(self, row: ThreadRow, serial: int, previous: str) -> Receipt:
        found: dict[str, Any] = row.manifest
        events, files = await self._rows.events(row.token), found["ours"]
        unseen = [] if self._helper is not None else [SIDE_TABLES]
        unseen += [OTHER_SERVERS] if found["remote"] else []
        kept = [Residue("kept_files", count, reason) for reason, count in sorted(found["kept_files"].items())]
        if found["held"]:
            kept.append(Residue(CONTENTS, found["held"], DAYS_7))
        return Receipt(
            serial=serial,
            room=row.token,
            opened_at=from_millis(found["began_at"]),
            closed_at=from_millis(found["last_at"]),
            erased_at=self._clock.now(),
            before=Counts(events=len(events), files=len(files), members=found["members"]),
            after=Counts(events=0, files=0, members=found["members"]),
            files_deleted=len(files),
            undecryptable=found["undecryptable"],
            residue=(*kept, *(Residue(*left) for left in found["left"])),
            out_of_reach=(*OUT_OF_REACH, *unseen),
            previous=previous,
            archived=ORIGINALS,
            kind=Kind.MAIL,
        )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and bool(_TOKEN.match(value))


def _pairs(files: Sequence[object]) -> list[tuple[str, str]]:
    found = []
    for pair in files:
        match pair:
            case [str(mxc), str(sender)] if files_in(mxc) == (mxc,):
                found.append((mxc, sender))
            case _:
                raise BadInput("a file is an mxc address and who shared it")
    return found
