"""Reads a room for what ends with a thread: its events that are not withdrawn, and the files that they share.

What stands in no thread, and is as old, goes with it: commands and their answers, lists, mails that never left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Database

from colloque.identity import EventId, MxcUri, RoomId, UserId, server_of
from colloque.matrix.nio_history import Stood
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mail_thread import places
from colloque_mssante.store.ends import End

_KNOWN = (
    (
        "SELECT part.event_id AS event, mail.thread AS thread FROM part JOIN mail ON mail.id = part.mail "
        "WHERE mail.room_id = $1 AND mail.thread <> ''"
    ),
    "SELECT handled_note AS event, thread FROM mail WHERE room_id = $1 AND thread <> '' AND handled_note <> ''",
    "SELECT event_id AS event, thread FROM outbox WHERE room_id = $1 AND thread <> '' AND event_id <> ''",
    "SELECT told_event AS event, thread FROM outbox WHERE room_id = $1 AND thread <> '' AND told_event <> ''",
    (
        "SELECT draft_line.event_id AS event, outbox.thread AS thread FROM draft_line "
        "JOIN outbox ON outbox.key = draft_line.draft WHERE outbox.room_id = $1 AND outbox.thread <> ''"
    ),
    (
        "SELECT draft.notice AS event, outbox.thread AS thread FROM draft JOIN outbox ON outbox.key = draft.id "
        "WHERE outbox.room_id = $1 AND outbox.thread <> '' AND draft.notice <> ''"
    ),
    "SELECT root AS event, id AS thread FROM thread WHERE room_id = $1 AND root <> ''",
    "SELECT told_event AS event, '' AS thread FROM room_life WHERE room_id = $1 AND told_event <> ''",
    (
        "SELECT thread_event.event_id AS event, thread_event.thread AS thread FROM thread_event "
        "JOIN thread_end ON thread_end.thread = thread_event.thread WHERE thread_end.room_id = $1"
    ),
)
"""Whose event each is, as our tables have it, and nobody's (''), which stays; a later line wins."""
_SILENT = {"m.reaction", "m.room.redaction"}
"""Types of events that say nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a room holds of what ends with a thread, and has not withdrawn."""

    events: tuple[EventId, ...]
    files: tuple[tuple[MxcUri, UserId], ...]
    """Each with who shared it."""
    began_at: datetime | None
    last_said: datetime | None
    """When people last wrote in the thread."""
    unreadable: int
    """Events whose files are unknown."""
    members: int
    """People of the room."""
    remote: int
    """Those of other servers."""


class RoomReading:
    """One instance a process. `is_ours` tells bots and ghosts from people."""

    def __init__(self, db: Database, home: NioHome, is_ours: Callable[[UserId], bool]) -> None:
        self._db = db
        self._home = home
        self._is_ours = is_ours

    async def of(self, end: End, now: datetime, lifetime: timedelta) -> Found:
        """What was said a lifetime ago, and stands in no thread, goes too. Raises HomeUnavailable, HomeRefused.

        Its sender's server says when an event was sent: what is yet to come was not said lately.
        """
        every = [stood async for stood in self._home.everything(end.room)]
        whose = places((stood.said for stood in every), await self._known(end.room))
        left = [stood for stood in every if not stood.withdrawn]
        thread = [stood for stood in left if whose.get(stood.said.event) == end.thread]
        own = thread + [stood for stood in left if stood.said.event not in whose and stood.said.at <= now - lifetime]
        states = await self._home.members(end.room)
        people = [user for user, state in states.items() if state in {"join", "invite"} and not self._is_ours(user)]
        return Found(
            events=tuple(stood.said.event for stood in own),
            files=tuple({(mxc, stood.said.sender): None for stood in own for mxc in stood.files}),
            began_at=min((stood.said.at for stood in thread), default=None),
            last_said=max((s.said.at for s in thread if self._is_said(s) and s.said.at <= now), default=None),
            unreadable=sum(not stood.readable for stood in own),
            members=len(people),
            remote=sum(server_of(user) != server_of(self._home.user) for user in people),
        )

    async def thread_of(self, room: RoomId, event: EventId) -> str:
        """The thread of an event that shows a mail, or is part of one; empty where it has none."""
        return (await self._known(room)).get(event, "")

    def _is_said(self, stood: Stood) -> bool:
        return stood.type not in _SILENT and not self._is_ours(stood.said.sender)

    async def _known(self, room: RoomId) -> dict[EventId, str]:
        found: dict[EventId, str] = {}
        for query in _KNOWN:
            rows: list[Any] = await self._db.fetch(query, room)
            found |= {EventId(row["event"]): row["thread"] for row in rows}
        return found
