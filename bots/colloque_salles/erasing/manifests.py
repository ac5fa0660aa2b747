"""What an erasure writes down before anything is deleted: of a room of ours, or of our copy of another server's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from colloque.clock import Clock, to_millis
from colloque.config import Config
from colloque.identity import MxcUri, RoomId, UserId, localpart, server_of
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.elsewhere import Copy
from colloque.rooms.erasure import KEPT_THERE
from colloque.rooms.media import server_of_media
from colloque.store.roomkeys import RoomKeys
from colloque_salles.erasing.direct_files import ELSEWHERE, WAS_IN, Spared, Uploads
from colloque_salles.erasing.unheard import Unheard
from colloque_salles.store.elsewhere import Asked, GuestRoom
from colloque_salles.store.jobs import Jobs
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
        jobs: Jobs,
        unheard: Unheard,
        uploads: Uploads,
        keys: RoomKeys,
        clock: Clock,
        config: Config,
    ) -> None:
        self._admin = admin
        self._patients = patients
        self._mails = mails
        self._jobs = jobs
        self._unheard = unheard
        self._uploads = uploads
        self._keys = keys
        self._clock = clock
        self._server = config.homeserver.server_name
        self._bots = frozenset(config.bots)
        self._ghosts = config.mssante.ghost_prefix

    async def of_room(self, kept: Kept) -> Manifest:
        """Of a room of ours; `servers`: the others that ever had members. Raises HomeUnavailable, HomeRefused."""
        room = kept.room
        closed_at = to_millis(room.closed_at or self._clock.now())
        memberships = await self._admin.memberships(room.room)
        everybody = {room.opener, *room.members, *memberships}
        await self._unheard.note(room.room)
        return await self._base(room.room, {room.opener, *room.members, *_were_in(memberships)}) | {
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
        await self._unheard.note(asked.room, ours_only=True)
        return await self._base(asked.room, _were_in(copy.members)) | {
            "words": words_in(copy.name, asked.server),
            "members": sorted(set(ours) - self._bots),
            "opened_at": to_millis(guest.since) if guest is not None else now,
            "closed_at": now,
            "archived": KEPT_THERE,
            "asked": asked.asked,
            "asked_by": {"server": asked.server, "ref": asked.ref},
            "followed": copy.creator is None or (guest is not None and guest.followed),
        }

    async def _base(self, room: RoomId, people: Collection[UserId]) -> Manifest:
        """`people`: who is, or was, in it."""
        events, blind = await self._patients.counts(room)
        files, kept = await self._sort(room, people)
        return {
            "ref": await self._keys.token(room, "erase"),
            "token": await self._keys.token(room, room),
            "begun_at": to_millis(self._clock.now()),
            "events": events,
            "undecryptable": blind,
            "files": files,
            "kept_files": kept,
        }

    async def _sort(self, room: RoomId, people: Collection[UserId]) -> tuple[list[MxcUri], dict[str, int]]:
        """The room's files to delete, and how many are kept, by reason.

        A member may name files that are not theirs: only what somebody of the room uploaded goes, or what outlived the
        thread or room that it came with. What another room takes, later or by its own job, is left to it, as such.
        """
        kept: Counter[str] = Counter()
        ours: list[tuple[MxcUri, bool]] = []
        taken = await self._jobs.taken(room)
        for mxc, lives in await self._patients.files(room):
            if server_of_media(mxc) == self._server:
                ours.append((mxc, lives or mxc in taken))
            else:
                kept["known_in_another_room" if lives else "on_another_server"] += 1
        uploaders = await several([mxc for mxc, _ in ours], self._admin.media_uploader)
        spared: dict[UserId, Spared] = {}
        delete: list[MxcUri] = []
        for (mxc, shared), uploader in zip(ours, uploaders, strict=True):
            if uploader is None:
                delete.append(mxc)
            elif not await self._mails.is_orphan(mxc) and (self._is_service(uploader) or uploader not in people):
                kept["of_a_mail_room" if self._is_service(uploader) else "of_somebody_else"] += 1
            elif shared:
                await self._mails.orphaned(mxc)
                kept["known_in_another_room"] += 1
            else:
                if uploader not in spared:
                    spared[uploader] = await self._uploads.spared(uploader)
                if mxc in spared[uploader]:
                    kept[ELSEWHERE] += 1
                else:
                    delete.append(mxc)
        return delete, dict(kept)

    def _is_service(self, uploader: UserId) -> bool:
        """True for files that our bots and ghosts uploaded: those of a mail, which end with the mail's thread."""
        return bool(uploader) and (uploader in self._bots or localpart(uploader).startswith(self._ghosts))


def _were_in(memberships: Mapping[UserId, str]) -> set[UserId]:
    return {user for user, membership in memberships.items() if membership in WAS_IN}


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
