"""Mails that are fetched and not shown, whatever keeps them: health says so, then the admin room, then their owner."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import UserId
from colloque.service import Service
from colloque.store.incidents import Incidents
from colloque_mssante.arriving.unshown import Unshown
from colloque_mssante.checks import add_checks
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.mailboxes import Mailboxes, Place
from colloque_mssante.store.outbox import Outbox
from tests.unit.mssante.test_store import ANNE, BOX, SINCE, db  # noqa: F401


async def told(db: Database) -> list[str]:  # noqa: F811
    return [row["owner"] for row in await db.fetch("SELECT owner FROM notice")]


async def test_a_mail_that_nothing_shows_is_told(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, incidents = Inbox(db, clock), Incidents(db, clock)
    teams = cast("Teams", SimpleNamespace(members=lambda _mailbox: (UserId("@zoe:h.test"),)))
    unshown = Unshown(db, teams, incidents, clock)
    checks: dict[str, Any] = {}
    service = cast("Service", SimpleNamespace(check=checks.__setitem__))
    known = cast("Any", SimpleNamespace(credentials=SimpleNamespace(sessions=None), book=None))
    add_checks(
        service, cast("Any", SimpleNamespace(db=db, clock=clock)), Outbox(db, clock), Mailboxes(db, clock), known
    )
    cursor = await inbox.store(
        await Mailboxes(db, clock).start(BOX, ANNE, SINCE), 7, 2, [Taken(1, b"x"), Taken(2, None)]
    )
    await unshown.once()
    assert (await checks["inbox"](), await incidents.current()) == ("", [])
    clock.advance(minutes=2)
    await unshown.once()
    assert (await checks["inbox"](), await incidents.current()) == ("inbox.stuck", ["mssante.inbox"])
    assert await told(db) == []
    clock.advance(minutes=58)
    for _ in range(3):
        await unshown.once()
        clock.advance(minutes=5)
    assert await told(db) == [ANNE]
    clock.advance(days=1)
    await unshown.once()
    assert await told(db) == [ANNE, ANNE], "it lasts"
    await inbox.take_away(Place(cursor, 7, 1))
    await unshown.once()
    assert (await checks["inbox"](), await incidents.current()) == ("", []), "what was not fetched is told elsewhere"


async def test_one_that_fails_for_itself_is_not_late(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    inbox, incidents = Inbox(db, clock), Incidents(db, clock)
    cursor = await inbox.store(await Mailboxes(db, clock).start(BOX, ANNE, SINCE), 7, 1, [Taken(1, b"x")])
    clock.advance(minutes=2)
    await inbox.failed(Place(cursor, 7, 1), clock.now() + timedelta(seconds=30))
    await Unshown(db, cast("Teams", None), incidents, clock).once()
    assert await incidents.current() == []
