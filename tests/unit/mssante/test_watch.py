"""Whose mailbox is opened for whom: a professional's own, for them alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.identity import UserId
from colloque.snapshot import SnapshotWriter
from colloque_mssante.credentials import Credentials
from colloque_mssante.store_choices import Choices
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
    watcher._choices = Choices(Database.create(f"sqlite:{tmp_path}/b.db"), clock)
    watcher._directory = Shelf(doctor(1, "MARTIN", "Anne", mail=["anne@m.mssante.test"]))
    assert [attestation.user for attestation, _ in watcher._wanted().values()] == [doctors.user]
