"""Hands an archive to its referent: by mail through the bridge, else in their home room. Each act is safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from colloque.clock import Clock
from colloque.errors import ColloqueError, HomeRefused, Refused, ServiceUnavailable, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, reaction, text
from colloque.rooms.mark import home_key
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.store.archive import Archive, Archives
from colloque_salles.store.rooms import Kept
from colloque_salles.texts import keeping as says
from colloque_salles.texts.identity import document

log = logging.getLogger(__name__)

_THERE, _LOST = {"delivered", "read"}, {"failed", "refused"}
_LEFT = {"sent", *_THERE}
"""A mail in doubt is not among them: it leaves again (decision 30), and then it is."""
_ASKED_S = 10.0
"""Whoever taps waits no longer for the bridge."""
Keep = Callable[[EventId], Awaitable[None]]


class Outgoing(Protocol):
    """What of the bridge an archive needs (`colloque.mailer.BridgeMailer`)."""

    async def send(
        self,
        *,
        key: str,
        to: MssanteAddress,
        subject: str,
        text: str,
        files: Sequence[Mapping[str, Any]],
        documents: bool = False,
    ) -> None:
        """Queue a mail; the same `key` is never queued twice. `documents`: named and marked by the archive in it."""
        ...

    async def states(self, keys: Sequence[str]) -> Mapping[str, str]:
        """How far each got (`colloque_mssante.rules.sends`); a key that was never queued is not in it."""
        ...

    async def withdraw(self, keys: Sequence[str]) -> None:
        """What has not left does not leave any more; nothing of their text is kept."""
        ...


class Handing:
    """One instance a service. `wait`: what is said of the time that passes after a delivery."""

    def __init__(
        self,
        *,
        home: Home,
        archives: Archives,
        rooms: Rooms,
        mailer: Outgoing,
        keys: RoomKeys,
        clock: Clock,
        wait: timedelta,
    ) -> None:
        self._home = home
        self._archives = archives
        self._rooms = rooms
        self._mailer = mailer
        self._keys = keys
        self._clock = clock
        self._wait = wait
        self._speaking = asyncio.Lock()
        self._speaks_in = RoomId("")
        """Where something is said, and perhaps not kept yet, while that is locked; where it was said last, else."""

    async def mail(self, kept: Kept, archive: Archive, to: MssanteAddress) -> None:
        """Queue its mails; what can't be queued is brought home in the next round. Raises Temporary.

        Whatever else than Temporary comes of it comes again at each try: a room is not kept for ever by one odd file.
        """
        mails, keys = await self._archives.mails(archive.room), await self._mail_keys(archive)
        for rank, (key, items) in enumerate(zip(keys, mails, strict=True), 1):
            # Of a document the bridge takes the PDF out of the archive itself, and names it.
            archived = [item for item in items if item.is_archive]
            names = [item.name for item in items]
            try:
                await self._mailer.send(
                    key=key,
                    to=to,
                    subject=says.subject(kept.words, rank, len(mails)),
                    text=says.mail(kept.words, rank, len(mails), [] if archived else names, archive.left_out),
                    files=[{"name": item.name, "mime": item.mime, "file": item.file} for item in archived or items],
                    documents=bool(archived),
                )
            except Temporary:
                raise
            except Exception as error:  # noqa: BLE001  members chose what is in it, and it may be anything
                level = logging.INFO if isinstance(error, Refused) else logging.ERROR
                log_event(log, "archive.not_mailed", level=level, code=_code(error))
                await self._go_home(archive)
                return
        words = says.mailed(
            kept.words, to, len(mails), archive.left_out, self._wait, document=document(archive.document)
        )
        await self._handed_over(kept, archive, words)

    async def bring_home(self, kept: Kept, archive: Archive) -> None:
        """The conversation itself; the files stay in the room until they are fetched. Raises Temporary, HomeRefused."""
        for item in (item for mail in await self._archives.mails(archive.room) for item in mail if item.ours):
            content = {
                "msgtype": "m.file",
                "body": item.name,
                "filename": item.name,
                "info": {"mimetype": item.mime, "size": item.size},
                "file": dict(item.file),
            }
            ref = digest(f"{archive.room} {item.file['url']}")
            await self._home.send(await self._place(kept, archive.referent), content, txn=f"archive-file-{ref}")
        await self._handed_over(kept, archive, says.brought(kept.words, archive.left_out, document(archive.document)))

    async def _handed_over(self, kept: Kept, archive: Archive, words: str) -> None:
        async def keep(event: EventId) -> None:
            await self._archives.sent(archive.room, event, self._clock.now())

        once, signs = f"archived-{archive.attempt}", (says.FILED, says.NOTHING)
        await self.say(kept, archive.referent, words, once=once, signs=signs, keep=keep)

    async def has_arrived(self, archive: Archive) -> bool | None:
        """Whether the mailbox has all of it; None when it did not take it, and it is brought home. Raises Temporary."""
        keys = await self._mail_keys(archive)
        states = await self._mailer.states(keys)
        if any(states.get(key) in _LOST for key in keys):
            await self._go_home(archive)
            return None
        return all(states.get(key) in _THERE for key in keys)

    async def has_left(self, archive: Archive) -> bool:
        """Whether its referent can have all of it: every mail has left, or it was brought home. Raises Temporary.

        Until then nothing but our stores may hold it, whoever says that they filed it: what has not left is withdrawn
        with the room. That a mailbox took it is not waited for: reports may never come, and whoever reads it knows.
        """
        if archive.at_home or not archive.made:
            return archive.made and archive.sent_at is not None
        if archive.delivered_at is not None:
            return True
        keys = await self._mail_keys(archive)
        try:
            async with asyncio.timeout(_ASKED_S):
                states = await self._mailer.states(keys)
        except TimeoutError:
            raise ServiceUnavailable("the bridge does not say how far the mails are") from None
        return all(states.get(key) in _LEFT for key in keys)

    async def _go_home(self, archive: Archive) -> None:
        """The mailbox did not take it, or not all of it."""
        mails = await self._archives.mails(archive.room)
        await self.withdraw(archive)
        files = [item.name for mail in mails for item in mail if not item.ours]
        await self._archives.go_home(archive.room, [*archive.left_out, *files])

    async def withdraw(self, archive: Archive) -> None:
        """Nothing of the room's words outlives it in the bridge."""
        if archive.made and not archive.at_home:
            await self._mailer.withdraw(await self._mail_keys(archive))

    async def _mail_keys(self, archive: Archive) -> list[str]:
        count = len(await self._archives.mails(archive.room))
        token = await self._keys.token(archive.room, archive.referent)
        return [f"{token}-archive-{archive.attempt}-{rank}" for rank in range(1, count + 1)]

    async def _place(self, kept: Kept, user: UserId) -> RoomId:
        """Their home room; who has none on this server, or has left it, is told in the patient room."""
        home = await self._rooms.get(home_key(user))
        if home is None:
            return kept.room.room
        try:
            inside = (await self._home.members(home.room)).get(user) in {"join", "invite"}
        except HomeRefused:  # nor are we in it
            inside = False
        return home.room if inside else kept.room.room

    async def say(
        self, kept: Kept, user: UserId, words: str, *, once: str, signs: Sequence[str] = (), keep: Keep | None = None
    ) -> None:
        """The message, the signs beneath it, and `keep` what it was. Raises HomeUnavailable, HomeRefused."""
        where, ref = await self._place(kept, user), digest(f"{kept.room.room} {user} {once}")
        async with self._speaking:
            self._speaks_in = where
            event = await self._home.send(where, text(words), txn=f"keep-{ref}")
            for place, sign in enumerate(signs):
                await self._home.send(where, reaction(event, sign), txn=f"keep-{ref}-{place}", type_="m.reaction")
            if keep is not None:
                await keep(event)

    async def said(self, room: RoomId) -> None:
        """Whoever taps there as soon as they see a message waits until what it was is kept: no tap is in vain."""
        if self._speaks_in == room:
            async with self._speaking:
                pass


def _code(error: Exception) -> str:
    """Errors' own words stay out of the log: they may repeat a file's name."""
    if isinstance(error, Refused):
        return error.reason
    return error.code if isinstance(error, ColloqueError) else type(error).__name__
