"""The list a server keeps: verified, never older, fetched three times an hour at most."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import Refused, Tampered, Temporary
from colloque.federation.http_list import Fetched, ListUnavailable
from colloque.federation.keeper import PER_HOUR, Keeper, Turn
from colloque.policy.federation import FederationList
from tests.federation import Authority, Member, listing

A, B = Member("chu-a.test"), Member("chu-b.test")
AUTHORITY = Authority()


class Shelf:
    """Implements `keeper.Source`: hands out what lies on it."""

    def __init__(self) -> None:
        self.text: bytes | None = None
        self.asked: list[tuple[int, str]] = []
        self.before: Callable[[], None] = lambda: None

    def put(self, listed: FederationList, authority: Authority = AUTHORITY) -> None:
        self.text = authority.sign(listed)

    async def fetch(self, version: int, etag: str) -> Fetched | None:
        self.asked.append((version, etag))
        await asyncio.sleep(0)
        self.before()
        if self.text is None:
            raise ListUnavailable("away")
        mark = f'"{hash(self.text)}"'
        return None if etag == mark else Fetched(self.text, mark)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def keeper(shelf: Shelf, tmp_path: Path, clock: FrozenClock) -> Keeper:
    return opened(shelf, tmp_path, clock)


def opened(shelf: Shelf, folder: Path, clock: FrozenClock, authority: Authority = AUTHORITY) -> Keeper:
    made = Keeper(source=shelf, folder=folder, authority=authority.pins, clock=clock)
    made.load()
    return made


async def test_a_list_is_taken_kept_and_not_fetched_twice(
    keeper: Keeper, shelf: Shelf, tmp_path: Path, clock: FrozenClock
) -> None:
    assert (keeper.current, keeper.health, keeper.entry("chu-a.test")) == (None, "federation.no_list", None)
    shelf.put(listing(A, B))
    assert await keeper.refresh() is Turn.NEW
    assert keeper.health == keeper.problem == ""
    assert keeper.key_of("chu-a.test", "k-1") == A.key.public
    assert keeper.key_of("chu-a.test", "k-2") is keeper.key_of("evil.test", "k-1") is None
    assert await keeper.refresh() is Turn.SAME
    assert shelf.asked[0] == (0, "")
    assert shelf.asked[1][0] == 1
    assert shelf.asked[1][1] != ""
    again = opened(shelf, tmp_path, clock)
    assert again.current == keeper.current
    assert await again.refresh() is Turn.SAME
    assert shelf.asked[2] == shelf.asked[1]
    assert (tmp_path / "federation-list.jws").stat().st_mode & 0o777 == 0o600


async def test_an_outage_changes_nothing_until_the_list_ends(keeper: Keeper, shelf: Shelf, clock: FrozenClock) -> None:
    shelf.put(listing(A, days=2))
    await keeper.refresh()
    shelf.text = None
    clock.advance(days=1)
    with pytest.raises(Temporary):
        await keeper.refresh()
    assert keeper.problem == "federation.unavailable"
    assert keeper.entry("chu-a.test") is not None
    clock.advance(days=1)
    assert (keeper.current, keeper.entry("chu-a.test"), keeper.health) == (None, None, "federation.list_expired")


async def test_an_ended_list_is_still_never_replaced_by_an_older_one(
    keeper: Keeper, shelf: Shelf, clock: FrozenClock
) -> None:
    shelf.put(listing(A, version=5, days=1))
    await keeper.refresh()
    clock.advance(days=2)
    shelf.put(listing(A, B, version=4, now=clock.now()))
    with pytest.raises(Refused, match="list_rollback"):
        await keeper.refresh()
    assert keeper.current is None
    assert keeper.problem == "list_rollback"
    shelf.put(listing(A, version=6, now=clock.now()))
    assert await keeper.refresh() is Turn.NEW


async def test_replayed_forked_foreign_and_damaged_lists_change_nothing(
    keeper: Keeper, shelf: Shelf, clock: FrozenClock
) -> None:
    old, kept = listing(A, B, version=1), listing(A, version=2)
    shelf.put(kept)
    await keeper.refresh()
    for text, error in (
        (AUTHORITY.sign(old), Refused),
        (AUTHORITY.sign(listing(A, B, version=2)), Refused),
        (Authority().sign(listing(A, B, version=3)), Tampered),
        (AUTHORITY.sign(listing(A, B, version=3))[:-1], Tampered),
        (b"<html>", Tampered),
        (b"", Tampered),
    ):
        clock.advance(hours=1)
        shelf.text = text
        with pytest.raises(error):
            await keeper.refresh()
        assert keeper.current == kept


async def test_any_number_of_unknown_domains_costs_three_fetches_an_hour(
    keeper: Keeper, shelf: Shelf, tmp_path: Path, clock: FrozenClock
) -> None:
    shelf.put(listing(A))
    await keeper.refresh()
    for number in range(500):
        assert await keeper.find(f"unknown-{number}.test") is None
        clock.advance(seconds=5)
        if number == 250:
            keeper = opened(shelf, tmp_path, clock)
    assert len(shelf.asked) == PER_HOUR == 3
    assert await keeper.find("chu-a.test") is not None
    clock.advance(hours=1)
    for number in range(500):
        await keeper.find(f"unknown-{number}.test")
    assert len(shelf.asked) == 2 * PER_HOUR
    assert await keeper.refresh() is Turn.RESTING
    assert await keeper.refresh(ordered=True) is Turn.SAME


async def test_failed_fetches_count_too(keeper: Keeper, shelf: Shelf) -> None:
    for _ in range(100):
        assert await keeper.find("chu-a.test") is None
    assert len(shelf.asked) == PER_HOUR


async def test_a_new_server_is_found_when_it_is_needed(keeper: Keeper, shelf: Shelf) -> None:
    shelf.put(listing(A))
    await keeper.refresh()
    shelf.put(listing(A, B, version=2))
    found = await keeper.find("chu-b.test")
    assert found is not None
    assert found.server == "chu-b.test"


async def test_who_asks_at_once_shares_one_fetch(keeper: Keeper, shelf: Shelf) -> None:
    shelf.put(listing(A))
    turns = await asyncio.gather(*(keeper.refresh() for _ in range(50)))
    assert set(turns) == {Turn.NEW}
    assert len(shelf.asked) == 1


async def test_who_gives_up_does_not_stop_the_fetch(keeper: Keeper, shelf: Shelf) -> None:
    shelf.put(listing(A))
    first = asyncio.create_task(keeper.refresh())
    await asyncio.sleep(0)
    first.cancel()
    assert await keeper.refresh() is Turn.NEW
    assert len(shelf.asked) == 1


async def test_what_is_damaged_on_disk_counts_for_nothing(
    keeper: Keeper, shelf: Shelf, tmp_path: Path, clock: FrozenClock
) -> None:
    shelf.put(listing(A))
    await keeper.refresh()
    path, notes = tmp_path / "federation-list.jws", tmp_path / "federation-list.json"
    path.write_bytes(path.read_bytes()[:-4] + b"AAAA")
    broken = opened(shelf, tmp_path, clock)
    assert broken.current is None
    assert await broken.refresh() is Turn.NEW
    assert shelf.asked[-1] == (0, ""), "what is not there can't be unchanged"
    notes.write_text("{")
    assert opened(shelf, tmp_path, clock).current == broken.current
    assert opened(shelf, tmp_path, clock, Authority()).current is None, "another authority is pinned now"


async def test_a_crash_while_fetching_costs_a_fetch(
    keeper: Keeper, shelf: Shelf, tmp_path: Path, clock: FrozenClock
) -> None:
    def die() -> None:
        raise SystemError

    shelf.put(listing(A))
    shelf.before = die
    with pytest.raises(SystemError):
        await keeper.refresh()
    assert len(json.loads((tmp_path / "federation-list.json").read_text())["fetches"]) == 1
    shelf.before = lambda: None
    again = opened(shelf, tmp_path, clock)
    assert [await again.refresh() for _ in range(3)] == [Turn.NEW, Turn.SAME, Turn.RESTING]


async def test_a_server_that_says_unchanged_from_the_start_is_not_believed(tmp_path: Path, clock: FrozenClock) -> None:
    class Mute:
        async def fetch(self, version: int, etag: str) -> Fetched | None:
            return None

    keeper = Keeper(source=Mute(), folder=tmp_path, authority=AUTHORITY.pins, clock=clock)
    keeper.load()
    with pytest.raises(Tampered):
        await keeper.refresh()
