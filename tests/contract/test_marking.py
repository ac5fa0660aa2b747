"""What a mailbox learns of reading in Matrix, and who is told: on the sandbox operator and on Dovecot."""

from __future__ import annotations

import imaplib
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config_mssante import BudgetConfig
from colloque.errors import MailDeferred
from colloque.files import write_private
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.imap import ANSWERED, SEEN
from colloque.mail.imap_filing import TOLD
from colloque.mail.message import Party
from colloque.mail.revocation_check import Revocation
from colloque.matrix.home import Read
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.filing import Filing
from colloque_mssante.mailboxes.receipts import Receipts
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.originals import Originals
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import ReadMail, Reads
from tests.contract.test_imap_filing import contents, owner, visiting
from tests.servers.imap_suites import deliver, mail
from tests.servers.operator import Operator
from tests.unit.mssante.test_store import a_send, found

ANNE, ROOM = UserId("@anne:h.test"), RoomId("!room")


@pytest.fixture
async def db(bridge_db: Database) -> Database:
    return bridge_db


@dataclass
class Telling:
    """Stands where receipts are queued; `troubles` failures come first."""

    told: list[str] = field(default_factory=list)
    troubles: int = 0

    async def tell(self, read: ReadMail) -> str:
        if self.troubles:
            self.troubles -= 1
            raise MailDeferred("not now")
        self.told.append(read.id)
        return "queued" if read.receipt_to else "not_asked"


class Held(Leases):
    """Holds whatever there is."""

    def holds(self, mailbox: MssanteAddress) -> bool:
        return True

    async def check(self, mailbox: MssanteAddress) -> None:
        pass


class Asked(Revocation):
    """Counts the servers that it is asked about."""

    servers = 0

    async def check(self, connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        self.servers += 1
        await super().check(connection)


@dataclass
class Boxed:
    """One mailbox, and the bridge's memory of it."""

    operator: Operator
    address: str
    db: Database
    clock: FrozenClock
    folder: Path

    def __post_init__(self) -> None:
        self.choices = Choices(self.db, self.clock)
        self.revocation = Asked(self.folder, self.clock)

    def filing(self, telling: Telling) -> Filing:
        path = self.folder / "mailboxes.yaml"
        write_private(path, f"{self.address}: {{password: '{self.operator.password(self.address).secret}'}}\n")
        credentials = Credentials(path, self.revocation)
        credentials.refresh()
        return Filing(
            server=self.operator.imap,
            outbox=Outbox(self.db, self.clock),
            mails=Mails(self.db, self.clock),
            reads=Reads(self.db, self.clock),
            receipts=cast("Receipts", telling),
            originals=Originals(self.db),
            budget=Budget(BudgetConfig()),
            leases=Held(self.db, "test"),
            credentials=credentials,
            choices=self.choices,
            folder=self.folder,
            clock=self.clock,
            sent=lambda: None,
        )

    async def shown(self, uidvalidity: int, uid: int, asked: str) -> None:
        cursor = Cursor(MssanteAddress(self.address), ANNE, self.clock.now(), uidvalidity, 0, "")
        author = Party("", "b@x")
        stored = StoredMail(f"m{uid}", cursor.address, ANNE, f"<{uid}@x>", (), "", author, ROOM, receipt_to=asked)
        await Mails(self.db, self.clock).put(stored, Place(cursor, uidvalidity, uid), f"r{uid}", [EventId(f"${uid}")])
        self.clock.advance(seconds=1)


@pytest.fixture
def boxed(operator: Operator, box: str, db: Database, clock: FrozenClock, tmp_path: Path) -> Boxed:
    return Boxed(operator, box, db, clock, tmp_path)


async def test_marks_and_tells_once(boxed: Boxed) -> None:
    operator, box = boxed.operator, boxed.address
    for name in "abcd":
        await deliver(operator, box, mail(name))
    async with visiting(operator, box) as client:
        found = await client.examine()
        one, two, three, four = await client.uids(0)
        await client.flag(found.uidvalidity, [one], ANSWERED)
        await client.flag(found.uidvalidity, [two], TOLD)
    for uid, asked in ((one, "b@x"), (two, "b@x"), (three, ""), (four, "b@x")):
        await boxed.shown(found.uidvalidity, uid, asked)
    reads, telling = Reads(boxed.db, boxed.clock), Telling(troubles=1)
    await reads.read(Read(ROOM, EventId(f"${three}"), ANNE), EventId(f"${three}"))
    await boxed.filing(telling).once()
    assert telling.told == []
    assert len(await reads.to_mark(MssanteAddress(boxed.address))) == 3
    again = boxed.filing(telling)
    await again.once()
    await again.once()
    # Who keeps no keywords can't say that another program told.
    expected = [one, three] if operator.keywords else [one, two, three]
    assert telling.told == [f"m{uid}" for uid in expected]
    assert boxed.revocation.servers > 0
    assert await reads.to_mark(MssanteAddress(boxed.address)) == []
    with owner(operator, box) as imap:
        kept = contents(imap, "INBOX")
    assert [SEEN.encode() in each for each in kept] == [True, True, True, False]
    assert [ANSWERED.encode() in each for each in kept] == [True, False, False, False]
    assert [TOLD.encode() in each for each in kept] == [operator.keywords] * 2 + [False, False]


async def test_a_mailbox_that_its_owner_disconnected_is_left_alone(boxed: Boxed) -> None:
    operator, box = boxed.operator, boxed.address
    await deliver(operator, box, mail("a"))
    async with visiting(operator, box) as client:
        found = await client.examine()
        [uid] = await client.uids(0)
    await boxed.shown(found.uidvalidity, uid, "b@x")
    await Mailboxes(boxed.db, boxed.clock).start(MssanteAddress(box), ANNE, boxed.clock.now())
    reads, telling = Reads(boxed.db, boxed.clock), Telling()
    await reads.read(Read(ROOM, EventId(f"${uid}"), ANNE), EventId(f"${uid}"))
    await boxed.choices.close(ANNE, OFF)
    await boxed.filing(telling).once()
    assert telling.told == []
    with owner(operator, box) as imap:
        assert SEEN.encode() not in contents(imap, "INBOX")[0]
    await boxed.choices.open(ANNE, None)
    await boxed.filing(telling).once()
    assert telling.told == [f"m{uid}"]


async def test_a_mail_that_is_gone_holds_nobody(boxed: Boxed) -> None:
    operator, box = boxed.operator, boxed.address
    await deliver(operator, box, mail("a"))
    async with visiting(operator, box) as client:
        found = await client.examine()
        [uid] = await client.uids(0)
    await boxed.shown(found.uidvalidity, uid + 5, "b@x")
    reads, telling = Reads(boxed.db, boxed.clock), Telling()
    await reads.read(Read(ROOM, EventId(f"${uid + 5}"), ANNE), EventId(f"${uid + 5}"))
    await boxed.filing(telling).once()
    assert await reads.to_mark(MssanteAddress(boxed.address)) == []
    assert telling.told == [], "whoever deleted it may have told"
    with owner(operator, box) as imap:
        [kept] = contents(imap, "INBOX")
    assert SEEN.encode() not in kept


async def test_a_mailbox_that_began_anew_is_told_once_the_mail_is_found_there(boxed: Boxed) -> None:
    operator, box, inbox = boxed.operator, MssanteAddress(boxed.address), Inbox(boxed.db, boxed.clock)
    for name in "ab":
        await deliver(operator, boxed.address, mail(name))
    async with visiting(operator, boxed.address) as client:
        found = await client.examine()
        first, second = await client.uids(0)
        await client.flag(found.uidvalidity, [second], TOLD)
    before = found.uidvalidity + 1
    cursor = await Mailboxes(boxed.db, boxed.clock).start(box, ANNE, boxed.clock.now())
    cursor = await inbox.store(cursor, before, 99, ())
    for uid in (first, second):
        await boxed.shown(before, uid, "b@x")
    reads, telling = Reads(boxed.db, boxed.clock), Telling()
    await reads.read(Read(ROOM, EventId(f"${second}"), ANNE), EventId(f"${second}"))
    filing = boxed.filing(telling)
    await filing.once()
    assert (telling.told, len(await reads.to_mark(box))) == ([], 2), "nobody told the bridge yet that it began anew"
    visits = boxed.revocation.servers
    await filing.once()
    assert boxed.revocation.servers == visits, "it is not asked again and again"
    cursor = await inbox.anew(cursor, found.uidvalidity, 0)
    assert await reads.waiting() == []
    for uid in (first, second):
        await Mails(boxed.db, boxed.clock).stands(f"m{uid}", Place(cursor, found.uidvalidity, uid))
    await boxed.filing(telling).once()
    assert telling.told == [f"m{uid}" for uid in ((first,) if operator.keywords else (first, second))]
    assert await reads.waiting() == []
    with owner(operator, boxed.address) as imap:
        assert all(SEEN.encode() in each for each in contents(imap, "INBOX"))


async def test_a_doubt_is_settled_by_the_mail_among_the_sent_ones(boxed: Boxed) -> None:
    address, outbox = boxed.address, Outbox(boxed.db, boxed.clock)
    with owner(boxed.operator, address) as imap:
        imap.create("Sent")
        raw = mail("Parti")
        imap.append("Sent", "", imaplib.Time2Internaldate(0), raw)
    message_id = raw.split(b"\r\n")[0].removeprefix(b"Message-ID: ").decode()
    for key, of in (("$there", message_id), ("$nowhere", "<nowhere@x>")):
        await outbox.put(a_send(boxed.clock, key, sender=MssanteAddress(address), message_id=of, raw=raw))
        await outbox.move(await found(outbox, key), "doubtful")
    filing = boxed.filing(Telling())
    await filing.once()
    assert [send.key for send in await outbox.doubtful()] == ["$nowhere"]
    await filing.once()
    assert await outbox.unfiled() == []
    with owner(boxed.operator, address) as imap:
        assert len(contents(imap, "Sent")) == 1
