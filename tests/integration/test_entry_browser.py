"""People come in by the page, in a real browser as wide as a phone, by a local Pro Santé Connect."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page

from colloque.identity import UserId
from tests.servers.entry_place import PHONE, EntryPlace

pytestmark = pytest.mark.chromium


@asynccontextmanager
async def phone(chromium: Browser) -> AsyncIterator[Page]:
    """A browser that has never been here; nothing may be fetched from elsewhere."""
    context = await chromium.new_context(viewport=PHONE, locale="fr-FR")
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    assert [e for e in errors if "Content Security" in e or "Refused to" in e] == []
    await context.close()


async def shown(page: Page) -> tuple[UserId, str]:
    """The account and the password on the page."""
    await page.locator(".key").nth(1).wait_for()  # the texts of all are those that are there by now
    user, password = await page.locator(".key").all_inner_texts()
    return UserId(user), password


async def by_psc(page: Page, house: EntryPlace, n: int) -> None:
    number = house.people[n].rpps
    assert number is not None
    await house.psc.login_as(None)
    await page.goto(f"{house.url}/entrer")
    await page.get_by_role("button", name="Continuer avec Pro Santé Connect").click()
    await page.locator(f'button[name=person][value="{number.national}"]').click()


async def test_pro_sante_connect_gives_an_account_and_a_password_that_opens_one_session(
    entry_place: EntryPlace,
    browser: Browser,
) -> None:
    async with phone(browser) as page:
        await by_psc(page, entry_place, 0)
        await page.get_by_role("heading", name="Vous pouvez entrer").wait_for()
        user, password = await shown(page)
        who = entry_place.people[0]
        assert re.fullmatch(r"@[a-z0-9.\-]+:chu-a\.test", user)
        assert who.rpps is not None
        assert who.rpps.value not in await page.content()
        link = await page.get_by_role("link", name="Ouvrir l’application").get_attribute("href")
        assert link is not None
        assert link.startswith("https://mobile.element.io/element/?account_provider=chu-a.test&login_hint=mxid:")
        box = await page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= PHONE["width"], "nothing is wider than the phone"
        answered = await page.goto(page.url)
        assert answered is not None
        assert answered.status == 403, "the same answer of Pro Santé Connect serves once"
        assert password not in await page.content()
    status, said = await entry_place.login(user, password)
    assert (status, said["user_id"]) == (200, user)
    assert (await entry_place.login(user, password))[0] == 403
    async with phone(browser) as page:
        await by_psc(page, entry_place, 0)
        again, other = await shown(page)
    assert again == user, "an account attested one way and logging in again is the same account"
    assert other != password


async def test_who_gives_up_or_comes_without_a_visit_reads_why(
    entry_place: EntryPlace,
    browser: Browser,
) -> None:
    async with phone(browser) as page:
        await entry_place.psc.login_as(None)
        await page.goto(f"{entry_place.url}/entrer")
        await page.get_by_role("button", name="Continuer avec Pro Santé Connect").click()
        await page.locator('button[name=person][value=""]').click()
        await page.get_by_role("heading", name="Cela ne va pas plus loin").wait_for()
        await page.get_by_text("Code : psc_").wait_for()
        await page.goto(f"{entry_place.url}/entrer/retour?code=volé&state=x")
        assert "psc_untrusted" in await page.content() or "visit_ended" in await page.content()
        await page.goto(f"{entry_place.url}/entrer/lien?l=deviné")
        assert "a déjà servi" in await page.content()
        await page.goto(f"{entry_place.url}/ailleurs")
        assert "n'existe pas" in await page.inner_text("body")


async def test_a_number_that_can_not_get_a_code_reads_why(
    entry_place: EntryPlace,
    browser: Browser,
) -> None:
    async with phone(browser) as page:
        await page.goto(f"{entry_place.url}/entrer")
        await page.get_by_label("Votre numéro RPPS").fill("123")
        await page.get_by_role("button", name="Recevoir un code").click()
        await page.get_by_text("n'est pas un RPPS valable").wait_for()
        await page.get_by_role("link", name="Recommencer").click()
        await page.get_by_label("Votre numéro RPPS").fill("8 9900 0000 99")
        await page.get_by_role("button", name="Recevoir un code").click()
        await page.get_by_text(re.compile("ne connaît pas ce numéro|n'est pas un RPPS valable")).wait_for()
