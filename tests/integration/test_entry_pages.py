"""The page's forms in a real browser as wide as a phone: codes by mail, links, other sites' forms; a local PSC."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, Page

from colloque.clock import FrozenClock
from colloque.files import free_port
from colloque.identity import UserId
from tests.servers.annuaire import doctor, rpps
from tests.servers.entry_page import Web, open_web
from tests.servers.entry_place import PHONE
from tests.servers.psc import Psc, person
from tests.servers.sides import two_sides

pytestmark = pytest.mark.chromium
ELSEWHERE = re.compile(r"(https?|wss?)://(?!127\.0\.0\.1:)")


@pytest.fixture(scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Web, Psc]]:
    folder, port = tmp_path_factory.mktemp("pages"), free_port()
    count = iter(range(9))

    async def new_database() -> str:
        return f"sqlite:{folder}/{next(count)}.db"

    async with AsyncExitStack() as stack:
        back = f"http://127.0.0.1:{port}/entrer/retour"
        psc = await stack.enter_async_context(Psc(folder, people=[person(rpps(1))], redirects=[back]))
        clock = FrozenClock(datetime.now(UTC).replace(microsecond=0))
        sides = await stack.enter_async_context(two_sides(folder, clock, new_database))
        await sides.list(sides.a, sides.b)
        await sides.b.attest(3)
        page = await open_web(stack, sides.a, psc, port)
        sides.a.directory.people[4] = doctor(5, "NOM5", "Anne", mail=["a@m.mssante.test", "b@m.mssante.test"])
        yield page, psc


@asynccontextmanager
async def phone(chromium: Browser, web: Web, *, scripts: bool = False) -> AsyncIterator[Page]:
    """A browser that has never been here, without scripts; whatever is asked of another server fails the test."""
    context = await chromium.new_context(viewport=PHONE, locale="fr-FR", java_script_enabled=scripts)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("request", lambda asked: said.append(asked.url) if ELSEWHERE.match(asked.url) else None)
    yield page
    assert [line for line in said if "Failed to load resource" not in line and "favicon" not in line] == []
    await context.close()


async def shown(page: Page) -> tuple[UserId, str]:
    await page.get_by_role("heading", name="Vous pouvez entrer").wait_for()
    await page.locator(".key").nth(1).wait_for()  # the texts of all are those that are there by now
    user, password = await page.locator(".key").all_inner_texts()
    return UserId(user), password


async def fits(page: Page) -> None:
    """Nothing is wider than the phone, nothing to press is smaller than a finger."""
    box = await page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] <= PHONE["width"]
    for each in await page.locator("button, .button, input:not([type=hidden]), footer a").all():
        size = await each.bounding_box()
        assert size is not None
        assert size["height"] >= 44
        assert size["x"] + size["width"] <= PHONE["width"]


async def asks_for_code(page: Page, web: Web, number: str) -> None:
    await page.goto(f"{web.url}/entrer")
    await fits(page)
    await page.get_by_label("Votre numéro RPPS").fill(number)
    await page.get_by_role("button", name="Recevoir un code").click()


async def test_a_code_by_mail_after_a_wrong_one_gives_a_password(web: tuple[Web, Psc], browser: Browser) -> None:
    site, _ = web
    async with phone(browser, site) as page:
        await asks_for_code(page, site, f"{rpps(2)}")
        await page.get_by_text("p2@medecin.mssante.test").wait_for()
        await fits(page)
        code = site.around.code()
        await page.get_by_label("Code à 6 chiffres").fill(f"{(int(code) + 1) % 10**6:06d}")
        await page.get_by_role("button", name="Entrer").click()
        await page.get_by_text("pas le bon code").wait_for()
        await page.get_by_label("Code à 6 chiffres").fill(f"{code[:3]} {code[3:]}")
        await page.get_by_role("button", name="Entrer").click()
        user, password = await shown(page)
        await fits(page)
        key = page.locator(".key").nth(1)
        lines = await key.bounding_box()
        assert lines is not None
        assert lines["height"] < 60, "the password stands on one line"
        assert await site.passes.check(user, password, site.side.clock.now())
        assert await page.context.cookies() == [], "whoever goes back is a stranger"
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            await page.go_back()


async def test_of_several_mailboxes_one_is_chosen(web: tuple[Web, Psc], browser: Browser) -> None:
    site, _ = web
    async with phone(browser, site) as page:
        await asks_for_code(page, site, f"{rpps(5)}")
        await fits(page)
        await page.get_by_role("button", name="b@m.mssante.test").click()
        await page.get_by_label("Code à 6 chiffres").fill(site.around.code())
        await page.get_by_role("button", name="Entrer").click()
        assert (await shown(page))[0].startswith("@anne.nom5")
    assert site.around.mails[-1][0] == "b@m.mssante.test"


async def test_pro_sante_connect_leads_there_and_back(web: tuple[Web, Psc], browser: Browser) -> None:
    site, psc = web
    # Pro Santé Connect dates its tokens by the real time, from which ours, standing still, has gone away meanwhile.
    site.side.clock.advance(seconds=(datetime.now(UTC) - site.side.clock.now()) // timedelta(seconds=1))
    await psc.login_as(None)
    async with phone(browser, site) as page:
        await page.goto(f"{site.url}/")
        await page.get_by_role("button", name="Continuer avec Pro Santé Connect").click()
        await page.locator(f'button[name=person][value="{rpps(1).national}"]').click()
        user, password = await shown(page)
        assert await site.passes.check(user, password, site.side.clock.now())
        assert rpps(1).value not in page.url
    await psc.login_as(rpps(1).national)
    async with phone(browser, site) as page:  # Logged in there already: the form's answer redirects back at once.
        await page.goto(f"{site.url}/")
        await page.get_by_role("button", name="Continuer avec Pro Santé Connect").click()
        assert (await shown(page))[0] == user


async def test_an_account_elsewhere_is_closed_only_when_asked(web: tuple[Web, Psc], browser: Browser) -> None:
    site, _ = web
    async with phone(browser, site) as page:
        await asks_for_code(page, site, f"{rpps(3)}")
        await page.get_by_label("Code à 6 chiffres").fill(site.around.code())
        await page.get_by_role("button", name="Entrer").click()
        await page.get_by_role("heading", name="Vous avez déjà un compte").wait_for()
        await fits(page)
        site.side.clock.advance(seconds=1)
        await page.get_by_role("button", name="Venir ici et fermer l’autre compte").click()
        assert (await shown(page))[0].startswith("@anne.nom3")


async def test_a_link_looked_at_twice_shows_one_password_once(web: tuple[Web, Psc], browser: Browser) -> None:
    site, _ = web
    user = UserId("@secretaire:chu-a.test")
    secret = await site.links.make(user, site.side.clock.now(), timedelta(hours=48))
    where = f"{site.url}/entrer/lien?l={secret}"
    async with phone(browser, site) as page:
        for _ in range(2):
            await page.goto(where)
        await fits(page)
        await page.get_by_role("button", name="Montrer mon mot de passe").click()
        known, password = await shown(page)
        assert known == user
        assert secret not in page.url
        assert await site.passes.check(user, password, site.side.clock.now())
        await page.goto(where)
        assert "a déjà servi" in await page.inner_text("body")


async def test_another_site_can_not_send_our_forms(web: tuple[Web, Psc], browser: Browser, tmp_path: Path) -> None:
    site, _ = web
    mails = len(site.around.mails)
    async with phone(browser, site, scripts=True) as page:
        await page.goto(f"{site.url}/entrer")
        evil = tmp_path / "evil.html"
        evil.write_text(
            f'<form method="post" action="{site.url}/entrer/code"><input name="rpps" value="{rpps(4)}">'
            '<input name="token" value="guessed"><button>Gagner</button></form>',
            encoding="utf-8",
        )
        await page.goto(evil.as_uri())
        async with page.expect_navigation():
            await page.get_by_role("button", name="Gagner").click()
        assert "Code : visit_ended" in await page.inner_text("body")
        await page.goto(f"{site.url}/entrer")
        form = page.locator('form[action="/entrer/code"] input[name=token]')
        await form.evaluate("field => { field.value = field.value.slice(1) + '0' }")
        await page.get_by_label("Votre numéro RPPS").fill(f"{rpps(4)}")
        await page.get_by_role("button", name="Recevoir un code").click()
        await page.get_by_text("Code : visit_ended").wait_for()
    assert len(site.around.mails) == mails


async def test_help_and_refusals_lead_back(web: tuple[Web, Psc], browser: Browser) -> None:
    site, _ = web
    async with phone(browser, site) as page:
        await page.goto(f"{site.url}/entrer")
        await page.get_by_role("link", name="Besoin d’aide ?").click()
        await fits(page)
        await page.get_by_role("link", name="Revenir").click()
        await page.get_by_role("heading", name="Entrer sur Colloque").wait_for()
        answered = await page.goto(f"{site.url}/entrer/code/verifier")
        assert answered is not None
        assert answered.status == 405
        await page.get_by_role("link", name="Recommencer").click()
        await page.get_by_role("heading", name="Entrer sur Colloque").wait_for()
