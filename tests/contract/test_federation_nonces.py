"""Requests seen already, on both databases."""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.federation.nonces import Nonces, register_nonces
from colloque.store.schema import new_upgrades
from tests.servers.databases import Opener, count

MINUTE = timedelta(minutes=1)


async def opened_db(opened: Opener) -> Database:
    upgrades = new_upgrades()
    register_nonces(upgrades)
    return await opened(upgrades, "colloque_annuaire")


async def test_a_nonce_is_taken_once_also_through_a_restart(opened: Opener, clock: FrozenClock) -> None:
    db = await opened_db(opened)
    until = clock.now() + 10 * MINUTE
    assert await Nonces(db, clock).take("a.test", "n", until)
    assert not await Nonces(db, clock).take("a.test", "n", until)
    assert await Nonces(db, clock).take("b.test", "n", until)
    await db.stop()
    db = await opened_db(opened)
    assert not await Nonces(db, clock).take("a.test", "n", until)


async def test_a_nonce_is_kept_no_longer_than_needed(opened: Opener, clock: FrozenClock) -> None:
    db = await opened_db(opened)
    nonces = Nonces(db, clock)
    assert await nonces.take("a.test", "old", clock.now() + MINUTE)
    assert await nonces.take("a.test", "new", clock.now() + 3 * MINUTE)
    clock.advance(minutes=2)
    assert await nonces.take("a.test", "other", clock.now() + MINUTE)
    assert await count(db, "federation_nonce") == 2
    assert not await nonces.take("a.test", "new", clock.now() + MINUTE)
