"""What owners do with their mails in another program: read or answered there, the room shows it."""

from __future__ import annotations

import logging
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.errors import HomeRefused
from colloque.identity import digest
from colloque.mail import imap
from colloque.mail.imap import ImapClient
from colloque.matrix.home import Home, reaction
from colloque_mssante import texts
from colloque_mssante.store import Cursor
from colloque_mssante.store_flags import FlagMarks
from colloque_mssante.store_reading import ANSWERED, SEEN, Reads, ShownMail

_DAYS = timedelta(days=30)
_MAILS = 200
"""How far back, and how many mails of a mailbox, are looked at."""
_SIGNS = {SEEN: texts.READ_THERE, ANSWERED: texts.ANSWERED_THERE}

logger = logging.getLogger(__name__)


class Elsewhere:
    """One instance a process."""

    def __init__(self, *, home: Home, reads: Reads, marks: FlagMarks, clock: Clock) -> None:
        self._home = home
        self._reads = reads
        self._marks = marks
        self._clock = clock

    async def look(self, client: ImapClient, cursor: Cursor, uidvalidity: int) -> None:
        """Compare a mailbox with what its rooms show. Raises Temporary."""
        box, upto = cursor.address, client.modseq
        mark = await self._marks.get(box, uidvalidity)
        if mark > upto:  # the server keeps no count any more, or began another
            await self._marks.forget(box)
            mark = 0
        shown = await self._reads.shown(box, uidvalidity, self._clock.now() - _DAYS, _MAILS)
        fresh = [mail for mail in shown if not mark or not mail.looked]
        flags = await client.flags([mail.uid for mail in fresh])
        if mark:
            changes = await client.changes([mail.uid for mail in shown if mail.looked], mark)
            flags |= changes.flags
            await self._marks.gone(box, uidvalidity, changes.gone)
        for mail in shown:
            what = _news(mail, flags.get(mail.uid, frozenset()))
            if what:
                await self._show(mail, what)
        if shown and upto and (fresh or upto != mark):
            lowest = shown[-1].uid if len(shown) == _MAILS else 0
            await self._marks.move(box, uidvalidity, upto, fresh=[mail.id for mail in fresh], lowest=lowest)

    async def _show(self, mail: ShownMail, what: str) -> None:
        sign, txn = reaction(mail.event, _SIGNS[what]), digest(f"{mail.id} there {what}")
        try:
            await self._home.send(mail.room, sign, txn=txn, type_="m.reaction")
        except HomeRefused as error:  # the room is gone, or the sign stands there already
            logs.event(logger, "elsewhere.refused", errcode=error.errcode)
        await self._reads.happened(mail.id, what)


def _news(mail: ShownMail, flags: frozenset[str]) -> str:
    """What the room does not show yet; empty for nothing. What was read here is no news there."""
    if imap.ANSWERED.lower() in flags:
        return ANSWERED
    return SEEN if imap.SEEN.lower() in flags and not mail.read and not mail.there else ""
