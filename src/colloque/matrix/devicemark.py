"""Notices that a crypto store was lost, or restored from a backup: then the device must not be used again.

A restored store holds ratchets that already moved: using them again would repeat keys. So a generation number
grows with every change of the store. It stands in the store itself and in a small file outside the backup. At
start, a store that is older than the file was restored. The store is written first, the file second, and only then
does anything leave for the network: a crash in between leaves the store ahead, never behind.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from colloque.errors import Inconsistent
from colloque.files import write_private


@dataclass(frozen=True, slots=True)
class Generation:
    """Which device a store belongs to, and how often it changed."""

    device: str
    number: int


def new_device_id() -> str:
    """A device id nobody has used before."""
    return secrets.token_hex(8).upper()


class DeviceMark:
    """The file outside the store, one a store. `path` stands in the `device_marks` folder, never in a backup."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Generation | None:
        """What was last noted; None when there is no file or it is damaged (a new device costs little)."""
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            return Generation(str(raw["device"]), int(raw["generation"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def note(self, generation: Generation) -> None:
        """Write it, durably."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._path, json.dumps({"device": generation.device, "generation": generation.number}))

    def trusts(self, store: Generation | None) -> bool:
        """True when the store may go on: it is there, marked, of the same device, and not older than the file."""
        noted = self.read()
        return store is not None and noted is not None and store.device == noted.device and store.number >= noted.number


class MarkedStore:
    """A mark and the store it watches, where the store keeps its generation behind two callables (any database)."""

    def __init__(
        self,
        mark: DeviceMark,
        load: Callable[[], Awaitable[Generation | None]],
        save: Callable[[Generation], Awaitable[None]],
    ) -> None:
        self._mark = mark
        self._load = load
        self._save = save
        self._now: Generation | None = None

    async def usable(self) -> Generation | None:
        """The store's generation when it may go on; None when the caller must empty it and call `start`."""
        found = await self._load()
        self._now = found if self._mark.trusts(found) else None
        return self._now

    async def start(self, device: str) -> None:
        """Begin with an empty store and a new device."""
        await self._put(Generation(device, 1))

    async def advance(self) -> None:
        """Call after the store changed and before anything made from it leaves for the network."""
        if self._now is None:
            raise Inconsistent("the crypto store has no generation yet")
        await self._put(Generation(self._now.device, self._now.number + 1))

    async def _put(self, generation: Generation) -> None:
        await self._save(generation)
        self._mark.note(generation)
        self._now = generation
