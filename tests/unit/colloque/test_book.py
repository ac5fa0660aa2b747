"""The snapshot and its changes, as they are read while all goes well."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from colloque import signed, snapshot
from colloque.attestation import NO_RPPS, Change, Kind, Listed, Method
from colloque.book import AttestationBook, changes_of
from colloque.files import write_private
from colloque.identity import Rpps, UserId
from colloque.snapshot import SnapshotWriter
from tests.attested import KEY, NOW, SERVERS, held, user, whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def writer(path: Path) -> SnapshotWriter:
    return SnapshotWriter(path, KEY)


@pytest.fixture
def book(path: Path) -> AttestationBook:
    return AttestationBook(path, KEY)


def test_everything_comes_back_as_it_was(writer: SnapshotWriter, book: AttestationBook) -> None:
    everybody = (
        held(1),
        held(2, kind=Kind.SUPERVISED, under=Rpps("80000000010"), professions=(), category=""),
        held(3, kind=Kind.STAFF, rpps=NO_RPPS, method=Method.BOOTSTRAP),
        held(4, "b.example", frozen=True),
    )
    blocks = {user(1): frozenset({user(2), user(4, "b.example")})}
    writer.publish(whole(*everybody, blocks=blocks, servers=SERVERS))
    assert {a.user: book.of(a.user, NOW) for a in everybody} == {a.user: a for a in everybody}
    assert book.of_rpps(everybody[0].rpps, NOW) == everybody[0]
    assert book.of_rpps(NO_RPPS, NOW) is None, "staff are found under no number"
    assert book.refuses(user(1), user(2))
    assert not book.refuses(user(2), user(1))
    assert book.state.servers == SERVERS
    assert book.is_listed("b.example", NOW)
    assert not book.is_listed("b.example", NOW + timedelta(days=1)), "an expired list lists nobody"
    assert book.state.bots == {"@annuaire:b.example"}
    assert set(book.all(NOW)) == set(everybody)
    assert book.problem == ""


def test_a_bot_of_another_server_than_its_own_is_none(writer: SnapshotWriter, book: AttestationBook) -> None:
    servers = replace(SERVERS, listed=(Listed("b.example", (UserId("@annuaire:a.example"),)),))
    writer.publish(whole(servers=servers))
    book.refresh()
    assert book.state.bots == frozenset()


def test_a_server_erases_that_has_a_salles_and_a_key_for_receipts(
    writer: SnapshotWriter, book: AttestationBook
) -> None:
    until, bot = NOW + timedelta(hours=1), UserId("@salles:b.example")
    tried = (((bot,), until, True), ((UserId("@annuaire:b.example"),), until, False), ((bot,), None, False))
    for serial, (bots, key, wanted) in enumerate(tried, 1):
        servers = replace(SERVERS, version=serial, listed=(Listed("b.example", bots, "", key),))
        writer.publish(whole(servers=servers, serial=serial))
        assert book.refresh()
        assert book.state.servers == servers
        assert book.erases("b.example", NOW) is wanted
        assert not book.erases("b.example", until), "its key has ended"
        assert book.salles_of("b.example", NOW) == (bot if bot in bots else None)
        assert book.salles_of("b.example", servers.until) is None
    assert not book.erases("c.example", NOW)


def test_dates_are_checked(writer: SnapshotWriter, book: AttestationBook) -> None:
    writer.publish(whole(held(1)))
    assert book.of(user(1), NOW - timedelta(days=2)) is None
    assert book.of(user(1), NOW + timedelta(days=1)) is None
    assert book.all(NOW + timedelta(days=1)) == []


def test_changes_are_appended_and_the_rest_is_not_read_again(
    writer: SnapshotWriter, book: AttestationBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.publish(whole(held(1), held(2)))
    book.refresh()
    assert writer.state.by_user.keys() == {user(1), user(2)}
    before = path.stat().st_mtime_ns
    monkeypatch.setattr(signed, "body", None)  # Whoever reads the whole again fails.
    writer.publish(whole(held(1, name="Dr Autre"), held(3), serial=2, blocks={user(3): frozenset({user(1)})}))
    assert path.stat().st_mtime_ns == before
    assert book.of(user(1), NOW) == held(1, name="Dr Autre")
    assert (book.of(user(2), NOW), book.of(user(3), NOW)) == (None, held(3))
    assert book.refuses(user(3), user(1))
    writer.change(3, NOW, Change(ended=(user(3),), blocks={user(3): frozenset()}))
    assert book.of(user(3), NOW) is None
    assert not book.refuses(user(3), user(1))
    assert (book.serial, book.problem) == (3, "")
    edition = book.edition
    writer.publish(whole(held(1, name="Dr Autre"), serial=3))
    book.refresh()
    assert book.edition == edition, "nothing new, nothing written"


def test_a_number_passes_from_one_account_to_the_next(writer: SnapshotWriter, book: AttestationBook) -> None:
    old, new = held(1), held(2, rpps=held(1).rpps)
    writer.publish(whole(old))
    writer.publish(whole(replace(old, valid_until=NOW), new, serial=2))
    assert book.of_rpps(old.rpps, NOW) == new
    writer.publish(whole(replace(old, valid_until=NOW), serial=3))
    assert book.of_rpps(old.rpps, NOW) is None


def test_many_changes_are_gathered_and_whoever_followed_reads_nothing_again(
    writer: SnapshotWriter, book: AttestationBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "GATHERED", 3)
    writer.publish(whole(held(1)))
    for serial in range(2, 5):
        book.refresh()
        writer.change(serial, NOW, Change(attested=(held(serial),)))
        if serial == 3:
            book.refresh()
    late = AttestationBook(path, KEY)
    assert late.refresh()
    assert set(late.all(NOW)) == {held(n) for n in range(1, 5)}
    assert late.count == 0
    assert book.refresh(), "it had not seen the last change: it reads the whole"
    follower = late.edition
    for serial in range(5, 8):
        writer.change(serial, NOW, Change(attested=(held(serial),)))
        if serial < 7:
            assert late.refresh()
    monkeypatch.setattr(signed, "body", signed.body)
    assert late.refresh()
    assert late.edition > follower
    assert set(late.all(NOW)) == {held(n) for n in range(1, 8)}


def test_a_gathered_snapshot_is_adopted_unread(
    writer: SnapshotWriter, book: AttestationBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.publish(whole(held(1)))
    writer.change(2, NOW, Change(attested=(held(2),)))
    book.refresh()
    monkeypatch.setattr(signed, "body", None)
    data = signed.encode(whole(held(1), held(2), serial=2), KEY, book.chain)
    write_private(path, data)
    write_private(changes_of(path), signed.encode_start(signed.mac_of(data), KEY))
    edition = book.edition
    book.refresh()
    assert (book.edition, book.problem, book.serial) == (edition, "", 2)
    assert book.of(user(2), NOW) == held(2)


def test_a_service_that_starts_again_goes_on_where_it_was(writer: SnapshotWriter, path: Path) -> None:
    writer.publish(whole(held(1)))
    before = path.read_bytes()
    SnapshotWriter(path, KEY).publish(whole(held(1), held(2), serial=2))
    assert path.read_bytes() == before
    book = AttestationBook(path, KEY)
    assert book.of(user(2), NOW) == held(2)


def test_memory_is_bounded(writer: SnapshotWriter, path: Path) -> None:
    """A tenth of the national numbers: the bench `module-memory` measures all of them."""
    writer.publish(whole(*(held(n) for n in range(12_500))))
    tracemalloc.start()
    try:
        book = AttestationBook(path, KEY)
        book.refresh()
        assert tracemalloc.get_traced_memory()[0] < 15 * 2**20
    finally:
        tracemalloc.stop()
