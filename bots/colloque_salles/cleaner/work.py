"""What the helper on Synapse's host does when it is asked: notes, cleans, looks, forgets. Every act may be repeated."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing

from colloque.calls import JsonDict
from colloque.config_cleaner import CleanerConfig
from colloque.errors import BadInput, ColloqueError, Refused
from colloque.logs import event as log_event
from colloque.rooms.leftovers import LEFTOVERS, PURGED, REVIEWED, Key
from colloque_salles.cleaner import synapse_media
from colloque_salles.cleaner.notes import STORED, WHOLE, Notes
from colloque_salles.cleaner.scanning import look
from colloque_salles.cleaner.synapse_db import BATCH, SynapseDb, open_db, schema

CLEANER = "cleaner"
"""Its socket's name."""
SLOW_S = 900.0
"""How long noting or cleaning one room may take."""

FOLLOWED_S, FOLLOWED_TRIES = 0.5, 40
"""How long, and how often, Synapse's followers of a room's changes are waited for."""
DELTAS = next(leftover for leftover in LEFTOVERS if leftover.table == "current_state_delta_stream")

log = logging.getLogger(__name__)


class Work:
    """The helper's verbs, and the one scan that may be under way."""

    def __init__(self, config: CleanerConfig) -> None:
        self._config = config
        self._notes = Notes(config.state_dir)
        self._one = threading.Lock()
        self._waiting: set[str] = set()
        self._seen: dict[str, JsonDict] = {}
        self._scan: asyncio.Task[None] | None = None
        self._under: set[str] = set()
        self._ending = threading.Event()

    async def note(self, room: str, events: list[str], files: list[str], remote: list[str]) -> JsonDict:
        """Remember what the room is known by: what the caller knows, and what Synapse's database still says.

        `files` and `remote` are mxc addresses, of this server and of others. Answers `reviewed` and `schema`.
        """
        _texts([room, *events, *files, *remote])
        return await asyncio.to_thread(self._note, room, events, files, remote)

    async def clean(self, room: str) -> JsonDict:
        """Delete what the reviewed list names, and copies of other servers' files. Answers rows by table (`removed`).

        Raises Refused (`room.lives`) while Synapse still has the room.
        """
        _texts([room])
        # A scan that began before this proves nothing.
        self._seen.pop(room, None)
        self._under.discard(room)
        return await asyncio.to_thread(self._clean, room)

    async def note_messages(self, room: str, events: list[str], files: list[str]) -> JsonDict:
        """Remember messages that go from a room that lives on; `room` is the job's own name, no room's.

        Answers `reviewed` and `schema`.
        """
        _texts([room, *events, *files])
        return await asyncio.to_thread(self._note_messages, room, events, files)

    async def clean_messages(self, room: str) -> JsonDict:
        """Delete what the reviewed list names of the messages noted for that job. Answers rows by table (`removed`).

        Raises Refused (`messages.live`) while Synapse still has one of them.
        """
        _texts([room])
        self._seen.pop(room, None)
        self._under.discard(room)
        return await asyncio.to_thread(self._clean_messages, room)

    async def look(self, rooms: list[str]) -> JsonDict:
        """What a whole scan, begun after the rooms were last cleaned, found of them. Answers `done`, by room.

        A room that is not there is looked for now, or by the next scan: ask again.
        """
        _texts(rooms)
        if self._scan is not None and self._scan.done():
            scan, self._scan = self._scan, None
            scan.result()
        self._waiting |= set(rooms) - set(self._seen)
        if self._scan is None and self._waiting:
            self._scan = asyncio.create_task(self._scanned())
        return {"done": {room: self._seen[room] for room in rooms if room in self._seen}}

    async def forget(self, room: str) -> JsonDict:
        """The room's job is over."""
        _texts([room])
        self._seen.pop(room, None)
        self._waiting.discard(room)
        await asyncio.to_thread(self._forget, room)
        return {}

    async def close(self) -> None:
        """End what is under way."""
        self._ending.set()
        if self._scan is not None:
            with contextlib.suppress(ColloqueError):
                await self._scan
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._one:
            self._notes.close()

    def _forget(self, room: str) -> None:
        with self._one:
            self._notes.forget(room)

    def _note(self, room: str, events: list[str], files: list[str], remote: list[str]) -> JsonDict:
        with self._one, closing(open_db(self._config.reader)) as reader:
            version = schema(reader)
            self._notes.add(room, Key.EVENT, events)
            self._notes.add(room, Key.FILE, files)
            self._notes.add(room, Key.REMOTE, remote)
            if version in REVIEWED:
                self._read(reader, room, remote)
        return _verdict(version)

    def _read(self, reader: SynapseDb, room: str, remote: list[str]) -> None:
        """What Synapse's own tables say of the room, before and after its deletion."""
        own = [event for (event,) in reader.select("SELECT event_id FROM events WHERE room_id = ?", room)]
        deltas = reader.select("SELECT event_id, prev_event_id FROM current_state_delta_stream WHERE room_id = ?", room)
        self._notes.add(room, Key.EVENT, [*own, *(event for row in deltas for event in row if event)])
        aliases = reader.select("SELECT room_alias FROM room_aliases WHERE room_id = ?", room)
        self._notes.add(room, Key.ALIAS, [alias for (alias,) in aliases])
        for mxc in remote:
            server, _, media = mxc.removeprefix("mxc://").partition("/")
            for table in ("remote_media_cache", "remote_media_cache_thumbnails"):
                sql = f"SELECT filesystem_id FROM {table} WHERE media_origin = ? AND media_id = ?"  # noqa: S608
                places = reader.select(sql, server, media)
                self._notes.add(room, STORED, [f"{server}/{stored}" for (stored,) in places])
        if own:
            self._notes.add(room, WHOLE, ["1"])

    def _clean(self, room: str) -> JsonDict:
        removed: Counter[str] = Counter()
        with self._one, closing(open_db(self._config.reader)) as reader:
            version = schema(reader)
            if version not in REVIEWED:
                return _verdict(version) | {"removed": {}}
            if reader.select("SELECT 1 FROM rooms WHERE room_id = ?", room):
                raise Refused("room.lives")
            self._read(reader, room, [])  # the deletion itself made events
            with closing(open_db(self._config.database, deletes=True)) as db:
                for leftover in LEFTOVERS:
                    removed[leftover.table] += db.delete(leftover, list(self._keys(room, leftover.key)))
                removed[DELTAS.table] += self._late(reader, db, room)
            for place in self._notes.values(room, STORED):
                server, _, stored = place.partition("/")
                synapse_media.remove_remote(self._config.media, server, stored)
        log_event(log, "cleaner.cleaned", rows=sum(removed.values()))
        return _verdict(version) | {"removed": {table: rows for table, rows in removed.items() if rows}}

    def _note_messages(self, job: str, events: list[str], files: list[str]) -> JsonDict:
        with self._one, closing(open_db(self._config.reader)) as reader:
            version = schema(reader)
            self._notes.add(job, Key.EVENT, events)
            self._notes.add(job, Key.FILE, files)
            self._notes.add(job, WHOLE, ["1"])  # whoever asks knows all of them
        return _verdict(version)

    def _clean_messages(self, job: str) -> JsonDict:
        removed: Counter[str] = Counter()
        with self._one, closing(open_db(self._config.reader)) as reader:
            version = schema(reader)
            if version not in REVIEWED:
                return _verdict(version) | {"removed": {}}
            events = list(self._keys(job, Key.EVENT))
            for begin in range(0, len(events), BATCH):
                some = events[begin : begin + BATCH]
                marks = ", ".join("?" for _ in some)
                for table in ("events", "event_json"):
                    if reader.select(f"SELECT 1 FROM {table} WHERE event_id IN ({marks}) LIMIT 1", *some):  # noqa: S608
                        raise Refused("messages.live")
            with closing(open_db(self._config.database, deletes=True)) as db:
                for leftover in PURGED:
                    removed[leftover.table] += db.delete(leftover, events)
        log_event(log, "cleaner.cleaned", rows=sum(removed.values()))
        return _verdict(version) | {"removed": {table: rows for table, rows in removed.items() if rows}}

    def _late(self, reader: SynapseDb, db: SynapseDb, room: str) -> int:
        """The changes of the room's state, once those in Synapse that follow them have read the last."""
        for _ in range(FOLLOWED_TRIES):
            if not reader.select(f"SELECT 1 FROM {DELTAS.table} WHERE room_id = ? LIMIT 1", room):  # noqa: S608
                break
            gone = db.delete(DELTAS, [room])
            if gone or self._ending.wait(FOLLOWED_S):
                return gone
        return 0

    def _keys(self, room: str, key: Key) -> Iterator[str]:
        if key is Key.ROOM:
            yield room
            return
        for value in self._notes.values(room, key):
            yield value.rpartition("/")[2] if key is Key.FILE else value

    async def _scanned(self) -> None:
        self._under, self._waiting = self._waiting, set()
        seen = await asyncio.to_thread(self._look, sorted(self._under))
        self._seen |= {room: what for room, what in seen.items() if room in self._under}

    def _look(self, rooms: list[str]) -> dict[str, JsonDict]:
        with self._one:
            known = {room: self._notes.known_by(room) for room in rooms}
            whole = {room for room in rooms if self._notes.values(room, WHOLE)}
        with closing(open_db(self._config.reader)) as reader:
            seen = look(known, reader, self._config.media, stopped=self._ending.is_set)
        log_event(log, "cleaner.looked", rooms=len(rooms), texts=seen.texts)
        common = {"unreadable": list(seen.unreadable)}
        return {room: common | {"found": dict(seen.found[room]), "whole": room in whole} for room in rooms}


def _verdict(version: tuple[int, int]) -> JsonDict:
    return {"reviewed": version in REVIEWED, "schema": list(version)}


def _texts(values: Sequence[object]) -> None:
    if not all(isinstance(value, str) and value for value in values):
        raise BadInput("identifiers are texts")
