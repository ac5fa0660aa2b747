"""Whose mailbox is opened for whom: a professional's own, for them alone; and mails that can't be fetched or shown."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.config import MailServerConfig
from colloque.config_mssante import BudgetConfig
from colloque.errors import LoginRefused, NoRoom, NotFound
from colloque.files import write_private
from colloque.identity import MssanteAddress, RoomId, UserId
from colloque.mail.access import Password, Way
from colloque.mail.imap import Box, Fetched, ImapClient
from colloque.mail.parse import parse_mail
from colloque.mail.revocation_check import Revocation
from colloque.snapshot import SnapshotWriter
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.notices import Notes
from colloque_mssante.access.wanted import Wanted
from colloque_mssante.arriving.delivery import Delivery
from colloque_mssante.arriving.inbound import Inbound
from colloque_mssante.mailboxes import fetching
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.mailboxes.giving_up import STUCK_WAIT, GivingUp
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.mapping import mapping
from colloque_mssante.rules.teams import Teams
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.choices import Choices
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.sending import Sending
from tests.servers.annuaire import Shelf, doctor, rpps

ANNE, BOX = UserId("@anne:h.test"), MssanteAddress("anne@m.mssante.test")
SERVICE = MssanteAddress("service@m.mssante.test")
RAW = b"From: b@m.mssante.test\r\n\r\nBonjour"


@pytest.fixture
async def db(bridge_db: Database) -> Database:
    return bridge_db


def test_who_works_under_somebody_never_gets_their_mail(tmp_path: Path, clock: FrozenClock) -> None:
    now = clock.now()
    doctors = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=9))
    secretary = replace(
        doctors, user=UserId("@zoe:h.test"), kind=Kind.SUPERVISED, under=rpps(1), method=Method.SPONSORED
    )
    SnapshotWriter(tmp_path / "snapshot", b"k" * 32).publish(snapshot(1, now, [secretary, doctors]))
    boxes = tmp_path / "mailboxes.yaml"
    boxes.touch(0o600)
    boxes.write_text(f'"{BOX}": {{password: "x"}}\n', encoding="utf-8")
    book = AttestationBook(tmp_path / "snapshot", b"k" * 32)
    nowhere = Database.create(f"sqlite:{tmp_path}/b.db")
    wanted = Wanted(
        book=book,
        directory=Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value])),
        credentials=Credentials(boxes),
        choices=Choices(nowhere, clock),
        teams=Teams(nowhere, book, clock),
        clock=clock,
        service=SERVICE,
    )
    assert not wanted.complete
    wanted.refresh()
    assert wanted.complete
    assert [user for _, user, _ in wanted.known] == [doctors.user]
    assert wanted.holds(BOX, ANNE)
    assert not wanted.holds(BOX, secretary.user)
    assert not wanted.only_reports(BOX)
    assert not wanted.only_reports(SERVICE), "we have no password for it"
    boxes.write_text(f'{{"{BOX}": {{password: "x"}}, "{SERVICE}": {{password: "y"}}}}\n', encoding="utf-8")
    wanted.refresh()
    assert wanted.only_reports(SERVICE)


class Certain(Wanted):
    """Holds one mailbox, or none."""

    def __init__(self, *pairs: tuple[MssanteAddress, UserId]) -> None:
        self._pairs, self.complete = set(pairs), True

    def refresh(self) -> None:
        pass


def _giving_up(db: Database, tmp_path: Path, clock: FrozenClock, journal: Journal) -> GivingUp:
    teams = Teams(db, AttestationBook(tmp_path / "none", b"k" * 32), clock)
    return GivingUp(
        inbox=Inbox(db, clock), notes=Notes(db), teams=teams, incidents=Incidents(db, clock), journal=journal
    )


async def _told(db: Database) -> int:
    return int(await db.fetchval("SELECT COUNT(*) FROM notice"))


async def test_a_mail_that_is_given_up_leaves_nothing_waiting(db: Database, tmp_path: Path, clock: FrozenClock) -> None:
    mails, inbox, boxes = Mails(db, clock), Inbox(db, clock), Mailboxes(db, clock)

    class Broken(Inbound):
        def __init__(self) -> None:
            self._mails, self._sending = mails, Sending(db, clock)

        async def deliver(self, place: Place, raw: bytes) -> None:
            await mails.begin(mapping.mail_key(place.box.address.value, parse_mail(raw).digest), RoomId("!room"))
            raise ValueError("a defect of ours")

    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    delivery = Delivery(
        db=db,
        inbox=inbox,
        inbound=Broken(),
        mailboxes=boxes,
        wanted=Certain((BOX, ANNE)),
        giving_up=_giving_up(db, tmp_path, clock, journal),
        weights=Weights(),
        clock=clock,
    )
    cursor = await boxes.start(BOX, ANNE, clock.now())
    await inbox.store(cursor, 1, 7, [Taken(7, RAW)])
    for tries in range(1, 4):
        await delivery._drain(BOX)
        assert await _told(db) == (tries == 3)
        assert await mails.arriving(RoomId("!room")) is (tries < 3)
        assert await inbox.due() == []
        clock.advance(seconds=STUCK_WAIT.total_seconds())
    assert await inbox.due() == []
    journal.close()


async def test_a_mailbox_that_is_nobodys_any_more_is_shown_to_nobody(db: Database, clock: FrozenClock) -> None:
    nothing = cast("Any", None)
    inbox, boxes = Inbox(db, clock), Mailboxes(db, clock)
    wanted = Certain()
    delivery = Delivery(
        db=db,
        inbox=inbox,
        inbound=nothing,
        mailboxes=boxes,
        wanted=wanted,
        giving_up=nothing,
        weights=Weights(),
        clock=clock,
    )
    await inbox.store(await boxes.start(BOX, ANNE, clock.now()), 1, 7, [Taken(7, RAW)])
    wanted.complete = False  # no directory yet: who knows
    await delivery._look()
    assert await inbox.due() == [(BOX, ANNE)]
    await delivery._drain(BOX)
    wanted.complete = True
    await delivery._look()
    assert await inbox.due() == []
    cursor = await boxes.get(BOX)
    assert cursor is not None
    assert cursor.uid == 6


class Mailbox:
    """Three mails; the second can't be fetched, or is gone."""

    def __init__(self, clock: FrozenClock, trouble: Exception | None) -> None:
        self._clock = clock
        self.trouble = trouble
        self.asked: list[int] = []

    async def uids(self, after: int, since: object = None) -> list[int]:
        return [uid for uid in (1, 2, 3) if uid > after]

    async def fetch(self, uid: int, _folder: Path) -> Fetched:
        self.asked.append(uid)
        if uid == 2 and self.trouble is not None:
            raise self.trouble
        return Fetched(uid, self._clock.now() - timedelta(days=uid == 1), len(RAW), io.BytesIO(RAW))


async def _watcher(db: Database, tmp_path: Path, clock: FrozenClock, journal: Journal) -> Watcher:
    leases = Leases(db, "test")
    await leases.begin()
    leases.keep(await leases.take({BOX}))
    watcher = object.__new__(Watcher)
    watcher._leases, watcher._places = leases, asyncio.Semaphore(1)
    watcher._fetching = Fetching(tmp_path, Weights())
    watcher._clock, watcher._inbox, watcher._fetched = clock, Inbox(db, clock), lambda: None
    watcher._giving_up = _giving_up(db, tmp_path, clock, journal)
    return watcher


async def test_what_is_older_or_gone_is_passed_over(db: Database, tmp_path: Path, clock: FrozenClock) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(db, tmp_path, clock, journal), Mailbox(clock, NotFound("gone"))
    cursor = await Mailboxes(db, clock).start(BOX, ANNE, clock.now())
    after, whole = await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
    assert (after.uid, whole, box.asked) == (3, True, [1, 2, 3])
    waiting = await watcher._inbox.next(BOX)
    assert waiting is not None
    assert waiting.place.uid == 3
    journal.close()


async def test_what_can_not_be_fetched_is_tried_again_then_given_up(
    db: Database, tmp_path: Path, clock: FrozenClock
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(db, tmp_path, clock, journal), Mailbox(clock, ValueError("a defect of ours"))
    cursor = await Mailboxes(db, clock).start(BOX, ANNE, clock.now())
    for tries in range(4):
        assert await _told(db) == 0
        cursor, _ = await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
        assert box.asked == [1, 2, 3] + [2] * tries
        clock.advance(seconds=STUCK_WAIT.total_seconds())
    assert await _told(db) == 1
    assert await watcher._inbox.unfetched(BOX, 1) == []
    journal.close()


async def test_where_the_disk_is_full_a_mail_waits_in_its_mailbox(
    db: Database, tmp_path: Path, clock: FrozenClock
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(db, tmp_path, clock, journal), Mailbox(clock, NoRoom())
    cursor = await Mailboxes(db, clock).start(BOX, ANNE, clock.now())
    with pytest.raises(NoRoom):
        await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
    assert await Mailboxes(db, clock).start(BOX, ANNE, clock.now()) == cursor
    assert (await watcher._inbox.unfetched(BOX, 1), await watcher._inbox.due()) == ([], [])
    box.trouble = None
    after, whole = await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
    assert (after.uid, whole, await _told(db)) == (3, True, 0)
    waiting = await watcher._inbox.next(BOX)
    assert waiting is not None
    assert waiting.place.uid == 2
    journal.close()


async def test_where_the_inbox_is_full_nothing_more_is_fetched(
    db: Database, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    watcher, box = await _watcher(db, tmp_path, clock, journal), Mailbox(clock, None)
    monkeypatch.setattr(fetching, "_BATCH", 1)
    monkeypatch.setattr("colloque_mssante.store.inbox.ROOM_MAILS", 1)
    cursor = await Mailboxes(db, clock).start(BOX, ANNE, clock.now())
    for _ in range(2):
        cursor, whole = await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
        assert (cursor.uid, whole, box.asked) == (2, False, [1, 2])
    await watcher._inbox.take_away(Place(cursor, 1, 2))
    cursor, whole = await watcher._catch_up(cast("ImapClient", box), Box(1, 4, 3), cursor)
    assert (cursor.uid, whole, box.asked) == (3, True, [1, 2, 3])
    journal.close()


async def test_a_server_is_looked_at_before_a_mailbox_is_opened(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes, given = tmp_path / "mailboxes.yaml", list[object]()
    write_private(boxes, "{}")
    revocation = Revocation(tmp_path / "lists", clock)

    async def connect(*_args: object, **named: object) -> None:
        given.append(named["revocation"])
        raise LoginRefused("seen")

    monkeypatch.setattr(ImapClient, "connect", connect)
    watcher = object.__new__(Watcher)
    watcher._budget, watcher._credentials = Budget(BudgetConfig()), Credentials(boxes, revocation)
    watcher._imap = Way(MailServerConfig("localhost", 1, tmp_path / "ca.pem"))
    box = Cursor(BOX, ANNE, clock.now(), 1, 0, "")
    with pytest.raises(LoginRefused):
        await watcher._session(box, Password("x"))
    assert given == [revocation]
