"""Our services' own mailbox: read for the reports that come back there, and never in a person's place."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.identity import MssanteAddress, UserId
from colloque.mail.access import Password
from colloque.professional import Mailbox, MailboxKind
from colloque.snapshot import SnapshotWriter
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.wanted import Opening, Wanted
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.choices import PAUSED, Choices
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Mailboxes
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_store import db

__all__ = ["db"]
ANNE = UserId("@anne:h.test")
BOX = MssanteAddress("service@m.mssante.test")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value]))


@pytest.fixture
async def wanted(tmp_path: Path, db: Database, clock: FrozenClock, shelf: Shelf) -> Wanted:
    now = clock.now()
    held = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=9))
    SnapshotWriter(tmp_path / "snapshot", b"k" * 32).publish(snapshot(1, now, [held]))
    boxes = tmp_path / "mailboxes.yaml"
    boxes.touch(0o600)
    boxes.write_text(f'"{BOX}": {{password: "x"}}\n', encoding="utf-8")
    book, choices = AttestationBook(tmp_path / "snapshot", b"k" * 32), Choices(db, clock)
    return Wanted(
        book=book,
        directory=shelf,
        credentials=Credentials(boxes),
        choices=choices,
        teams=Teams(db, book, clock),
        clock=clock,
        service=BOX,
    )


async def test_a_persons_is_read_for_them_or_not_at_all(wanted: Wanted, db: Database, clock: FrozenClock) -> None:
    await Mailboxes(db, clock).start(BOX, ANNE, clock.now())
    wanted.refresh()
    assert [owner for _, owner, _ in wanted.known] == [ANNE]
    await wanted._choices.close(ANNE, PAUSED)
    wanted.refresh()
    assert wanted.known == {}
    assert not wanted.only_reports(BOX)


async def test_nor_that_of_somebody_who_is_not_verified(wanted: Wanted, shelf: Shelf) -> None:
    shelf.people = [doctor(2, "PETIT", "Bob", mail=[BOX.value])]
    wanted.refresh()
    assert wanted.known == {}


@pytest.mark.parametrize("others", [[], [Mailbox(BOX, MailboxKind.ORG)]])
async def test_nobodys_is_read_for_its_reports(wanted: Wanted, shelf: Shelf, others: list[Mailbox]) -> None:
    shelf.people, shelf.others = [], others
    wanted.refresh()
    assert [(owner, opening.service) for (_, owner, _), opening in wanted.known.items()] == [(SHARED, True)]
    assert wanted.only_reports(BOX)


async def test_one_that_was_a_persons_is_left_to_them(
    db: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the directory lists it no more: their choice outlives that."""
    boxes, leases = Mailboxes(db, clock), Leases(db, "test")
    theirs = await boxes.start(BOX, ANNE, clock.now())
    await leases.begin()
    leases.keep(await leases.take({BOX}))

    async def read(*_: Any) -> None:
        raise AssertionError("it was read")

    watcher = cast("Watcher", SimpleNamespace(_leases=leases, _mailboxes=boxes, _note=read, _session=read))
    async with asyncio.timeout(5):
        await Watcher._keep(watcher, BOX, SHARED, Opening(clock.now(), Password("x"), service=True))
    assert await boxes.get(BOX) == theirs
