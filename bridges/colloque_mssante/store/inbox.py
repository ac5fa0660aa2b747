"""The inbox: mails that were fetched and are not shown yet; and the cursors, which move with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, to_millis
from colloque.errors import Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.store.schema import transaction
from colloque_mssante.rules.weights import LIGHT
from colloque_mssante.store.mailboxes import Cursor, Place, read_cursor

ROOM_MAILS, ROOM_BYTES = 200, 8_000_000
"""With more than that waiting, a mailbox is not read on."""
_NOWHERE = 0
"""No server's UIDVALIDITY (RFC 3501 section 9, nz-number)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that was fetched. `raw` is None where a defect of ours, or of the server's, prevented that."""

    uid: int
    raw: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail to show now. `tries`: how often that failed."""

    place: Place
    size: int
    tries: int
    raw: bytes | None = field(repr=False)
    """None where it is big (`weights.LIGHT`): `whole` gives it, in its turn."""


class Inbox:
    """Queries over `inbox`. A mail stands there, or the cursor stands before it: it is never in neither."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def store(self, cursor: Cursor, uidvalidity: int, upto: int, taken: Sequence[Taken]) -> Cursor:
        """Keep mails and move the cursor over them to `upto`, in one transaction; the cursor as it is then.

        Raises Temporary, and keeps nothing, when the cursor is not where the caller left it: the mailbox was closed,
        got another owner, or was given back meanwhile.
        """
        async with transaction(self._db):
            moved: Any = await self._db.fetchval(
                "UPDATE mailbox SET uidvalidity = $2, uid = $3 WHERE address = $1 AND owner = $4 AND opened = $5 "
                "AND COALESCE(uidvalidity, 0) = $6 AND uid = $7 AND closed = '' RETURNING 1",
                cursor.address.value,
                uidvalidity,
                upto,
                cursor.owner,
                cursor.opened,
                cursor.uidvalidity or 0,
                cursor.uid,
            )
            if moved is None:
                raise Temporary("the mailbox is not to be read on from here")
            for mail in taken:
                await self._db.execute(
                    "INSERT INTO inbox (mailbox, uidvalidity, uid, raw, size, next_at) VALUES ($1, $2, $3, $4, $5, $6) "
                    "ON CONFLICT (mailbox, uidvalidity, uid) DO NOTHING",
                    cursor.address.value,
                    uidvalidity,
                    mail.uid,
                    mail.raw,
                    len(mail.raw or b""),
                    self._now(),
                )
        return replace(cursor, uidvalidity=uidvalidity, uid=upto)

    async def anew(self, cursor: Cursor, uidvalidity: int, uidnext: int) -> Cursor:
        """The mailbox gives UIDs anew, from `uidnext` on or under another UIDVALIDITY: it is read from its beginning.

        What stood under those UIDs stands nowhere any more; what of it is not shown yet still will be. Raises as
        `store`.
        """
        box = (cursor.address.value, uidvalidity, uidnext)
        async with transaction(self._db):
            await self.store(cursor, uidvalidity, 0, ())
            await self._db.execute(
                "DELETE FROM inbox WHERE mailbox = $1 AND raw IS NULL AND (uidvalidity <> $2 OR uid >= $3)", *box
            )
            for table in ("inbox", "mail"):
                await self._db.execute(
                    f"UPDATE {table} SET uidvalidity = $4 "  # noqa: S608
                    "WHERE mailbox = $1 AND uidvalidity = $2 AND uid >= $3 AND $3 > 0",
                    *box,
                    _NOWHERE,
                )
            await self._db.execute("DELETE FROM flag_mark WHERE mailbox = $1", cursor.address.value)
        return replace(cursor, uidvalidity=uidvalidity, uid=0)

    async def full(self, mailbox: MssanteAddress) -> bool:
        """True while so much of it waits that nothing more should be fetched."""
        row: Any = await self._db.fetchrow(
            "SELECT COUNT(*) AS mails, COALESCE(SUM(size), 0) AS bytes FROM inbox WHERE mailbox = $1", mailbox.value
        )
        return bool(row["mails"] >= ROOM_MAILS or row["bytes"] >= ROOM_BYTES)

    async def due(self) -> list[tuple[MssanteAddress, UserId]]:
        """Mailboxes, with their owner, that have something to show now."""
        return await self.late(timedelta())

    async def late(self, wait: timedelta) -> list[tuple[MssanteAddress, UserId]]:
        """Those that have had something to show for that long."""
        rows: list[Any] = await self._db.fetch(
            "SELECT DISTINCT inbox.mailbox, mailbox.owner FROM inbox JOIN mailbox ON mailbox.address = inbox.mailbox "
            "WHERE inbox.raw IS NOT NULL AND inbox.next_at <= $1",
            to_millis(self._clock.now() - wait),
        )
        return [(MssanteAddress(row["mailbox"]), UserId(row["owner"])) for row in rows]

    async def next(self, mailbox: MssanteAddress) -> Waiting | None:
        """The first mail of a mailbox that is to be shown now, in the order of UIDs."""
        row: Any = await self._db.fetchrow(
            "SELECT mailbox.*, inbox.uidvalidity AS under, inbox.uid AS number, inbox.size, inbox.tries, "
            "CASE WHEN inbox.size < $3 THEN inbox.raw END AS raw "
            "FROM inbox JOIN mailbox ON mailbox.address = inbox.mailbox "
            "WHERE inbox.mailbox = $1 AND inbox.raw IS NOT NULL AND inbox.next_at <= $2 "
            "ORDER BY inbox.uidvalidity = mailbox.uidvalidity, inbox.uid LIMIT 1",
            mailbox.value,
            self._now(),
            LIGHT,
        )
        if row is None:
            return None
        raw = None if row["raw"] is None else bytes(row["raw"])
        return Waiting(Place(read_cursor(row), row["under"], row["number"]), row["size"], row["tries"], raw)

    async def whole(self, waiting: Waiting) -> bytes | None:
        """The mail itself; None when it was given back meanwhile."""
        if waiting.raw is not None:
            return waiting.raw
        raw = await self._db.fetchval(
            "SELECT raw FROM inbox WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3", *_key(waiting.place)
        )
        return None if raw is None else bytes(raw)

    async def unfetched(self, mailbox: MssanteAddress, uidvalidity: int) -> list[int]:
        """UIDs of mails that could not be fetched, to be tried again now."""
        rows: list[Any] = await self._db.fetch(
            "SELECT uid FROM inbox WHERE mailbox = $1 AND uidvalidity = $2 AND raw IS NULL AND next_at <= $3 "
            "ORDER BY uid",
            mailbox.value,
            uidvalidity,
            self._now(),
        )
        return [row["uid"] for row in rows]

    async def fetched(self, place: Place, raw: bytes) -> None:
        """A mail that could not be fetched was, at last."""
        await self._db.execute(
            "UPDATE inbox SET raw = $4, size = $5 WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3",
            *_key(place),
            raw,
            len(raw),
        )

    async def failed(self, place: Place, next_at: datetime) -> int:
        """A mail could not be fetched or shown; how often by now, 0 when it does not wait any more."""
        tries = await self._db.fetchval(
            "UPDATE inbox SET tries = tries + 1, next_at = $4 WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3 "
            "RETURNING tries",
            *_key(place),
            to_millis(next_at),
        )
        return int(tries or 0)

    async def begun(self, place: Place, tries: int) -> None:
        """So many failures will it have had if this process ends before it is dealt with."""
        await self._db.execute(
            "UPDATE inbox SET tries = $4 WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3", *_key(place), tries
        )

    async def take_away(self, place: Place) -> None:
        """It is dealt with: nothing of its text stays here."""
        await self._db.execute("DELETE FROM inbox WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3", *_key(place))

    def _now(self) -> int:
        return to_millis(self._clock.now())


async def give_back(db: Database, mailbox: MssanteAddress) -> None:
    """Forget what was fetched and not shown. The cursor goes back before it: it is fetched again when its time comes.

    What came under another UIDVALIDITY is fetched anyway, under its new UID.
    """
    async with transaction(db):
        await db.execute(
            "UPDATE mailbox SET uid = (SELECT MIN(inbox.uid) - 1 FROM inbox WHERE inbox.mailbox = mailbox.address "
            "AND inbox.uidvalidity = mailbox.uidvalidity) WHERE address = $1 AND EXISTS (SELECT 1 FROM inbox "
            "WHERE inbox.mailbox = mailbox.address AND inbox.uidvalidity = mailbox.uidvalidity)",
            mailbox.value,
        )
        await db.execute("DELETE FROM inbox WHERE mailbox = $1", mailbox.value)


def _key(place: Place) -> tuple[str, int, int]:
    return place.box.address.value, place.uidvalidity, place.uid
