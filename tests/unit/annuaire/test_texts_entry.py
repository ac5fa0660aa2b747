"""The pages of `/entrer`: whatever comes from outside is escaped, nothing is fetched, every refusal has words."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from colloque.psc.claims import No as PscNo
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.texts import entry as texts
from tests.servers.annuaire import doctor

EVIL = "\"><script>alert(1)</script>'&"
LIFE = timedelta(minutes=15)
OWN = (
    "directory_stale", "directory_empty", "visit_ended", "not_attested", "too_fast", "psc_unavailable",
    "psc_untrusted", "unavailable", "bad_rpps", "no_personal_mailbox", "bad_form", "bad_method", "too_large",
    "not_found",
)  # fmt: skip

PAGES = {
    "start": texts.start(EVIL, by_psc=True),
    "start_alone": texts.start(EVIL, by_psc=False),
    "help": texts.help_page(by_psc=True),
    "go_on": texts.go_on(EVIL),
    "code": texts.ask_code(EVIL, EVIL, LIFE, EVIL),
    "mailbox": texts.choose_mailbox(EVIL, EVIL, [EVIL, EVIL]),
    "entered": texts.entered(EVIL, EVIL, EVIL, EVIL),
    "elsewhere": texts.elsewhere(EVIL, [EVIL]),
    "link": texts.link(EVIL, EVIL),
    "refused": texts.refused(EVIL, EVIL),
}


class Read(HTMLParser):
    """Tags as a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_whole_and_nothing_from_outside_is_markup(name: str) -> None:
    html = PAGES[name]
    read = Read(html)
    assert read.open == []
    names = {tag for tag, _ in read.tags}
    assert names.isdisjoint({"script", "img", "link", "iframe", "base", "object"})
    assert "alert(1)</script>" not in html
    for tag, attrs in read.tags:
        assert not any(key.startswith("on") or key in {"src", "style"} for key in attrs), tag
        if tag == "form":
            assert (attrs["method"], str(attrs["action"])[:7]) == ("post", "/entrer")
        if tag == "a" and name != "entered":
            assert str(attrs["href"]).startswith("/entrer")
    assert ("html", {"lang": "fr"}) in read.tags


@pytest.mark.parametrize("name", PAGES)
def test_every_form_bears_the_token_and_every_field_a_label(name: str) -> None:
    read = Read(PAGES[name])
    forms = [tag for tag, _ in read.tags].count("form")
    fields = [attrs for tag, attrs in read.tags if tag == "input"]
    assert [attrs["value"] for attrs in fields if attrs["name"] == "token"] == [EVIL] * forms
    labels = {attrs.get("for") for tag, attrs in read.tags if tag == "label"}
    assert {attrs["id"] for attrs in fields if attrs.get("type") != "hidden"} == labels


def test_the_style_is_the_one_that_the_policy_admits() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGES["start"], re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() == texts.STYLE_HASH
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("code", [*OWN, *(no.value for no in No), *(no.value for no in PscNo)])
def test_every_refusal_says_what_and_what_to_do(code: str) -> None:
    said = texts.why(code)
    assert "\n" in said or said.count(".") >= 2 or code in frozenset(No)
    if code != "unavailable":
        assert said != texts.why("unavailable")


def test_only_what_is_asked_is_answered_at_home() -> None:
    assert "répondez dans le salon" in texts.entered("@a:h", "p", "https://app.test", "Sous lequel ?\n1. Médecin")
    assert "répondez dans le salon" not in texts.entered("@a:h", "p", "https://app.test", "")


def test_pro_sante_connect_is_named_where_it_is_asked() -> None:
    assert "/entrer/psc" in PAGES["start"]
    assert "/entrer/psc" not in PAGES["start_alone"]
    assert "Pro Santé Connect" not in texts.help_page(by_psc=False)


@pytest.mark.parametrize(("by_psc", "without"), [(True, "Ni l’un ni l’autre"), (False, "Sans boîte MSSanté")])
def test_colleagues_who_vouch_are_named_as_a_way_in(by_psc: bool, without: str) -> None:
    for said in (texts.start("token", by_psc=by_psc), texts.help_page(by_psc=by_psc)):
        assert f"<h2>{without}</h2><p>Deux confrères vérifiés" in said
    assert "!garant" in texts.help_page(by_psc=by_psc)
    assert "garants" in texts.why(No.NO_MAILBOX)


def test_the_mail_says_what_the_code_is_for_and_what_to_do_otherwise() -> None:
    said = texts.code_mail("012345", person=doctor(1, "NOM1", "Anne"), life=LIFE)
    assert "Votre code : 012345" in said
    assert "15 minutes" in said
    assert "Ce n'était pas vous ?" in said
    assert "012345" not in texts.CODE_SUBJECT
