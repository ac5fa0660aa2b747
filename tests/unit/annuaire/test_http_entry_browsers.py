"""Whose browser it is, and whose form."""

from __future__ import annotations

import pytest
from aiohttp import web

from colloque_annuaire.entering.http_entry_browsers import Browsers, address_of, new_cookie

SECRET = b"s" * 32


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("::1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        ("192.0.2.9", ["192.0.2.7"], "192.0.2.9"),
        ("::1234", ["192.0.2.7"], "::/64"),
        ("127.0.0.1", ["not an address"], "127.0.0.1"),
        ("127.0.0.1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["2001:db8:1:2::9"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("", [], ""),
    ],
)
def test_the_address_is_the_nearest_proxys_word_when_it_is_ours(peer: str, forwarded: list[str], address: str) -> None:
    assert address_of(peer, forwarded) == address


def test_a_form_is_the_browsers_own() -> None:
    browsers, cookie = Browsers(SECRET, secure=True), new_cookie()
    form = {"token": browsers.token(cookie)}
    assert browsers.sent(cookie, form)
    assert not browsers.sent(new_cookie(), form)
    assert not browsers.sent(cookie, {})
    assert not browsers.sent(cookie, {"token": "é"})
    assert not Browsers(b"t" * 32, secure=True).sent(cookie, form)
    assert cookie not in form["token"]


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-colloque"), (False, "colloque")])
def test_the_cookie_is_for_this_page_alone(secure: bool, name: str) -> None:
    browsers, cookie = Browsers(SECRET, secure=secure), new_cookie()
    for response in (browsers.keep(web.Response(), cookie), browsers.forget(web.Response())):
        morsel = response.cookies[name]
        assert (morsel["path"], morsel["httponly"], morsel["samesite"], morsel["domain"]) == ("/", True, "Lax", "")
        assert bool(morsel["secure"]) is secure
    assert browsers.keep(web.Response(), cookie).cookies[name]["max-age"] == "900"
    assert browsers.forget(web.Response()).cookies[name].value == ""
