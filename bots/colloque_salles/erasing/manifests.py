"""What an erasure writes down before anything is deleted: of a room of ours, or of our copy of another server's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from colloque.clock import Clock, to_millis
from colloque.config import Config
from colloque.identity import MxcUri, RoomId, UserId, localpart, server_of
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.elsewhere import Copy
from colloque.rooms.erasure import KEPT_THERE
from colloque.rooms.media import server_of_media
from colloque.store.roomkeys import RoomKeys
from colloque_salles.store.elsewhere import Asked, GuestRoom
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts.rooms import words_in

AT_ONCE = 5
"""Files that the homeserver is asked about at the same time."""

T = TypeVar("T")
Manifest = dict[str, Any]


class Manifests:
    """One instance a service."""

    def __init__(
        self,
        *,
        admin: SynapseAdmin,
        patients: PatientRooms,
        mails: MailThreadRows,
        keys: RoomKeys,
        clock: Clock,
        config: Config,
    ) -> None:
        self._admin = admin
        self._patients = patients
        self._mails = mails
        self._keys = keys
        self._clock = clock
        self._server = config.homeserver.server_name
        self._bots = frozenset(config.bots)
        self._ghosts = config.mssante.ghost_prefix

    async def of_room(self, kept: Kept) -> Manifest:
        """Of a room of ours; `servers`: the others that ever had members. Raises HomeUnavailable, HomeRefused."""
        room = kept.room
        closed_at = to_millis(room.closed_at or self._clock.now())
        everybody = {room.opener, *room.members, *await self._admin.memberships(room.room)}
        return await self._base(room.room) | {
            "words": kept.words,
            "members": sorted({room.opener, *room.members}),
            "opened_at": to_millis(room.opened_at),
            "closed_at": closed_at,
            "picture": await self._patients.picture(room.room),
            "archived": room.archived,
            "servers": sorted({server_of(user) for user in everybody} - {self._server}),
        }

    async def of_copy(self, asked: Asked, copy: Copy, guest: GuestRoom | None) -> Manifest:
        """Of our copy of a room that another server made, or of nothing where we have none."""
        now = to_millis(self._clock.now())
        ours = [user for user, state in copy.members.items() if state == "join" and server_of(user) == self._server]
        return await self._base(asked.room) | {
            "words": words_in(copy.name, asked.server),
            "members": sorted(set(ours) - self._bots),
            "opened_at": to_millis(guest.since) if guest is not None else now,
            "closed_at": now,
            "archived": KEPT_THERE,
            "asked": asked.asked,
            "asked_by": {"server": asked.server, "ref": asked.ref},
            "followed": copy.creator is None or (guest is not None and guest.joined),
        }

    async def _base(self, room: RoomId) -> Manifest:
        events, blind = await self._patients.counts(room)
        files, kept = await self._sort(room)
        return {
            "ref": await self._keys.token(room, "erase"),
            "token": await self._keys.token(room, room),
            "begun_at": to_millis(self._clock.now()),
            "events": events,
            "undecryptable": blind,
            "files": files,
            "kept_files": kept,
        }

    async def _sort(self, room: RoomId) -> tuple[list[MxcUri], dict[str, int]]:
        """The room's files to delete, and how many are kept, by reason: a member may name files that are not theirs."""
        ours: list[MxcUri] = []
        kept: Counter[str] = Counter()
        for mxc, shared in await self._patients.files(room):
            if shared:
                kept["known_in_another_room"] += 1
            elif server_of_media(mxc) != self._server:
                kept["on_another_server"] += 1
            else:
                ours.append(mxc)
        uploaders = await several(ours, self._admin.media_uploader)
        delete = [
            mxc
            for mxc, uploader in zip(ours, uploaders, strict=True)
            if not self._is_service(uploader) or await self._mails.is_orphan(mxc)
        ]
        if len(delete) < len(ours):
            kept["of_a_mail_room"] = len(ours) - len(delete)
        return delete, dict(kept)

    def _is_service(self, uploader: UserId | None) -> bool:
        """True for files that our bots and ghosts uploaded: those of a mail, which end with the mail's thread."""
        return bool(uploader) and (
            uploader in self._bots or localpart(UserId(uploader or "@")).startswith(self._ghosts)
        )


async def several(files: Sequence[MxcUri], ask: Callable[[MxcUri], Awaitable[T]]) -> list[T]:
    """The answer for each, some at a time: a room may have shared hundreds. The first that fails is raised."""
    found: list[T] = []
    for begin in range(0, len(files), AT_ONCE):
        asked = map(ask, files[begin : begin + AT_ONCE])
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            found.append(answer)
    return found
