"""What owners do with their mails in another program: read or answered there, it is noted, and the room shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.errors import HomeRefused, Temporary
from colloque.identity import digest
from colloque.mail import imap
from colloque.mail.imap import ImapClient
from colloque.matrix.home import Home, reaction
from colloque_mssante.rules.bell import Bell
from colloque_mssante.store.flags import FlagMarks
from colloque_mssante.store.mailboxes import Cursor
from colloque_mssante.store.reading import ANSWERED, SEEN, NewsOf, Reads, ShownMail
from colloque_mssante.texts import mails as texts

_DAYS = timedelta(days=30)
_MAILS = 200
"""How far back, and how many mails of a mailbox, are looked at."""
_LOOK_S = 2.0
_SIGNS = {SEEN: texts.READ_THERE, ANSWERED: texts.ANSWERED_THERE}

logger = logging.getLogger(__name__)


class Elsewhere:
    """One instance a process. Knows mailboxes, and no room. `noted` is called when there is something to show."""

    def __init__(self, *, reads: Reads, marks: FlagMarks, clock: Clock, noted: Callable[[], None]) -> None:
        self._reads = reads
        self._marks = marks
        self._clock = clock
        self._noted = noted

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
                await self._reads.note_news(mail.id, what)
                self._noted()
        if shown and upto and (fresh or upto != mark):
            lowest = shown[-1].uid if len(shown) == _MAILS else 0
            await self._marks.move(box, uidvalidity, upto, fresh=[mail.id for mail in fresh], lowest=lowest)


class There:
    """One instance a process. Knows rooms, and no mailbox."""

    def __init__(self, *, home: Home, reads: Reads) -> None:
        self._home = home
        self._reads = reads
        self._news = Bell()

    def wake(self) -> None:
        """Something is to be shown."""
        self._news.ring()

    async def run(self) -> None:
        """Show what was noted, for ever."""
        while True:
            self._news.hush()
            await self.once()
            await self._news.heard(_LOOK_S)

    async def once(self) -> None:
        """One pass. What can't be shown now comes again at the next."""
        for mail in await self._reads.news():
            try:
                await self._show(mail)
            except Temporary as error:
                logs.event(logger, "elsewhere.deferred", code=error.code)
                return

    async def _show(self, mail: NewsOf) -> None:
        sign, txn = reaction(mail.event, _SIGNS[mail.what]), digest(f"{mail.id} there {mail.what}")
        try:
            await self._home.send(mail.room, sign, txn=txn, type_="m.reaction")
        except HomeRefused as error:  # the room is gone, or the sign stands there already
            logs.event(logger, "elsewhere.refused", errcode=error.errcode)
        await self._reads.happened(mail.id, mail.what)


def _news(mail: ShownMail, flags: frozenset[str]) -> str:
    """What was not noted yet; empty for nothing. What was read here is no news there."""
    if imap.ANSWERED.lower() in flags:
        return ANSWERED
    return SEEN if imap.SEEN.lower() in flags and not mail.read and not mail.there else ""
