"""Whose mailbox is opened for whom: a professional's own, for them alone; and mails that can't be shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.config import MailServerConfig
from colloque.config_mssante import BudgetConfig
from colloque.errors import LoginRefused
from colloque.files import write_private
from colloque.identity import MssanteAddress, RoomId, UserId
from colloque.mail.access import Password, Way
from colloque.mail.imap import Fetched, ImapClient
from colloque.mail.parse import parse_mail
from colloque.mail.revocation_check import Revocation
from colloque.snapshot import SnapshotWriter
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante import mapping
from colloque_mssante.budget import Budget
from colloque_mssante.credentials import Credentials
from colloque_mssante.inbound import Inbound
from colloque_mssante.store import Cursor, Mailboxes, Place
from colloque_mssante.store_choices import Choices
from colloque_mssante.store_mails import Mails
from colloque_mssante.tables import register_upgrades
from colloque_mssante.teams import Teams
from colloque_mssante.watch import Watcher
from tests.servers.annuaire import Shelf, doctor, rpps


def test_who_works_under_somebody_never_gets_their_mail(tmp_path: Path, clock: FrozenClock) -> None:
    now = clock.now()
    doctors = Attestation(UserId("@anne:h.test"), rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=9))
    secretary = replace(
        doctors, user=UserId("@zoe:h.test"), kind=Kind.SUPERVISED, under=rpps(1), method=Method.SPONSORED
    )
    SnapshotWriter(tmp_path / "snapshot", b"k" * 32).publish(snapshot(1, now, [secretary, doctors]))
    boxes = tmp_path / "mailboxes.yaml"
    boxes.touch(0o600)
    boxes.write_text('"anne@m.mssante.test": {password: "x"}\n', encoding="utf-8")
    credentials = Credentials(boxes)
    credentials.refresh()
    watcher = object.__new__(Watcher)
    watcher._book = AttestationBook(tmp_path / "snapshot", b"k" * 32)
    watcher._clock = clock
    watcher._credentials = credentials
    nowhere = Database.create(f"sqlite:{tmp_path}/b.db")
    watcher._choices, watcher._teams = Choices(nowhere, clock), Teams(nowhere, watcher._book, clock)
    watcher._directory = Shelf(doctor(1, "MARTIN", "Anne", mail=["anne@m.mssante.test"]))
    assert [user for _, user, _ in watcher._wanted()] == [doctors.user]


async def test_a_mail_that_is_given_up_leaves_nothing_waiting(tmp_path: Path, clock: FrozenClock) -> None:
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    db = await open_database(f"sqlite:{tmp_path}/b.db", upgrades, "colloque_mssante")
    box = Cursor(MssanteAddress("anne@m.mssante.test"), UserId("@anne:h.test"), clock.now(), 1, 0, "")
    raw, given_up = b"From: b@m.mssante.test\r\n\r\nBonjour", list[int]()
    mails = Mails(db, clock)

    class Broken(Inbound):
        def __init__(self) -> None:
            self._mails = mails

        async def deliver(self, place: Place, raw: bytes) -> None:
            await mails.begin(mapping.mail_key(place.box.address.value, parse_mail(raw).digest), RoomId("!room"))
            raise ValueError("a defect of ours")

    class Mailbox:
        async def fetch(self, uid: int) -> Fetched:
            return Fetched(uid, clock.now(), raw)

    watcher = object.__new__(Watcher)
    watcher._clock, watcher._mailboxes, watcher._inbound = clock, Mailboxes(db, clock), Broken()

    async def told(place: Place) -> None:
        given_up.append(place.uid)

    watcher._give_up = told  # type: ignore[method-assign]
    for tries in range(1, 4):
        await watcher._one(Mailbox(), Place(box, 1, 7))  # type: ignore[arg-type]
        assert given_up == ([7] if tries == 3 else [])
        assert await mails.arriving(RoomId("!room")) is (tries < 3)
    await db.stop()


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
    box = Cursor(MssanteAddress("anne@m.mssante.test"), UserId("@anne:h.test"), clock.now(), 1, 0, "")
    with pytest.raises(LoginRefused):
        await watcher._session(box, Password("x"))
    assert given == [revocation]
