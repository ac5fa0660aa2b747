"""Sessions kept: at a real OpenID provider with Pro Santé Connect's shapes, and at one that lies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from colloque.clock import FrozenClock, SystemClock
from colloque.errors import Refused, Temporary
from colloque.psc.claims import No
from colloque.psc.http_provider import Provider
from colloque_mssante.access.token_keeper import CLOSED, TokenKeeper, digest_of
from tests.servers.annuaire import rpps
from tests.servers.psc import DOCTOR, Psc, person, userinfo
from tests.servers.psc_hostile import HostilePsc
from tests.waiting import until

ANNE, ZOE = rpps(1), rpps(2)


@pytest.fixture(scope="module")
async def psc(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psc]:
    people = [person(ANNE), person(ZOE, "Zoé", "PETIT")]
    async with Psc(tmp_path_factory.mktemp("psc"), people=people, refresh_s=600) as server:
        yield server


@pytest.fixture
async def keeper(psc: Psc) -> AsyncIterator[TokenKeeper]:
    await psc.control(ciba={}, fail=0)
    async with aiohttp.ClientSession() as http:
        keeper = TokenKeeper(Provider(http, psc.config, SystemClock(), timeout_s=5.0, budget_s=2.0), SystemClock())
        yield keeper
        for one in (ANNE, ZOE):
            await psc.end(one.national)


async def session(keeper: TokenKeeper) -> str:
    await keeper.once()
    return str((await keeper.state())["sessions"].get(ANNE.value, ""))


async def reason(keeper: TokenKeeper) -> str:
    await keeper.once()
    return str((await keeper.state())["questions"][ANNE.value]["reason"])


async def opened(psc: Psc, keeper: TokenKeeper) -> str:
    await keeper.ask(ANNE.value)
    await psc.answer(ANNE.national, "approve")
    return await until(lambda: session(keeper), "a session")


async def test_one_question_at_a_time_and_a_token_that_the_provider_knows(psc: Psc, keeper: TokenKeeper) -> None:
    asked = await keeper.ask(ANNE.value)
    assert await keeper.ask(ANNE.value) == asked, "the same question, told again"
    assert [q["binding"] for q in await psc.questions()] == [asked["binding"]]
    with pytest.raises(Refused, match=CLOSED):
        await keeper.token(ANNE.value)
    await psc.answer(ANNE.national, "approve")
    first = await until(lambda: session(keeper), "a session")
    token = (await keeper.token(ANNE.value))["token"]
    shown = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http, http.get(psc.config.userinfo, headers=shown) as answer:
        assert (await answer.json())["SubjectNameID"] == ANNE.national
    with pytest.raises(Refused, match="psc_session_open"):
        await keeper.ask(ANNE.value)
    with pytest.raises(Refused, match=CLOSED):
        await keeper.token(ZOE.value)
    assert await session(keeper) == first
    await keeper.drop(ANNE.value)
    with pytest.raises(Refused, match=CLOSED):
        await keeper.token(ANNE.value)


async def test_a_token_that_a_server_refused_is_renewed_in_the_same_session(psc: Psc, keeper: TokenKeeper) -> None:
    first = await opened(psc, keeper)
    token = (await keeper.token(ANNE.value))["token"]
    other = (await keeper.token(ANNE.value, refused=digest_of(token)))["token"]
    assert other != token
    assert (await keeper.token(ANNE.value, refused=digest_of(token)))["token"] == other, "it was renewed already"
    assert await session(keeper) == first


async def test_a_session_that_the_provider_ended_is_over(psc: Psc, keeper: TokenKeeper) -> None:
    await opened(psc, keeper)
    token = (await keeper.token(ANNE.value))["token"]
    await psc.end(ANNE.national)
    with pytest.raises(Refused, match=CLOSED):
        await keeper.token(ANNE.value, refused=digest_of(token))
    assert not await session(keeper)


async def test_while_the_provider_is_away_a_session_goes_on(psc: Psc, keeper: TokenKeeper) -> None:
    first = await opened(psc, keeper)
    token = (await keeper.token(ANNE.value))["token"]
    await psc.control(fail=99)
    assert (await keeper.token(ANNE.value, refused=digest_of(token)))["token"] == token
    assert (await keeper.state())["problem"] == "psc.unavailable"
    await psc.control(fail=0)
    assert (await keeper.token(ANNE.value, refused=digest_of(token)))["token"] != token
    assert (await keeper.state())["problem"] == ""
    assert await session(keeper) == first


@pytest.mark.parametrize(("how", "by", "why"), [("deny", None, No.DENIED), ("approve", ZOE.national, No.OTHER_PERSON)])
async def test_nothing_opens_by_a_no_nor_by_somebody_elses_yes(
    psc: Psc, keeper: TokenKeeper, how: str, by: str | None, why: No
) -> None:
    asked = await keeper.ask(ANNE.value)
    await psc.answer(ANNE.national, how, by=by)
    assert await until(lambda: reason(keeper), "an answer") == why
    for one in (ANNE, ZOE):
        with pytest.raises(Refused, match=CLOSED):
            await keeper.token(one.value)
    assert (await keeper.ask(ANNE.value))["id"] != asked["id"], "and another may be asked"
    await keeper.drop(ANNE.value)
    await psc.answer(ANNE.national, "deny")


async def test_what_is_dropped_on_the_way_opens_nothing(psc: Psc, keeper: TokenKeeper) -> None:
    await keeper.ask(ANNE.value)
    await keeper.drop(ANNE.value)
    await psc.answer(ANNE.national, "approve")
    assert not await session(keeper)
    assert (await keeper.state())["questions"] == {}


class Lying:
    """A keeper at a provider that says what a test wants, at a time that it wants."""

    def __init__(self, psc: HostilePsc, http: aiohttp.ClientSession) -> None:
        self.psc, self.clock = psc, FrozenClock(datetime.now(UTC))
        self.keeper = TokenKeeper(Provider(http, psc.config, self.clock, timeout_s=5.0, budget_s=0.3), self.clock)

    async def open(self, **tokens: object) -> None:
        self.psc.tokens = tokens
        await self.keeper.ask(ANNE.value)
        await self.later(2)

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        await self.keeper.once()

    async def token(self) -> str:
        try:
            return str((await self.keeper.token(ANNE.value))["token"])
        except Refused as no:
            return no.reason


@pytest.fixture
async def lying(tmp_path: Path) -> AsyncIterator[Lying]:
    async with HostilePsc(tmp_path) as psc, aiohttp.ClientSession() as http:
        psc.info = userinfo(ANNE.national, "Anne", "MARTIN", DOCTOR)
        psc.claims = {"nonce": None}
        yield Lying(psc, http)


async def test_without_a_refresh_token_a_session_lasts_as_long_as_its_token(lying: Lying) -> None:
    await lying.open(expires_in=60)
    assert await lying.token() == "a-1"
    await lying.later(50)
    assert await lying.token() == "a-1"
    await lying.later(10)
    assert await lying.token() == CLOSED
    assert lying.psc.calls["token"] == 1


async def test_it_is_renewed_before_its_end_and_never_past_the_providers(lying: Lying) -> None:
    await lying.open(expires_in=60, refresh_token="r-1", refresh_expires_in=100)
    lying.psc.tokens |= {"access_token": "a-2", "refresh_token": "r-2"}
    await lying.later(49)
    assert await lying.token() == "a-2"
    assert lying.psc.last["token"][1]["refresh_token"] == "r-1"
    lying.psc.answers["token"] = [(400, {"error": "invalid_grant"})]
    await lying.later(48)
    assert await lying.token() == CLOSED


async def test_a_renewed_token_of_somebody_else_is_never_shown(lying: Lying) -> None:
    await lying.open(expires_in=60, refresh_token="r-1")
    lying.psc.info = userinfo(ZOE.national, "Zoé", "PETIT", DOCTOR)
    lying.psc.tokens |= {"access_token": "a-2"}
    await lying.later(50)
    with pytest.raises(Temporary):
        await lying.keeper.token(ANNE.value)
    lying.psc.info |= {"sub": lying.psc.sub}
    await lying.later(6)
    assert await lying.token() == CLOSED, "its name is the same, its number another's"


async def test_a_token_that_could_not_be_looked_at_waits_for_it(lying: Lying) -> None:
    await lying.open(expires_in=60, refresh_token="r-1")
    lying.psc.tokens |= {"access_token": "a-2"}
    lying.psc.answers["userinfo"] = [503, 503, 503]
    await lying.later(50)
    with pytest.raises(Temporary):
        await lying.keeper.token(ANNE.value)
    lying.psc.answers["userinfo"] = []
    await lying.later(6)
    assert await lying.token() == "a-2"
    assert lying.psc.calls["token"] == 2


async def test_a_session_that_can_no_longer_be_renewed_ends(lying: Lying) -> None:
    await lying.open(expires_in=60, refresh_token="r-1", refresh_expires_in=90)
    lying.psc.answers["token"] = [503] * 50
    await lying.later(50)
    assert await lying.token() == "a-1"
    await lying.later(20)
    with pytest.raises(Temporary):
        await lying.keeper.token(ANNE.value)
    await lying.later(40)
    assert await lying.token() == CLOSED


async def test_an_open_question_is_polled_past_its_end_only_for_so_long(lying: Lying) -> None:
    await lying.keeper.ask(ANNE.value)
    lying.psc.answers["token"] = [503] * 50
    await lying.later(130)
    assert (await lying.keeper.state())["questions"][ANNE.value]["reason"] == ""
    await lying.later(120)
    assert (await lying.keeper.state())["questions"][ANNE.value]["reason"] == No.EXPIRED
    await lying.later(3700)
    assert (await lying.keeper.state())["questions"] == {}
