"""Browsers on the page: the cookie they are known by, the token in their forms, how often they may send one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import deque
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import parse_qsl

from aiohttp import web

from colloque.clock import monotonic
from colloque.errors import Refused
from colloque_annuaire.store.entry_sessions import VISIT

POSTS, PER_S = 30, 600.0
"""So many forms from one address in so many seconds."""
MOST_ADDRESSES = 20_000
FIELDS_MAX = 10
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")
Form = dict[str, str]


def new_cookie() -> str:
    """For a browser that has none."""
    return secrets.token_urlsafe(32)


class Browsers:
    """One instance a page. Nothing is kept of a browser that only looks: its token follows from its cookie."""

    def __init__(self, secret: bytes, *, secure: bool) -> None:
        """`secure`: the page is behind https; else it is a test's."""
        self._secret = secret
        self._secure = secure
        self._name = "__Host-colloque" if secure else "colloque"
        self._posts: dict[str, deque[float]] = {}

    def known(self, request: web.Request) -> str:
        """The browser's cookie; empty when it has none."""
        cookie = request.cookies.get(self._name, "")
        return cookie if _COOKIE.fullmatch(cookie) else ""

    def keep(self, response: web.Response, cookie: str) -> web.Response:
        """The browser keeps the cookie as long as its visit waits for the next step."""
        life = int(VISIT.total_seconds())
        response.set_cookie(
            self._name, cookie, path="/", httponly=True, samesite="Lax", secure=self._secure, max_age=life
        )
        return response

    def forget(self, response: web.Response) -> web.Response:
        """Whoever opens this browser next, or goes back in it, is a stranger."""
        response.del_cookie(self._name, path="/", secure=self._secure, httponly=True, samesite="Lax")
        return response

    def token(self, cookie: str) -> str:
        """Stands in every form: another site can't fill it in."""
        return hmac.new(self._secret, f"colloque form v1\0{cookie}".encode(), hashlib.sha256).hexdigest()

    def sent(self, cookie: str, form: Form) -> bool:
        """Whether the form is one that this browser was given."""
        return hmac.compare_digest(form.get("token", "").encode(), self.token(cookie).encode())

    def measure(self, request: web.Request) -> None:
        """Raises Refused when that address sends too many forms."""
        now, address = monotonic(), address_of(request.remote or "", request.headers.getall("X-Forwarded-For", []))
        times = self._posts.setdefault(address, deque())
        while times and now - times[0] > PER_S:
            times.popleft()
        if len(times) >= POSTS:
            raise Refused("too_fast")
        times.append(now)
        if len(self._posts) > MOST_ADDRESSES:
            self._posts = {key: kept for key, kept in self._posts.items() if kept and now - kept[-1] <= PER_S}


async def fields(request: web.Request) -> Form:
    """What a form of ours holds. Raises Refused when it is another kind of body."""
    body = await request.read()
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused("bad_form")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Refused("bad_form") from None


def address_of(peer: str, forwarded: list[str]) -> str:
    """Whose browser: the word of the nearest proxy, when it stands on this machine. Of IPv6 a whole /64: one line.

    `forwarded`: every `X-Forwarded-For` header; a proxy adds its word at the end of the last, or a last one.
    """
    told = ",".join(forwarded).rpartition(",")[2].strip()
    try:
        address = ip_address(peer)
        if told and address.is_loopback:
            address = ip_address(told)
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
