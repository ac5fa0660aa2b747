"""A mail that its server does not give, again and again: the others come, and its owner is told in the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import MailDeferred, NoRoom, Temporary
from colloque.mail.imap import Box, ImapClient
from colloque.store.journal import Journal
from colloque_mssante.mailboxes.giving_up import WITHHELD_WAIT
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.store.mailboxes import Mailboxes, Place
from tests.unit.mssante.test_watch import ANNE, BOX, Mailbox, _told, _watcher


@pytest.fixture
async def db(bridge_db: Database) -> Database:
    return bridge_db


class Sessions:
    """A mailbox whose second mail fails; each look is a session of its own, from what is stored."""

    def __init__(self, db: Database, clock: FrozenClock, watcher: Watcher, trouble: Exception) -> None:
        self._boxes, self._watcher, self._clock = Mailboxes(db, clock), watcher, clock
        self.box = Mailbox(clock, trouble)

    async def look(self) -> bool:
        """False where it ended before everything was done."""
        cursor = await self._boxes.start(BOX, ANNE, self._clock.now() - timedelta(days=9))
        try:
            await self._watcher._catch_up(cast("ImapClient", self.box), Box(1, 4, 3), cursor)
        except Temporary:
            return False
        return True

    async def cursor(self) -> int:
        found = await self._boxes.get(BOX)
        assert found is not None
        return found.uid

    async def shown(self) -> list[int]:
        """What is to be shown, taken away on the way."""
        inbox, uids = self._watcher._inbox, []
        while (waiting := await inbox.next(BOX)) is not None:
            uids.append(waiting.place.uid)
            await inbox.take_away(Place(waiting.place.box, 1, waiting.place.uid))
        return uids


async def test_what_the_server_never_gives_holds_nobody_and_is_told(
    db: Database, tmp_path: Path, clock: FrozenClock
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher = await _watcher(db, tmp_path, clock, journal)
    sessions = Sessions(db, clock, watcher, MailDeferred("NO, or a goodbye, or no date"))
    assert not await sessions.look()
    assert (await sessions.shown(), await sessions.cursor()) == ([1], 1), "what came before it"
    assert not await sessions.look()
    assert await sessions.cursor() == 1, "the server may be tired"
    assert not await sessions.look()
    assert await sessions.cursor() == 2, "not three times"
    for _ in range(2):
        assert not await sessions.look()
        assert await sessions.look(), "meanwhile the mailbox is as any other"
        assert await _told(db) == 0
        clock.advance(seconds=WITHHELD_WAIT.total_seconds())
    assert await sessions.shown() == [3]
    assert not await sessions.look()
    assert (await sessions.look(), await _told(db), await sessions.shown()) == (True, 1, [])
    journal.close()


async def test_what_the_server_gives_at_last_is_shown(db: Database, tmp_path: Path, clock: FrozenClock) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    sessions = Sessions(db, clock, await _watcher(db, tmp_path, clock, journal), MailDeferred("not now"))
    for _ in range(3):
        assert not await sessions.look()
    sessions.box.trouble = None
    assert await sessions.look()
    assert (await sessions.shown(), await _told(db)) == ([1, 2, 3], 0)
    journal.close()


async def test_a_full_disk_is_not_the_mails_fault(db: Database, tmp_path: Path, clock: FrozenClock) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    sessions = Sessions(db, clock, await _watcher(db, tmp_path, clock, journal), NoRoom())
    for _ in range(9):
        assert not await sessions.look()
    assert (await sessions.shown(), await sessions.cursor()) == ([1], 1)
    journal.close()
