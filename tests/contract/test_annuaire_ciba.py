"""From `!inscription` to an attestation by the e-CPS phone: a real OpenID provider, both databases, kills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from colloque.attestation import Method
from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.psc.http_provider import Provider
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.store.ciba import Questions, Stage
from tests.servers.annuaire import rpps
from tests.servers.ciba import EVENT, Chat
from tests.servers.psc import Psc, person
from tests.servers.sides import Sides, acts

PEOPLE = [*(person(rpps(n)) for n in (1, 2, 3, 5)), person(rpps(4), none=True)]


class Stopped(BaseException):
    """As `kill -9`."""


@pytest.fixture
def clock() -> FrozenClock:
    """Now: tokens are dated by a real server."""
    return FrozenClock(datetime.now(UTC))


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psc]:
    async with Psc(tmp_path_factory.mktemp("psc"), people=PEOPLE) as psc:
        yield psc


@pytest.fixture
async def psc(server: Psc) -> AsyncIterator[Psc]:
    """Its phones silent; restarted when a test stopped it."""
    await server.control(ciba={}, slow_down=0, fail=0, delay_ms=0)
    for asked in await server.questions():
        await server.control("/ciba", id=asked["id"], answer="deny")
    yield server
    await server.stop()
    await server.start()


@pytest.fixture
async def chat(sides: Sides, psc: Psc) -> AsyncIterator[Chat]:
    async with aiohttp.ClientSession() as http:
        yield Chat(sides, psc, http)


async def test_a_number_is_shown_validated_and_the_person_is_verified(chat: Chat) -> None:
    said = await chat.ask()
    (shown,) = await chat.psc.questions()
    assert said.splitlines()[0] == f"Validez le nombre {shown['binding']} dans votre application e-CPS (2 minutes)."
    assert shown["national"] == rpps(1).national
    assert await chat.ask() == said, "the same message asks once"
    assert len(await chat.psc.questions()) == 1
    assert await chat.look() == []
    await chat.psc.answer(rpps(1).national, "approve")
    told = await chat.look()
    assert len(told) == 1
    assert "Identité vérifiée" in told[0]
    held = await chat.held()
    assert held is not None
    assert (held.rpps, held.method) == (rpps(1), Method.CIBA)
    assert await chat.look() == told
    assert await chat.stage() is Stage.DONE
    assert "déjà vérifiée" in await chat.ask(event="$again")
    assert "terminée" in await chat.ask()
    assert ("person.ciba", "asked") in acts(chat.sides)


async def test_refused_on_the_phone_is_told_once(chat: Chat) -> None:
    await chat.ask()
    await chat.psc.answer(rpps(1).national, "deny")
    told = await chat.look()
    assert ["refusée dans l'application" in text for text in told] == [True]
    assert await chat.look(60) == told
    assert await chat.held() is None
    assert ("person.ciba_refused", "psc_denied") in acts(chat.sides)


async def test_nobody_answers(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    await chat.ask()
    await chat.psc.stop()
    assert await chat.look(200) == [], "an approval may wait there"
    assert ["à temps" in text for text in await chat.look(300)] == [True]
    assert await chat.stage() is Stage.DONE


@pytest.mark.parametrize(("n", "why"), [(4, "aucun exercice"), (6, "ne trouve pas d'application")])
async def test_who_proves_nothing_is_told_why(chat: Chat, n: int, why: str) -> None:
    chat.user = chat.side.user(n)
    await chat.psc.control(ciba={rpps(n).national: "approve"})
    said = await chat.ask(n)
    assert [why in text for text in [said, *await chat.look()] if "Validez" not in text] == [True]
    assert await chat.held() is None


async def test_the_directory_decides_before_anybody_s_phone_rings(chat: Chat) -> None:
    chat.side.directory.people = [p for p in chat.side.directory.people if p.rpps != rpps(5)]
    assert "ne connaît pas ce numéro" in await chat.ask(5)
    await chat.side.attest(3)
    assert "a déjà un compte" in await chat.ask(3)
    chat.side.directory.old = timedelta(days=8)
    assert "suspendue" in await chat.ask()
    assert await chat.psc.questions() == []
    assert await chat.stage() is None


async def test_nobody_is_asked_again_and_again(chat: Chat) -> None:
    for n in range(3):
        assert "Validez" in await chat.ask(event=f"${n}")
    assert "Trop de demandes" in await chat.ask(event="$3")
    assert "Trop de demandes" in await chat.ask(2, event="$4")
    chat.user = chat.side.user(2)
    assert "Trop de demandes" in await chat.ask(1, event="$5")
    assert "Validez" in await chat.ask(2, event="$6")
    assert len(await chat.psc.questions()) == 4
    chat.user = chat.side.user(1)
    chat.sides.clock.advance(hours=25)
    assert "Validez" in await chat.ask(event="$7")
    await chat.flow.forget_old()
    assert await chat.stage("$0") is Stage.DONE
    chat.sides.clock.advance(hours=24)
    await chat.flow.forget_old()
    assert await chat.stage("$0") is None


async def test_only_the_newest_question_counts(chat: Chat) -> None:
    await chat.ask()
    await chat.ask(event="$newer")
    await chat.psc.answer(rpps(1).national, "approve")  # the older one
    assert await chat.look() == []
    await chat.psc.answer(rpps(1).national, "approve")
    assert len(await chat.look()) == 1
    assert (await chat.stage(), await chat.stage("$newer")) == (Stage.DONE, Stage.DONE)


async def test_too_fast_is_answered_by_patience(chat: Chat) -> None:
    await chat.ask()
    await chat.psc.control(slow_down=1)
    await chat.look()
    found = await chat.questions.get(EVENT)
    assert found is not None
    assert found.interval_s == 6
    await chat.psc.answer(rpps(1).national, "approve")
    assert await chat.look(5) == []
    assert len(await chat.look(1)) == 1


async def test_while_it_is_away_nobody_is_asked_and_nothing_counts(chat: Chat) -> None:
    await chat.psc.control(fail=5)
    for n in range(5):
        assert "ne répond pas" in await chat.ask(event=f"${n}")
    assert "Validez" in await chat.ask()
    await chat.psc.control(fail=1)
    assert await chat.look() == []
    await chat.psc.answer(rpps(1).national, "approve")
    assert len(await chat.look(3)) == 1


async def test_our_own_name_refused_is_told_to_the_administrators(chat: Chat) -> None:
    secret = chat.psc.config.client_secret
    right = secret.read_text(encoding="ascii")
    try:
        secret.write_text("wrong", encoding="ascii")
        assert "en panne ici" in await chat.ask()
        assert await chat.side.incidents.current() == ["psc.trouble"]
    finally:
        secret.write_text(right, encoding="ascii")
    assert "Validez" in await chat.ask()
    assert await chat.side.incidents.current() == []


async def test_a_home_that_is_away_is_told_later_and_one_that_refuses_is_left(chat: Chat) -> None:
    await chat.ask()
    await chat.psc.answer(rpps(1).national, "approve")
    chat.side.rooms.errors = [HomeUnavailable("away")]
    assert await chat.look() == []
    assert await chat.held() is not None
    assert len(await chat.look(3)) == 1
    chat.user = chat.side.user(2)
    await chat.ask(2, event="$2")
    await chat.psc.answer(rpps(2).national, "approve")
    chat.side.rooms.errors = [HomeRefused(403, "M_FORBIDDEN")]
    assert await chat.look() == []
    assert await chat.stage("$2") is Stage.DONE


@pytest.mark.parametrize(
    ("where", "name"),
    [(Provider, "start"), (Questions, "opened"), (Attesting, "take"), (Publication, "snapshot"), (Questions, "done")],
)
async def test_a_kill_at_any_step_is_repaired_by_going_on(
    chat: Chat, where: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*args: Any, **more: Any) -> None:
        raise Stopped

    async def all_of_it() -> None:
        await chat.ask()
        await chat.psc.answer(rpps(1).national, "approve")
        await chat.look()

    with monkeypatch.context() as broken:
        broken.setattr(where, name, killed)
        with pytest.raises(Stopped):
            await all_of_it()
    await chat.restart()
    assert not [intent for intent in chat.side.journal.open_intents() if intent.kind == "person.ciba"]
    if await chat.stage() is Stage.STARTING:
        await chat.psc.control(ciba={rpps(1).national: "approve"})
        assert "Validez" in await chat.ask(), "its message is handled again"
    told = await chat.look(3)
    assert ["Identité vérifiée" in text for text in told] == [True]
    assert await chat.look() == told
    assert await chat.stage() is Stage.DONE


async def test_an_answer_that_a_kill_lost_is_said_to_be_lost(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    await chat.ask()
    await chat.psc.answer(rpps(1).national, "approve")

    async def killed(*args: Any, **more: Any) -> None:
        raise Stopped

    with monkeypatch.context() as broken:
        broken.setattr(Questions, "answered", killed)
        with pytest.raises(Stopped):
            await chat.look()
    await chat.restart()
    assert ["n'est plus valable" in text for text in await chat.look()] == [True]
    assert await chat.held() is None


async def test_an_approval_that_can_t_be_settled_for_an_hour_is_said_to_be_lost(chat: Chat) -> None:
    await chat.ask()
    await chat.psc.answer(rpps(1).national, "approve")
    chat.side.directory.empty = True
    assert await chat.look() == []
    assert await chat.look(60) == []
    assert await chat.stage() is Stage.PROVED
    await chat.attesting.tidy()
    assert await chat.look(4000) == [], "the proof itself is still kept"
    await chat.attesting.tidy()
    assert ["n'est plus valable" in text for text in await chat.look(60)] == [True]
    assert await chat.held() is None


async def test_a_restart_goes_on_polling_the_same_question(chat: Chat) -> None:
    await chat.ask()
    await chat.restart()
    await chat.psc.answer(rpps(1).national, "approve")
    assert len(await chat.look(130)) == 1
    assert await chat.held() is not None
