"""A store that was restored, or lost, is never used again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from colloque.errors import Inconsistent
from colloque.matrix.devicemark import DeviceMark, Generation, MarkedStore, new_device_id


class Store:
    """A store elsewhere, with its generation."""

    def __init__(self) -> None:
        self.value: Generation | None = None
        self.fail = False

    async def load(self) -> Generation | None:
        return self.value

    async def save(self, value: Generation) -> None:
        if self.fail:
            raise OSError("disk full")
        self.value = value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "marks" / "bot.json"


def opened(store: Store, path: Path) -> MarkedStore:
    return MarkedStore(DeviceMark(path), store.load, store.save)


async def _used(store: Store, path: Path) -> MarkedStore:
    marked = opened(store, path)
    assert await marked.usable() is None
    await marked.start("A")
    await marked.advance()
    return marked


async def test_a_store_goes_on_over_restarts(path: Path) -> None:
    store = Store()
    await _used(store, path)
    again = opened(store, path)
    assert await again.usable() == Generation("A", 2)
    await again.advance()
    assert store.value == DeviceMark(path).read() == Generation("A", 3)


Accident = Callable[[Store, Path], None]


def _restored(store: Store, path: Path) -> None:
    store.value = Generation("A", 1)


def _lost(store: Store, path: Path) -> None:
    store.value = None


def _mark_lost(store: Store, path: Path) -> None:
    path.unlink()


def _mark_damaged(store: Store, path: Path) -> None:
    path.write_bytes(os.urandom(30))


def _another_store(store: Store, path: Path) -> None:
    store.value = Generation("B", 99)


@pytest.mark.parametrize("accident", [_restored, _lost, _mark_lost, _mark_damaged, _another_store])
async def test_after_an_accident_a_new_device_is_asked_for(path: Path, accident: Accident) -> None:
    store = Store()
    await _used(store, path)
    accident(store, path)
    marked = opened(store, path)
    assert await marked.usable() is None
    with pytest.raises(Inconsistent):
        await marked.advance()
    await marked.start("B2")
    assert await opened(store, path).usable() == Generation("B2", 1)


async def test_a_crash_between_store_and_mark_is_no_accident(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    marked = await _used(store, path)

    def killed(_self: DeviceMark, _generation: Generation) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DeviceMark, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            await marked.advance()
    assert store.value == Generation("A", 3)
    assert await opened(store, path).usable() == Generation("A", 3)


async def test_a_store_that_can_not_be_written_moves_no_mark(path: Path) -> None:
    store = Store()
    marked = await _used(store, path)
    store.fail = True
    with pytest.raises(OSError, match="disk full"):
        await marked.advance()
    assert DeviceMark(path).read() == Generation("A", 2)


def test_the_file_is_private(path: Path) -> None:
    DeviceMark(path).note(Generation("A", 1))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_device_ids_differ() -> None:
    assert len({new_device_id() for _ in range(100)}) == 100
