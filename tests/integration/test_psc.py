"""Logins at a real OpenID provider with Pro Santé Connect's shapes: in a browser's way, and on the phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from colloque.clock import SystemClock
from colloque.errors import Refused
from colloque.identity import Rpps
from colloque.psc.authorize import Pending, code_of
from colloque.psc.claims import Identity
from colloque.psc.http_provider import Provider
from colloque.psc.http_wire import PscUnavailable
from tests.servers.annuaire import rpps
from tests.servers.psc import DOCTOR, PHARMACIST, Psc, person
from tests.waiting import until

RETURN = "http://127.0.0.1:9/retour"
PEOPLE = [
    person(rpps(1)),
    person(rpps(2), "Zoé", "PETIT", DOCTOR, PHARMACIST),
    person(rpps(3), none=True),
    person(rpps(4), acr="eidas2"),
    person("0012600631"),
    person("899700000011"),
]


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Psc]:
    async with Psc(tmp_path_factory.mktemp("psc"), people=PEOPLE, redirects=[RETURN]) as psc:
        yield psc


@pytest.fixture
async def psc(server: Psc) -> Psc:
    """Without anybody's trouble."""
    await server.control(auto=None, ciba={}, slow_down=0, fail=0, status=503, delay_ms=0)
    return server


@pytest.fixture
async def provider(psc: Psc) -> AsyncIterator[Provider]:
    async with aiohttp.ClientSession() as http:
        yield Provider(http, psc.config, SystemClock(), timeout_s=5.0, budget_s=3.0)


async def log_in(psc: Psc, provider: Provider, national: str) -> Identity:
    await psc.login_as(national)
    login = provider.begin(RETURN)
    back = URL(await psc.browse(login.url))
    assert str(back.with_query(None)) == RETURN
    return await provider.finish(code_of(back.query, login, psc.config.issuer), login, RETURN)


async def reason(psc: Psc, provider: Provider, national: str) -> str:
    with pytest.raises(Refused) as caught:
        await log_in(psc, provider, national)
    return caught.value.reason


async def test_a_login_in_a_browser(psc: Psc, provider: Provider) -> None:
    who = await log_in(psc, provider, rpps(1).national)
    assert (who.rpps, who.given_name, who.family_name) == (rpps(1), "Anne", "MARTIN")
    assert [(e.profession_code, e.category_code, e.specialty_code) for e in who.exercises] == [DOCTOR]


async def test_several_exercises_are_all_kept(psc: Psc, provider: Provider) -> None:
    who = await log_in(psc, provider, rpps(2).national)
    assert [(e.profession_code, e.category_code, e.specialty_code) for e in who.exercises] == [DOCTOR, PHARMACIST]


async def test_who_proves_nothing_is_refused(psc: Psc, provider: Provider) -> None:
    assert await reason(psc, provider, rpps(3).national) == "psc_no_exercise"
    assert await reason(psc, provider, rpps(4).national) == "psc_acr"
    assert await reason(psc, provider, "0012600631") == "psc_not_rpps"
    assert await reason(psc, provider, "899700000011") == "psc_not_rpps"


async def test_fictive_people_log_in_where_tests_are_made(psc: Psc) -> None:
    async with aiohttp.ClientSession() as http:
        who = await log_in(psc, Provider(http, psc.config, SystemClock(), test=True), "899700000011")
    assert who.rpps == Rpps("99700000011")


async def test_who_gives_up_comes_back_without_a_code(psc: Psc, provider: Provider) -> None:
    login = provider.begin(RETURN)
    await psc.login_as("")
    back = URL(await psc.browse(login.url))
    with pytest.raises(Refused) as caught:
        code_of(back.query, login, psc.config.issuer)
    assert caught.value.reason == "psc_denied"


async def test_the_page_lets_people_choose_who_they_are(psc: Psc, provider: Provider) -> None:
    login = provider.begin(RETURN)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.get(login.url) as page:
            text, where = await page.text(), page.url
        assert 'lang="fr"' in text
        assert f'value="{rpps(2).national}">Zoé PETIT<' in text
        url = where
        async with http.post(url, data={"person": rpps(2).national}, allow_redirects=False) as answer:
            url = url.join(URL(answer.headers["Location"]))
        while url.host == where.host and url.port == where.port:
            async with http.get(url, allow_redirects=False) as answer:
                url = url.join(URL(answer.headers["Location"]))
    who = await provider.finish(code_of(url.query, login, psc.config.issuer), login, RETURN)
    assert who.rpps == rpps(2)


async def test_a_code_is_good_once_and_for_who_began(psc: Psc, provider: Provider) -> None:
    await psc.login_as(rpps(1).national)
    login, other = provider.begin(RETURN), provider.begin(RETURN)
    code = code_of(URL(await psc.browse(login.url)).query, login, psc.config.issuer)
    with pytest.raises(Refused) as caught:
        await provider.finish(code, other, RETURN)  # another's verifier
    assert caught.value.reason == "psc_gone"
    login = provider.begin(RETURN)
    code = code_of(URL(await psc.browse(login.url)).query, login, psc.config.issuer)
    await provider.finish(code, login, RETURN)
    with pytest.raises(Refused) as caught:
        await provider.finish(code, login, RETURN)
    assert caught.value.reason == "psc_gone"


async def test_asked_on_the_phone_and_approved(psc: Psc, provider: Provider) -> None:
    pending = await provider.start(rpps(2), "07")
    assert pending.interval_s == 1
    assert [(q["national"], q["binding"]) for q in await psc.questions()] == [(rpps(2).national, "07")]
    assert await provider.poll(pending) == pending
    await psc.answer(rpps(2).national, "approve")
    who = await provider.poll(pending)
    assert isinstance(who, Identity)
    assert (who.rpps, len(who.exercises)) == (rpps(2), 2)
    with pytest.raises(Refused) as caught:
        await provider.poll(pending)
    assert caught.value.reason == "psc_gone"


async def test_another_instance_goes_on_polling(psc: Psc, provider: Provider) -> None:
    pending = await provider.start(rpps(1), "07")
    await psc.answer(rpps(1).national, "approve")
    async with aiohttp.ClientSession() as http:
        who = await Provider(http, psc.config, SystemClock()).poll(pending)
    assert isinstance(who, Identity)


@pytest.mark.parametrize(
    ("n", "why"), [(1, "psc_denied"), (3, "psc_no_exercise"), (4, "psc_acr"), (9, "psc_unknown_person")]
)
async def test_asked_on_the_phone_and_refused(psc: Psc, provider: Provider, n: int, why: str) -> None:
    await psc.control(ciba={rpps(n).national: "deny" if n == 1 else "approve"})
    with pytest.raises(Refused) as caught:
        await provider.poll(await provider.start(rpps(n), "10"))
    assert caught.value.reason == why


async def test_too_fast_is_answered_by_patience(psc: Psc, provider: Provider) -> None:
    pending = await provider.start(rpps(1), "10")
    await psc.control(slow_down=2)
    slower = await provider.poll(pending)
    assert isinstance(slower, Pending)
    assert (slower.interval_s, slower.auth_req_id) == (6, pending.auth_req_id)
    slowest = await provider.poll(slower)
    assert isinstance(slowest, Pending)
    assert slowest.interval_s == 11
    await psc.answer(rpps(1).national, "approve")
    assert isinstance(await provider.poll(slowest), Identity)


async def test_nobody_answered_in_time(tmp_path: Path) -> None:
    async with Psc(tmp_path, people=PEOPLE, ciba_s=1) as psc, aiohttp.ClientSession() as http:
        provider = Provider(http, psc.config, SystemClock())
        pending = await provider.start(rpps(1), "10")

        async def refused() -> str | None:
            try:
                await provider.poll(pending)
            except Refused as refusal:
                return refusal.reason
            return None

        assert await until(refused, "the question ends") in {"psc_expired", "psc_gone"}


async def test_down_slow_or_overloaded_is_temporary_and_then_works(psc: Psc, provider: Provider) -> None:
    async with aiohttp.ClientSession() as http:
        hasty = Provider(http, psc.config, SystemClock(), timeout_s=0.5, budget_s=0.0)
        await psc.control(delay_ms=1500)
        with pytest.raises(PscUnavailable):
            await hasty.start(rpps(1), "10")
        await psc.control(delay_ms=0, fail=1)
        with pytest.raises(PscUnavailable):
            await hasty.start(rpps(1), "10")
        await psc.stop()
        with pytest.raises(PscUnavailable):
            await hasty.start(rpps(1), "10")
    await psc.start()
    assert await provider.start(rpps(1), "10")


async def test_new_keys_are_found_without_restart(psc: Psc, provider: Provider) -> None:
    await log_in(psc, provider, rpps(1).national)
    await psc.stop()
    psc.new_key()
    await psc.start()
    assert (await log_in(psc, provider, rpps(1).national)).rpps == rpps(1)
