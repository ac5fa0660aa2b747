"""The page with Pro Santé Connect over HTTP: a real OpenID provider, both databases, outages, kills, second taps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from colloque.attestation import Method
from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.files import free_port
from colloque_annuaire.proving.ciba import INCIDENT
from colloque_annuaire.store.entry_sessions import AGAIN
from tests.servers.annuaire import rpps
from tests.servers.entry_page import Web, open_web, shown
from tests.servers.psc import Psc, person
from tests.servers.sides import Sides

PEOPLE = [*(person(rpps(n)) for n in (1, 2, 3, 50)), person("0012600631"), person(rpps(4), acr="eidas2")]


@pytest.fixture
def clock() -> FrozenClock:
    """Now: tokens are dated by a real server."""
    return FrozenClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="module")
def port() -> int:
    """The page's, in every test: Pro Santé Connect sends back to it alone."""
    return free_port()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, port: int) -> AsyncIterator[Psc]:
    folder = tmp_path_factory.mktemp("psc")
    async with Psc(folder, people=PEOPLE, redirects=[f"http://127.0.0.1:{port}/entrer/retour"]) as psc:
        yield psc


@pytest.fixture
async def psc(server: Psc) -> Psc:
    await server.stop()
    await server.start()
    return server


@pytest.fixture
async def web(sides: Sides, psc: Psc, port: int) -> AsyncIterator[Web]:
    async with AsyncExitStack() as stack:
        yield await open_web(stack, sides.a, psc, port)


async def away(web: Web, psc: Psc, national: str) -> str:
    """Go to Pro Santé Connect and log in there; the address to which the browser is sent back."""
    await psc.login_as(national)
    form = {"token": web.token}
    async with web.http.post(f"{web.url}/entrer/psc", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        assert psc.origin in answer.headers["Content-Security-Policy"].partition("form-action")[2]
        where = answer.headers["Location"]
    back = await psc.browse(where)
    assert back.startswith(web.url)
    return back.removeprefix(web.url)


async def log_in(web: Web, psc: Psc, national: str) -> tuple[int, str]:
    return await web.get(await away(web, psc, national))


def texts_of_incidents(rows: list[Any]) -> list[str]:
    return [row["key"] for row in rows]


async def open_incidents(web: Web) -> list[str]:
    return texts_of_incidents(await web.side.db.fetch("SELECT key FROM incident WHERE closed_at IS NULL"))


async def test_a_login_gives_an_account_verified_and_a_password(web: Web, psc: Psc, sides: Sides) -> None:
    back = await away(web, psc, rpps(1).national)
    status, html = await web.get(back)
    assert status == 200
    user, password = shown(html)
    assert user == "@anne.nom1:chu-a.test"
    held = await web.side.people.attestation_of(user)
    assert held is not None
    assert (held.rpps, held.method) == (rpps(1), Method.PSC)
    assert "Identité vérifiée" in web.side.rooms.told(user)[0]
    assert "répondez dans le salon" not in html
    assert rpps(1).value not in html
    status, html = await web.get(back)
    assert (status, "visit_ended" in html) == (403, True), "who goes back in the browser is a stranger"
    assert await web.passes.check(user, password, sides.clock.now())
    await web.get()
    _, html = await log_in(web, psc, rpps(1).national)
    assert shown(html)[0] == user
    assert len(web.around.accounts) == 1


async def test_who_has_several_exercises_is_asked_on_the_page_and_at_home(web: Web, psc: Psc) -> None:
    found = web.side.directory.people[0]
    other = replace(found.activities[0], profession_code="21")
    web.side.directory.people[0] = replace(found, activities=(*found.activities, other))
    _, html = await log_in(web, psc, rpps(1).national)
    user, _ = shown(html)
    assert "répondez dans le salon" in html
    assert await web.side.people.attestation_of(user) is None
    assert len(web.side.rooms.told(user)) == 1


@pytest.mark.parametrize(
    ("national", "code"),
    [
        ("0012600631", "psc_not_rpps"),
        (rpps(4).national, "psc_acr"),
        ("", "psc_denied"),
        (rpps(50).national, "not_in_d"),
    ],
)
async def test_who_proves_nothing_reads_why_and_gets_no_account(web: Web, psc: Psc, national: str, code: str) -> None:
    status, html = await log_in(web, psc, national)
    assert (status, f"Code : {code}" in html) == (403, True)
    assert web.around.accounts == {}
    assert await open_incidents(web) == []


async def test_answers_made_up_or_taken_elsewhere_do_nothing(web: Web, psc: Psc) -> None:
    back = await away(web, psc, rpps(1).national)
    cookie = next(iter(web.http.cookie_jar)).value
    web.http.cookie_jar.clear()
    assert (await web.get(back))[0] == 403, "without a visit"
    await web.get()
    assert (await web.get(back))[0] == 403, "in another browser"
    web.http.cookie_jar.clear()
    web.http.cookie_jar.update_cookies({"colloque": cookie})
    for query in ("?code=a&state=b", "?state=%ff&code=%ed%a0%80", ""):
        status, html = await web.get("/entrer/retour" + query)
        assert (status, "Code : visit_ended" in html) == (403, True), query
    assert (await web.get(back))[0] == 403, "the login was used up by the answer made up"
    assert web.around.accounts == {}
    assert await open_incidents(web) == [], "nothing that an operator must see"


async def test_while_it_is_down_the_page_names_the_other_way(web: Web, psc: Psc) -> None:
    back = await away(web, psc, rpps(1).national)
    await psc.stop()
    status, html = await web.get(back)
    assert (status, "Code : psc_unavailable" in html) == (503, True)
    assert "code par votre boîte MSSanté" in html
    assert (await web.post("/entrer/code", rpps=rpps(1).value))[0] == 200
    assert len(web.around.mails) == 1


async def test_the_operator_is_told_of_a_secret_that_is_refused(web: Web, psc: Psc) -> None:
    secret = psc.config.client_secret.read_text(encoding="ascii")
    psc.config.client_secret.write_text("wrong", encoding="ascii")
    status, html = await log_in(web, psc, rpps(1).national)
    psc.config.client_secret.write_text(secret, encoding="ascii")
    assert (status, "Code : psc_untrusted" in html) == (502, True)
    assert await open_incidents(web) == [INCIDENT]
    await web.get()
    assert (await log_in(web, psc, rpps(1).national))[0] == 200
    assert await open_incidents(web) == []


async def test_what_was_proved_survives_an_outage_and_a_restart(
    web: Web, psc: Psc, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any) -> None:
        raise HomeUnavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(web.around, "create", down)
        status, html = await log_in(web, psc, rpps(1).national)
    assert (status, "Réessayer" in html) == (503, True)
    web.side.rooms.errors.append(HomeUnavailable("down"))
    assert (await web.post("/entrer/suite"))[0] == 503
    sides.clock.advance(minutes=1)
    status, html = await web.post("/entrer/suite")
    assert status == 200
    user, password = shown(html)
    assert await web.passes.check(user, password, sides.clock.now())
    assert len(web.side.rooms.told(user)) == 1
    kinds = [json.loads(line)["kind"] for line in (web.side.folder / "journal.jsonl").read_text("utf-8").splitlines()]
    assert kinds.count("person.attest") == 2, "begun and ended once"


async def test_a_button_pressed_twice_shows_a_password_that_works(web: Web, sides: Sides) -> None:
    await web.post("/entrer/code", rpps=rpps(1).value)
    cookie, form = next(iter(web.http.cookie_jar)).value, {"token": web.token, "code": web.around.code()}
    pages = []
    for _ in range(2):
        web.http.cookie_jar.update_cookies({"colloque": cookie})
        pages.append(await web.post("/entrer/code/verifier", **form))
    assert [status for status, _ in pages] == [200, 200]
    user, password = shown(pages[1][1])
    assert await web.passes.check(user, password, sides.clock.now())
    assert len(web.side.rooms.told(user)) == 1
    web.http.cookie_jar.update_cookies({"colloque": cookie})
    sides.clock.advance(seconds=AGAIN.total_seconds())
    assert (await web.post("/entrer/code/verifier", **form))[0] == 403
    secret = await web.links.make(user, sides.clock.now(), timedelta(hours=1))
    await web.get(f"/entrer/lien?l={secret}")
    both = await asyncio.gather(*(web.post("/entrer/lien", l=secret) for _ in range(2)))
    assert [status for status, _ in both] == [200, 200]
    right = [await web.passes.check(user, shown(html)[1], sides.clock.now()) for _, html in both]
    assert right == [False, True]
