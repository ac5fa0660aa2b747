"""What is kept of browsers on the page, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Method
from colloque.identity import EventId, UserId
from colloque.psc.authorize import Begun
from colloque_annuaire.store.entry_sessions import AGAIN, VISIT, Proved, Visit, Visits, visit_id
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOON, LATE = NOW + VISIT - timedelta(seconds=1), NOW + VISIT
ONE, TWO = visit_id("one"), visit_id("two")
CODE, USER = EventId("$code"), UserId("@anne:h.test")
PROVED = Proved(rpps(1), Method.PSC, EventId("$proof"))
LOGIN = Begun("https://psc.test/auth?x", "state", "nonce", "verifier")


@pytest.fixture
async def db(opened: Opener) -> Database:
    return await opened(annuaire_upgrades(), "colloque_annuaire")


@pytest.fixture
def visits(db: Database) -> Visits:
    return Visits(db)


async def test_a_blank_visit_is_kept_nowhere(visits: Visits, db: Database) -> None:
    assert await visits.of(ONE, NOW) == Visit(ONE)
    assert await visits.from_psc(ONE, NOW) is None
    assert await db.fetchval("SELECT COUNT(*) FROM entry_session") == 0


async def test_a_login_comes_back_once_in_time_and_to_its_own_browser(visits: Visits) -> None:
    await visits.to_psc(ONE, LOGIN, NOW)
    assert await visits.from_psc(TWO, SOON) is None
    back = await visits.from_psc(ONE, SOON)
    assert back is not None
    assert (back.state, back.nonce, back.verifier) == ("state", "nonce", "verifier")
    assert await visits.from_psc(ONE, SOON) is None
    await visits.to_psc(ONE, LOGIN, NOW)
    assert await visits.from_psc(ONE, LATE) is None


async def test_a_proof_stays_with_its_code_and_gets_time_of_its_own(visits: Visits) -> None:
    await visits.mailed(ONE, CODE, NOW)
    assert await visits.of(ONE, SOON) == Visit(ONE, code=CODE)
    await visits.prove(ONE, PROVED, SOON)
    assert await visits.of(ONE, LATE) == Visit(ONE, code=CODE, proved=PROVED)
    moving = Proved(PROVED.rpps, PROVED.method, PROVED.ref, moving=True)
    await visits.prove(ONE, moving, LATE)
    assert await visits.of(ONE, LATE) == Visit(ONE, code=CODE, proved=moving)
    await visits.prove(TWO, PROVED, NOW)
    assert await visits.of(TWO, NOW) == Visit(TWO, proved=PROVED)
    assert await visits.of(TWO, LATE) == Visit(TWO)


async def test_whatever_is_begun_anew_replaces_what_was_before(visits: Visits) -> None:
    await visits.mailed(ONE, CODE, NOW)
    await visits.prove(ONE, PROVED, NOW)
    await visits.mailed(ONE, EventId("$other"), NOW)
    assert await visits.of(ONE, NOW) == Visit(ONE, code=EventId("$other"))
    await visits.prove(ONE, PROVED, NOW)
    await visits.to_psc(ONE, LOGIN, NOW)
    assert await visits.of(ONE, NOW) == Visit(ONE)


async def test_after_the_password_only_a_second_tap_counts(visits: Visits) -> None:
    await visits.mailed(ONE, CODE, NOW)
    await visits.prove(ONE, PROVED, NOW)
    await visits.show(ONE, USER, NOW)
    assert await visits.of(ONE, NOW + AGAIN - timedelta(seconds=1)) == Visit(ONE, result=USER)
    assert await visits.of(ONE, NOW + AGAIN) == Visit(ONE)


async def test_old_visits_leave_nothing(visits: Visits, db: Database) -> None:
    await visits.to_psc(ONE, LOGIN, NOW)
    await visits.prove(TWO, PROVED, SOON)
    await visits.forget_old(LATE)
    assert [row["id"] for row in await db.fetch("SELECT id FROM entry_session")] == [TWO]


async def test_neither_cookie_nor_token_is_kept(visits: Visits, db: Database) -> None:
    await visits.to_psc(ONE, LOGIN, NOW)
    (row,) = await db.fetch("SELECT * FROM entry_session")
    assert "one" not in [str(value) for value in dict(row).values()]
    assert visit_id("One") != ONE
    assert LOGIN.url not in [str(value) for value in dict(row).values()]
