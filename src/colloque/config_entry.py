"""The configuration's section about the page by which people come in, `annuaire.entry`, and what must be true of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from colloque.errors import Problem


@dataclass(frozen=True, slots=True)
class EntryConfig:
    """The page `/entrer`: an account and a one-time password after a proof of identity, in a browser."""

    url: str
    """Public address of the page's server, without a path; https, but for a loopback in test mode."""
    port: int
    """TCP port on which the page answers, in clear: a proxy in front of it ends TLS."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    app_link: str = "https://mobile.element.io/element/?account_provider={server}&login_hint=mxid:{user}"
    """The link that opens the app on the right server: `{server}` and `{user}` are filled in."""


def entry_checks(own: EntryConfig, is_safe: Callable[[str], bool]) -> Iterator[Problem]:
    """Every problem. `is_safe`: may passwords travel to that URL?"""
    where = "annuaire.entry"
    if not is_safe(own.url):
        yield Problem(f"{where}.url", "must begin with https:// (passwords are shown there)")
    elif own.url.rstrip("/").count("/") > 2:
        yield Problem(f"{where}.url", "must bear no path")
    if not own.app_link.startswith("https://") or "{server}" not in own.app_link:
        yield Problem(f"{where}.app_link", "must begin with https:// and hold {server}")
    elif set(re.findall(r"{(?:server|user)}|[{}]", own.app_link)) - {"{server}", "{user}"}:
        yield Problem(f"{where}.app_link", "must hold no other braces than {server} and {user}")
