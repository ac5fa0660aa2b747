"""A place that one process at a time has, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from colloque.errors import Temporary
from colloque.store.slot import Slot
from tests.waiting import until


class Place(Slot):
    """Knows whether it was lost."""

    def __init__(self, url: str, folder: Path, number: int = 0) -> None:
        super().__init__(url, folder, " test", number, lost=self._lose)
        self.losses = 0

    def _lose(self) -> None:
        self.losses += 1


async def _waits(taking: asyncio.Task[None]) -> None:
    await asyncio.sleep(1.2)  # longer than its looks are apart: there is no condition to wait for
    assert not taking.done()


@pytest.mark.parametrize("same_folder", [True, False])
async def test_the_second_waits_for_the_end_of_the_first(url: str, tmp_path: Path, *, same_folder: bool) -> None:
    first, second = Place(url, tmp_path / "a"), Place(url, tmp_path / ("a" if same_folder else "b"))
    await first.take()
    taking = asyncio.create_task(second.take())
    if same_folder or url.startswith("postgres"):
        await _waits(taking)
        await first.close()
    await asyncio.wait_for(taking, 10)
    assert (first.losses, second.losses) == (0, 0)
    await second.close()
    await second.close()
    await first.close()


async def test_other_numbers_are_other_places(url: str, tmp_path: Path) -> None:
    places = [Place(url, tmp_path / str(number), number) for number in range(3)]
    for place in places:
        await place.take()
    for place in places:
        await place.close()


async def test_one_at_a_time_is_within_the_door(url: str, tmp_path: Path) -> None:
    one, two = Place(url, tmp_path / "1", 1), Place(url, tmp_path / "2", 2)
    await one.take()
    await two.take()
    within: list[int] = []

    async def enter(place: Place, name: int) -> None:
        async with place.door():
            within.append(name)
            await asyncio.sleep(0)
            within.append(name)

    await asyncio.gather(enter(one, 1), enter(two, 2))
    if url.startswith("postgres"):
        assert within in ([1, 1, 2, 2], [2, 2, 1, 1])
    assert sorted(within) == [1, 1, 2, 2]
    await one.close()
    await two.close()


@pytest.mark.postgres
async def test_whose_connection_was_ended_knows_it(url: str, tmp_path: Path) -> None:
    if not url.startswith("postgres"):
        return
    place, other = Place(url, tmp_path / "a"), Place(url, tmp_path / "b")
    await place.take()
    taking = asyncio.create_task(other.take())
    conn = await asyncpg.connect(url)
    await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    await conn.close()

    async def lost() -> int:
        return place.losses

    assert await until(lost, "it knows") == 1
    await asyncio.wait_for(taking, 10)
    await other.close()
    await place.close()


async def test_a_database_that_is_away(tmp_path: Path) -> None:
    place = Place("postgres://nobody@127.0.0.1:1/none", tmp_path)
    with pytest.raises(Temporary):
        await place.take()
    await place.close()
