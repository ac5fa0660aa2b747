"""Questions on phones, kept, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colloque.identity import EventId, UserId
from colloque.psc.authorize import Pending
from colloque_annuaire.store.ciba import Question, Questions, Stage
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=1)
ANNE, PAUL = UserId("@anne:h.test"), UserId("@paul:h.test")
E1, E2, E3 = EventId("$1"), EventId("$2"), EventId("$3")
PENDING = Pending(rpps(1), "secret-1", NOW + timedelta(minutes=2), 1.5)


async def store(opened: Opener) -> Questions:
    return Questions(await opened(annuaire_upgrades(), "colloque_annuaire"))


@pytest.fixture
async def questions(opened: Opener) -> Questions:
    return await store(opened)


async def get(questions: Questions, event: EventId = E1) -> Question:
    found = await questions.get(event)
    assert found is not None
    return found


async def test_a_question_is_the_same_after_a_restart(opened: Opener) -> None:
    first = await store(opened)
    assert await first.get(E1) is None
    added = await first.add(E1, ANNE, rpps(1), "07", NOW)
    assert added == await get(first)
    assert (added.stage, added.binding, added.made_at) == (Stage.STARTING, "07", NOW)
    await first.opened(E1, PENDING, SOON)
    again = await store(opened)
    kept = await get(again)
    assert (kept.stage, kept.pending) == (Stage.OPEN, PENDING)
    assert "secret" not in repr(kept)
    assert await again.due(NOW) == []
    assert await again.due(SOON) == [kept]


async def test_the_secret_goes_with_the_answer(questions: Questions) -> None:
    await questions.add(E1, ANNE, rpps(1), "07", NOW)
    await questions.opened(E1, PENDING, NOW)
    assert await questions.answered(E1, Stage.REFUSED, "psc_denied")
    kept = await get(questions)
    assert (kept.stage, kept.reason, kept.auth_req_id) == (Stage.REFUSED, "psc_denied", "")
    assert await questions.due(NOW) == [kept]
    await questions.done(E1)
    assert await questions.due(SOON) == []
    assert (await get(questions)).stage is Stage.DONE


async def test_a_newer_question_takes_the_place_of_one_that_nobody_answered(questions: Questions) -> None:
    await questions.add(E1, ANNE, rpps(1), "07", NOW)
    await questions.opened(E1, PENDING, NOW)
    await questions.add(E2, PAUL, rpps(2), "08", NOW)
    assert (await get(questions)).stage is Stage.OPEN, "somebody else's"
    await questions.add(E3, ANNE, rpps(1), "09", SOON)
    kept = await get(questions)
    assert (kept.stage, kept.auth_req_id) == (Stage.DONE, "")
    assert not await questions.answered(E1, Stage.PROVED)
    assert (await get(questions)).stage is Stage.DONE


async def test_what_is_proved_stays_when_another_is_asked(questions: Questions) -> None:
    await questions.add(E1, ANNE, rpps(1), "07", NOW)
    await questions.opened(E1, PENDING, NOW)
    assert await questions.answered(E1, Stage.PROVED)
    await questions.add(E2, ANNE, rpps(1), "09", SOON)
    assert (await get(questions)).stage is Stage.PROVED


async def test_the_longest_due_comes_first(questions: Questions) -> None:
    for n, event in enumerate((E1, E2, E3)):
        await questions.add(event, UserId(f"@p{n}:h.test"), rpps(n), "07", NOW)
    await questions.opened(E1, PENDING, SOON)
    await questions.opened(E2, PENDING, NOW)
    assert [q.event for q in await questions.due(SOON)] == [E2, E1]
    await questions.later(E2, SOON + timedelta(seconds=5), 6.5)
    assert [q.event for q in await questions.due(SOON)] == [E1]
    assert (await get(questions, E2)).interval_s == 6.5


async def test_questions_are_counted_by_account_and_by_number(questions: Questions) -> None:
    await questions.add(E1, ANNE, rpps(1), "07", NOW)
    await questions.add(E2, ANNE, rpps(2), "07", SOON)
    await questions.add(E3, PAUL, rpps(1), "07", SOON)
    assert await questions.asked_since(NOW, user=ANNE, rpps=rpps(1)) == (2, 2)
    assert await questions.asked_since(SOON, user=ANNE, rpps=rpps(1)) == (1, 1)
    await questions.drop(E2)
    assert await questions.asked_since(NOW, user=ANNE, rpps=rpps(2)) == (1, 0)
    await questions.forget_old(SOON)
    assert await questions.get(E1) is None
    assert await questions.get(E3) is not None
