"""How far the flags of a mailbox were looked at."""

from __future__ import annotations

from collections.abc import Collection

from mautrix.util.async_db import Database

from colloque.identity import MssanteAddress
from colloque.store.schema import transaction


class FlagMarks:
    """Beside the cursor: a mark says that every change up to it shows, for the mails that are `looked` at."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, mailbox: MssanteAddress, uidvalidity: int) -> int:
        """The mark; 0 when there is none under that UIDVALIDITY."""
        query = "SELECT modseq FROM flag_mark WHERE mailbox = $1 AND uidvalidity = $2"
        return int(await self._db.fetchval(query, mailbox.value, uidvalidity) or 0)

    async def move(
        self, mailbox: MssanteAddress, uidvalidity: int, modseq: int, *, fresh: Collection[str], lowest: int
    ) -> None:
        """Everything up to `modseq` shows, for mails looked at before and for the `fresh` ones (ids).

        Those below the UID `lowest` are not looked at: their flags are unknown from now on.
        """
        place = (mailbox.value, uidvalidity)
        async with transaction(self._db):
            await self._db.execute(
                "INSERT INTO flag_mark (mailbox, uidvalidity, modseq) VALUES ($1, $2, $3) ON CONFLICT (mailbox) "
                "DO UPDATE SET uidvalidity = excluded.uidvalidity, modseq = excluded.modseq",
                *place,
                modseq,
            )
            for mail in fresh:
                await self._db.execute("UPDATE mail SET looked = true WHERE id = $1", mail)
            await self._db.execute(
                "UPDATE mail SET looked = false WHERE mailbox = $1 AND uidvalidity = $2 AND uid < $3 AND looked",
                *place,
                lowest,
            )

    async def forget(self, mailbox: MssanteAddress) -> None:
        """The flags of all its mails are unknown."""
        await self._db.execute("DELETE FROM flag_mark WHERE mailbox = $1", mailbox.value)

    async def gone(self, mailbox: MssanteAddress, uidvalidity: int, uids: Collection[int]) -> None:
        """These are not in INBOX any more: nothing can happen to them there."""
        query = "UPDATE mail SET gone = true WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3"
        for uid in uids:
            await self._db.execute(query, mailbox.value, uidvalidity, uid)
