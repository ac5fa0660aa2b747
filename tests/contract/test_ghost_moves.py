"""Whoever changes from an ADELI to an RPPS number keeps their ghost, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from mautrix.util.async_db import Database

from colloque.identity import UserId
from colloque.store.schema import new_upgrades
from colloque_mssante.people.ghosts import Correspondent, Ghosts
from colloque_mssante.store.tables import register_upgrades
from tests.servers.databases import Opener

SECRET = b"s" * 32


def who(key: str, *others: str) -> Correspondent:
    return Correspondent(key, "Dr Anne MARTIN", verified=True, label="Dr Anne MARTIN", others=others)


MOVED = who("adeli:1", "rpps:2", "adeli:1")


@dataclass
class Server:
    """Accounts by value: which were asked for, and their names."""

    names: dict[UserId, str] = field(default_factory=dict)

    async def get(self, user: UserId) -> UserId:
        return user

    async def set_display_name(self, user: UserId, name: str) -> None:
        self.names[user] = name


@pytest.fixture
async def db(opened: Opener) -> Database:
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    return await opened(upgrades, "colloque_mssante")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def ghosts(db: Database, server: Server) -> Ghosts:
    return Ghosts(db, server, server, SECRET, lambda name: UserId(f"@mss_{name}:h.test"))  # type: ignore[arg-type]


async def ghost_of(ghosts: Ghosts, someone: Correspondent) -> UserId:
    """As a mail that arrives does it."""
    settled = await ghosts.settled(someone)
    await ghosts.ensure(settled)
    return ghosts.user_of(settled)


async def test_a_move_from_adeli_to_rpps_changes_no_ghost(ghosts: Ghosts, server: Server) -> None:
    before = await ghost_of(ghosts, who("adeli:1"))
    assert await ghost_of(ghosts, MOVED) == before
    assert list(server.names) == [before]


async def test_nor_does_it_when_the_table_was_lost(db: Database, ghosts: Ghosts) -> None:
    before = await ghost_of(ghosts, who("adeli:1"))
    await db.execute("DELETE FROM ghost")
    assert await ghost_of(ghosts, MOVED) == before


async def test_nor_does_an_adeli_number_that_is_told_later(ghosts: Ghosts, server: Server) -> None:
    before = await ghost_of(ghosts, who("rpps:2"))
    assert await ghost_of(ghosts, MOVED) == before
    assert await ghost_of(ghosts, MOVED) == before
    assert list(server.names) == [before]


async def test_nor_does_a_second_adeli_number_with_a_ghost_of_its_own(ghosts: Ghosts) -> None:
    before = await ghost_of(ghosts, who("adeli:5"))
    assert await ghost_of(ghosts, who("adeli:1", "rpps:2", "adeli:1", "adeli:5")) == before


async def test_two_people_are_two_ghosts(ghosts: Ghosts) -> None:
    keys = (MOVED, who("rpps:3"), who("adeli:4"))
    assert len({await ghost_of(ghosts, someone) for someone in keys}) == 3
