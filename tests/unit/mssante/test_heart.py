"""What keeps a mail half alive goes on beating whatever fails, and says when it stops."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.errors import Temporary
from colloque_mssante.mailboxes import heart as module
from colloque_mssante.mailboxes.heart import Heart
from colloque_mssante.store.leases import Leases, _chosen
from tests.unit.mssante.test_store import BOX, db
from tests.waiting import until

__all__ = ["db"]


class Half:
    """Stands for all that works: nothing is to be done but for one mailbox."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.done: list[str] = []
        self.at_work = True
        self.forwarding: list[object] = []
        self.asking: set[object] = set()
        known = self.known = SimpleNamespace(wanted=SimpleNamespace(known={(BOX, "", ""): None}, refresh=lambda: None))
        self.heart = Heart(
            leases=leases,
            watcher=cast("Any", self),
            sender=cast("Any", self),
            filing=cast("Any", self),
            known=cast("Any", known),
            outbox=cast("Any", self),
            reads=cast("Any", self),
            originals=cast("Any", self),
            seeking=cast("Any", self),
            presence=cast("Any", self),
            alone=True,
        )

    async def senders(self) -> list[object]:
        return []

    async def waiting(self) -> list[object]:
        return [(mailbox, "") for mailbox in self.asking]

    async def asked(self) -> list[object]:
        return self.forwarding

    async def take_over(self, taken: object) -> None:
        assert not self.leases.holds(BOX)
        self.done.append("settled")

    def wake(self) -> None:
        self.done.append("woken")

    async def look(self) -> None:
        assert self.leases.holds(BOX)
        self.done.append("read")

    def busy(self, mailbox: object) -> bool:
        return self.at_work

    async def rest(self, within_s: float) -> None:
        self.done.append("rested")


async def test_what_is_taken_is_settled_before_anything_is_done_for_it(db: Database) -> None:
    half = Half(Leases(db, "1"))
    await half.heart.once()
    assert half.done == []  # it does not live yet
    await half.leases.beat()
    await half.heart.once()
    assert half.done == ["settled", "woken", "read"]
    await half.heart.once()
    assert len(half.done) == 3


async def test_a_mailbox_that_nobody_reads_is_held_for_what_is_forwarded(db: Database) -> None:
    half = Half(Leases(db, "1"))
    half.known.wanted.known.clear()
    await half.leases.beat()
    await half.heart.once()
    assert not half.leases.holds(BOX)
    half.forwarding = [SimpleNamespace(mailbox=BOX)]
    await half.heart.once()
    assert half.leases.holds(BOX)


async def test_a_mailbox_that_nobody_reads_is_held_to_be_asked_what_it_has(db: Database) -> None:
    half = Half(Leases(db, "1"))
    half.known.wanted.known.clear()
    half.asking = {BOX}
    await half.leases.beat()
    await half.heart.once()
    assert half.leases.holds(BOX)


async def test_what_others_should_have_is_left_when_nothing_is_under_way(db: Database) -> None:
    other = next(Leases(db, name) for name in map(str, range(99)) if module_chooses(name))
    half = Half(Leases(db, "x"))
    await half.leases.beat()
    await half.heart.once()
    await other.beat()
    await half.heart.once()
    assert half.leases.leaving == {BOX}
    assert await other.take({BOX}) == set()
    half.at_work = False
    await half.heart.once()
    assert half.leases.leaving == set()
    assert await other.take({BOX}) == {BOX}


def module_chooses(name: str) -> bool:
    """Whether that process should have BOX, rather than `x`."""
    return _chosen([name, "x"], BOX) == name


async def test_it_goes_on_beating_while_the_database_is_away(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    half, beats = Half(Leases(db, "1")), list[bool]()
    real = half.leases.beat

    async def beat() -> bool:
        beats.append(True)
        if len(beats) < 3:
            raise Temporary("away")
        return await real()

    monkeypatch.setattr(half.leases, "beat", beat)
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    beating = asyncio.create_task(half.heart.beat())

    async def lives() -> bool:
        return half.leases.lives

    await until(lives, "it lives")
    assert half.done == []
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert half.done == ["rested"]
    assert await half.leases.living() == []
