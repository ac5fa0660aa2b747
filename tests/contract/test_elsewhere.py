"""What owners do in another program shows in the room, once: on the sandbox operator and on Dovecot.

Dovecot counts changes (CONDSTORE, QRESYNC), the sandbox does not: the rooms show the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from colloque.errors import HomeUnavailable
from colloque.identity import EventId, MssanteAddress, RoomId
from colloque.mail.imap import ANSWERED, SEEN, ImapClient
from colloque.matrix.home import Home, JsonDict
from colloque_mssante.mailboxes import elsewhere as module
from colloque_mssante.mailboxes.elsewhere import Elsewhere, There
from colloque_mssante.store.flags import FlagMarks
from colloque_mssante.store.mailboxes import Cursor
from colloque_mssante.store.reading import Reads
from colloque_mssante.texts import mails as texts
from tests.contract.test_imap_filing import owner
from tests.contract.test_marking import ANNE, Boxed, boxed, db  # noqa: F401 - fixtures
from tests.servers.imap_suites import deliver, mail, opened

SIGNS = {texts.READ_THERE: "read", texts.ANSWERED_THERE: "answered"}


@dataclass
class Rooms:
    """Stands where signs are sent; `troubles` failures come first."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    troubles: int = 0

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str) -> EventId:
        if self.troubles:
            self.troubles -= 1
            raise HomeUnavailable
        sign = content["m.relates_to"]
        self.shown.append((sign["event_id"], SIGNS[sign["key"]]))
        return EventId(f"${txn}")

    def news(self) -> set[tuple[str, str]]:
        """What was shown since the last question."""
        found, self.shown = self.shown, []
        assert len(set(found)) == len(found)
        return set(found)


@dataclass
class Looked:
    """A mailbox with five mails that its room shows, and who looks at it."""

    boxed: Boxed
    client: ImapClient
    uids: list[int]
    validity: int
    asked: list[bytes]
    rooms: Rooms = field(default_factory=Rooms)

    @property
    def counts(self) -> bool:
        return "CONDSTORE" in self.client.capabilities

    async def look(self) -> set[tuple[str, str]]:
        """With nothing in memory but the database."""
        del self.asked[:]
        if self.client.modseq:
            await self.client.wait(0.05)  # changes may be told then
            del self.asked[:]
        kept, clock = self.boxed.db, self.boxed.clock
        reads = Reads(kept, clock)
        looks = Elsewhere(reads=reads, marks=FlagMarks(kept), clock=clock, noted=lambda: None)
        cursor = Cursor(MssanteAddress(self.boxed.address), ANNE, clock.now(), self.validity, 0, "")
        await looks.look(self.client, cursor, self.validity)
        await There(home=cast("Home", self.rooms), reads=reads).once()
        return self.rooms.news()

    def other(self, command: str, uid: int, *args: str) -> None:
        with owner(self.boxed.operator, self.boxed.address) as imap:
            imap.select("INBOX")
            imap.uid(command, str(uid), *args)
            imap.expunge()

    async def mark(self) -> int:
        return await FlagMarks(self.boxed.db).get(MssanteAddress(self.boxed.address), self.validity)


@asynccontextmanager
async def looked(boxed: Boxed) -> AsyncIterator[Looked]:  # noqa: F811
    for name in "abcde":
        await deliver(boxed.operator, boxed.address, mail(name))
    asked: list[bytes] = []
    async with opened(boxed.operator, boxed.address) as client:
        begin = client._wire.begin

        def heard(command: bytes) -> bytes:
            asked.append(command)
            return begin(command)

        client._wire.begin = heard  # type: ignore[method-assign]
        found = await client.examine()
        uids = await client.uids(0)
        for uid in uids:
            await boxed.shown(found.uidvalidity, uid, "")
        yield Looked(boxed, client, uids, found.uidvalidity, asked)


async def test_what_happens_there_shows_here_once(boxed: Boxed) -> None:  # noqa: F811
    async with looked(boxed) as at:
        one, two, three, *_ = at.uids
        at.other("STORE", one, "+FLAGS", SEEN)
        assert await at.look() == {(f"${one}", "read")}
        assert await at.look() == set()
        at.other("STORE", one, "+FLAGS", ANSWERED)
        at.other("STORE", two, "+FLAGS", ANSWERED)
        assert await at.look() == {(f"${one}", "answered"), (f"${two}", "answered")}
        at.other("STORE", three, "+FLAGS", SEEN)
        at.rooms.troubles = 1
        assert await at.look() == set()
        assert await at.look() == {(f"${three}", "read")}
        # Where changes are counted, nobody asks again for what is known.
        assert await at.look() == set()
        assert [b"CHANGEDSINCE" in each for each in at.asked] == [at.counts]
        assert (await at.mark() > 0) is at.counts


async def test_what_happened_while_nobody_looked(boxed: Boxed) -> None:  # noqa: F811
    async with looked(boxed) as at:
        assert await at.look() == set()
        one, two, *_ = at.uids
    at.other("STORE", one, "+FLAGS", SEEN)
    # A mail that comes, and is read, before its room shows it.
    await deliver(boxed.operator, boxed.address, mail("f"))
    async with opened(boxed.operator, boxed.address) as at.client:
        await at.client.examine()
        last = (await at.client.uids(two))[-1]
        at.other("STORE", last, "+FLAGS", SEEN)
        assert await at.look() == {(f"${one}", "read")}
        await boxed.shown(at.validity, last, "")
        assert await at.look() == {(f"${last}", "read")}
        assert await at.look() == set()


@pytest.mark.parametrize("mark", [10**15, 0])
async def test_a_mark_that_can_t_be_is_none(boxed: Boxed, mark: int) -> None:  # noqa: F811
    """Another server's, say: the whole is looked at."""
    async with looked(boxed) as at:
        await at.look()
        at.other("STORE", at.uids[0], "+FLAGS", SEEN)
        marks, address = FlagMarks(boxed.db), MssanteAddress(boxed.address)
        await marks.move(address, at.validity if mark else at.validity + 1, mark or 1, fresh=[], lowest=0)
        assert await at.look() == {(f"${at.uids[0]}", "read")}
        assert 0 <= await at.mark() < 10**15


async def test_a_server_that_counts_no_more(boxed: Boxed) -> None:  # noqa: F811
    async with looked(boxed) as at:
        await at.look()
        at.client._modseq = 0  # NOMODSEQ
        at.other("STORE", at.uids[0], "+FLAGS", SEEN)
        assert await at.look() == {(f"${at.uids[0]}", "read")}
        assert await at.mark() == 0


async def test_a_mail_that_left_the_mailbox_is_asked_for_no_more(boxed: Boxed) -> None:  # noqa: F811
    async with looked(boxed) as at:
        await at.look()
        at.other("STORE", at.uids[0], "+FLAGS", "\\Deleted")
        assert await at.look() == set()
        reads = Reads(boxed.db, boxed.clock)
        since = boxed.clock.now().replace(year=2020)
        there = await reads.shown(MssanteAddress(boxed.address), at.validity, since, 9)
        assert len(there) == (4 if "QRESYNC" in at.client.capabilities else 5)
        await deliver(boxed.operator, boxed.address, mail("g"))
        assert await at.client.wait(10)  # counted right


async def test_a_mail_that_comes_back_into_view_is_looked_at_whole(
    boxed: Boxed,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with looked(boxed) as at:
        first, second, third, fourth, fifth = at.uids
        assert await at.look() == set()
        monkeypatch.setattr(module, "_MAILS", 3)  # as when two newer ones came
        at.other("STORE", second, "+FLAGS", SEEN)
        assert await at.look() == set()
        for uid in (third, fourth):
            at.other("STORE", uid, "+FLAGS", ANSWERED)
        assert await at.look() == {(f"${third}", "answered"), (f"${fourth}", "answered")}
        assert await at.look() == {(f"${second}", "read")}
        at.other("STORE", first, "+FLAGS", SEEN)
        at.other("STORE", fifth, "+FLAGS", SEEN)
        assert await at.look() == {(f"${first}", "read"), (f"${fifth}", "read")}
