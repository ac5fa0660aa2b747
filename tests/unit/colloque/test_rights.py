"""Who is verified, and who administers: the configuration's word and the snapshot's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from colloque.attestation import NO_RPPS, Kind, Method
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.rights import Rights
from colloque.snapshot import SnapshotWriter
from tests.attested import KEY, NOW, held, user, whole

NAMED = user(9)
STAFF = held(1, kind=Kind.STAFF, method=Method.BOOTSTRAP, rpps=NO_RPPS, professions=())
DOCTOR = held(2)
SECRETARY = held(3, kind=Kind.SUPERVISED, method=Method.SPONSORED, rpps=DOCTOR.rpps, under=DOCTOR.rpps)


def opened(folder: Path) -> tuple[Rights, SnapshotWriter, FrozenClock]:
    clock, writer = FrozenClock(NOW), SnapshotWriter(folder / "snapshot", KEY)
    return Rights([NAMED], AttestationBook(folder / "snapshot", KEY), clock), writer, clock


def test_the_configuration_and_the_snapshot_say_who_administers(tmp_path: Path) -> None:
    rights, writer, clock = opened(tmp_path)
    assert rights.administrators() == {NAMED}
    assert not rights.certain, "there may be others"
    writer.publish(whole(STAFF, DOCTOR, SECRETARY))
    assert rights.administrators() == {NAMED, STAFF.user}
    assert rights.certain
    assert [rights.administers(u) for u in (NAMED, STAFF.user, DOCTOR.user, SECRETARY.user)] == [True] * 2 + [False] * 2
    assert [rights.is_verified(u) for u in (NAMED, STAFF.user, DOCTOR.user, SECRETARY.user)] == [False] * 2 + [True] * 2
    assert [rights.is_named(u) for u in (NAMED, STAFF.user)] == [True, False]
    clock.advance(days=2)
    assert rights.administrators() == {NAMED}
    assert not rights.administers(STAFF.user)
    assert not rights.is_verified(DOCTOR.user)


def test_whoever_is_removed_administers_no_more_at_once(tmp_path: Path) -> None:
    rights, writer, _ = opened(tmp_path)
    writer.publish(whole(STAFF))
    assert STAFF.user in rights.administrators()
    writer.publish(whole(held(1, kind=Kind.STAFF, rpps=NO_RPPS, valid_until=NOW - timedelta(hours=1)), serial=2))
    assert rights.administrators() == {NAMED}
    writer.publish(whole(STAFF, serial=3))
    writer.publish(whole(held(1), serial=4))
    assert rights.administrators() == {NAMED}, "the account is somebody else's kind now"
    writer.publish(whole(STAFF, serial=5))
    writer.publish(whole(serial=6))
    assert rights.administrators() == {NAMED}
