"""The page's wire: HTTP in, pages out. Plain HTTP on an address of its own; a proxy in front of it ends TLS.

Nothing is kept in URLs but the secret of a link, which is used up by a button. Every form bears the visit's token.
"""

from __future__ import annotations

import hmac
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import quote, urlsplit

from aiohttp import web

from colloque.clock import monotonic
from colloque.config_entry import EntryConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, ColloqueError, Refused, Temporary
from colloque.identity import Rpps
from colloque.logs import event as log_event
from colloque.numbers import digits
from colloque.psc.http_wire import PscUnavailable
from colloque_annuaire import texts_entry as texts
from colloque_annuaire.enrol import No
from colloque_annuaire.entry import ENDED, Elsewhere, Entered, Entry, Visit
from colloque_annuaire.flow import Rules

log = logging.getLogger(__name__)

BODY_MAX = 16 * 1024
POSTS, PER_S = 30, 600.0
"""So many forms from one address in so many seconds."""
MOST_ADDRESSES = 20_000
_LOOPBACK = ("127.", "::1")
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request, Visit], Awaitable[web.Response]]


class EntryPages:
    """Routes. `psc_origin`: where a form may lead, besides here."""

    def __init__(
        self, *, entry: Entry, config: EntryConfig, rules: Rules, directory: Directory, psc_origin: str, test: bool
    ) -> None:
        self._entry = entry
        self._config = config
        self._rules = rules
        self._directory = directory
        self._test = test
        secure = urlsplit(config.url).scheme == "https"
        self._cookie = "__Host-colloque" if secure else "colloque"
        self._secure = secure
        self._posts: dict[str, deque[float]] = {}
        forms = f"'self' {psc_origin}".strip()
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'sha256-{texts.STYLE_HASH}'; form-action {forms}; base-uri 'none'; "
                "frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        }

    async def serve(self, stack: AsyncExitStack) -> int:
        """Listen until `stack` is closed; the port. Raises Temporary when the address is taken."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
        get, post = app.router.add_get, app.router.add_post
        get("/", self._start)
        get("/entrer", self._start)
        post("/entrer/psc", self._form(self._to_psc))
        get("/entrer/retour", self._back)
        post("/entrer/code", self._form(self._send_code))
        post("/entrer/code/verifier", self._form(self._check_code))
        post("/entrer/demenager", self._form(self._move))
        get("/entrer/lien", self._link)
        post("/entrer/lien", self._form(self._use_link))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, self._config.host, self._config.port).start()
        except OSError as error:
            raise Temporary(f"the page's address can't be used: {error.strerror}") from None
        port: int = runner.addresses[0][1]
        return port

    @web.middleware
    async def _guard(self, request: web.Request, handler: Next) -> web.StreamResponse:
        """Whatever goes wrong is a page, with a stable code, and nothing of it in a log but that code."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            return self._refuse("not_found", error.status)
        except PscUnavailable:
            return self._refuse("psc_unavailable", 503)
        except Temporary as error:
            log_event(log, "entry.unavailable", level=logging.WARNING, code=error.code)
            return self._refuse("unavailable", 503)
        except Refused as error:
            log_event(log, "entry.refused", code=error.reason)
            return self._refuse(error.reason, 429 if error.reason == "too_fast" else 403)
        except ColloqueError as error:
            log_event(log, "entry.untrusted", level=logging.WARNING, code=error.code)
            return self._refuse("psc_untrusted", 502)
        except Exception:
            log.exception("entry.failed")
            return self._refuse("unavailable", 500)

    def _refuse(self, code: str, status: int) -> web.Response:
        return self._page(texts.refused(code, texts.why(code)), status=status)

    def _page(self, html: str, *, status: int = 200) -> web.Response:
        return web.Response(text=html, content_type="text/html", status=status, headers=self._headers)

    def _visit(self, request: web.Request) -> Visit | None:
        return self._entry.visit(request.cookies.get(self._cookie, ""))

    def _with_cookie(self, response: web.Response, visit: Visit) -> web.Response:
        response.set_cookie(
            self._cookie, visit.id, path="/", httponly=True, samesite="Lax", secure=self._secure, max_age=900
        )
        return response

    def _form(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A form of ours, sent by the browser that got it, and not too often."""

        async def run(request: web.Request) -> web.Response:
            self._measure(request)
            visit = self._visit(request)
            given = str((await request.post()).get("token", ""))
            if visit is None or not hmac.compare_digest(given.encode(), visit.token.encode()):
                raise Refused(ENDED)
            return await handler(request, visit)

        return run

    def _measure(self, request: web.Request) -> None:
        now, address = monotonic(), _address(request)
        times = self._posts.setdefault(address, deque())
        while times and now - times[0] > PER_S:
            times.popleft()
        if len(times) >= POSTS:
            raise Refused("too_fast")
        times.append(now)
        if len(self._posts) > MOST_ADDRESSES:
            self._posts = {key: kept for key, kept in self._posts.items() if kept and now - kept[-1] <= PER_S}

    async def _start(self, request: web.Request) -> web.Response:
        visit = self._visit(request) or self._entry.begin()
        return self._with_cookie(self._page(texts.start(visit.token, by_psc=self._entry.by_psc)), visit)

    async def _to_psc(self, _request: web.Request, visit: Visit) -> web.Response:
        return web.Response(status=303, headers=self._headers | {"Location": self._entry.to_psc(visit)})

    async def _back(self, request: web.Request) -> web.Response:
        visit = self._visit(request)
        if visit is None:
            raise Refused(ENDED)
        return self._came_in(visit, await self._entry.from_psc(visit, dict(request.query)))

    async def _send_code(self, request: web.Request, visit: Visit) -> web.Response:
        form = await request.post()
        raw, picked = str(form.get("rpps", "")), str(form.get("choice", ""))
        try:
            rpps = Rpps.parse(digits(raw) or raw, test=self._test)
        except BadIdentifier:
            raise Refused("bad_rpps") from None
        try:
            address = await self._entry.send_code(visit, rpps, int(picked) if picked.isdecimal() else None)
        except Refused as error:
            person = self._directory.by_rpps(rpps) if error.reason == No.CHOOSE else None
            if person is None:
                raise
            boxes = [str(box.address) for box in person.personal_mailboxes]
            return self._page(texts.choose_mailbox(visit.token, str(rpps), boxes))
        return self._page(texts.ask_code(visit.token, address, self._rules.code_life))

    async def _check_code(self, request: web.Request, visit: Visit) -> web.Response:
        typed = digits(str((await request.post()).get("code", ""))) or ""
        try:
            return self._came_in(visit, await self._entry.check_code(visit, typed))
        except Refused as error:
            if error.reason != No.WRONG:
                raise
            problem = "Ce n'est pas le bon code. Vérifiez les chiffres."
            return self._page(texts.ask_code(visit.token, "", self._rules.code_life, problem), status=403)

    async def _move(self, _request: web.Request, visit: Visit) -> web.Response:
        return self._came_in(visit, await self._entry.move(visit))

    async def _link(self, request: web.Request) -> web.Response:
        secret = request.query.get("l", "")
        if await self._entry.link(secret) is None:
            raise Refused(ENDED)
        visit = self._visit(request) or self._entry.begin()
        return self._with_cookie(self._page(texts.link(visit.token, secret)), visit)

    async def _use_link(self, request: web.Request, visit: Visit) -> web.Response:
        secret = str((await request.post()).get("l", ""))
        return self._came_in(visit, await self._entry.use_link(secret))

    def _came_in(self, visit: Visit, found: Entered | Elsewhere) -> web.Response:
        if isinstance(found, Elsewhere):
            return self._page(texts.elsewhere(visit.token, found.organisations))
        self._entry.end(visit)
        server = found.user.partition(":")[2]
        link = self._config.app_link.format(server=quote(server), user=quote(found.user))
        response = self._page(texts.entered(found.user, found.password, link, found.said))
        response.del_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")
        return response


def _address(request: web.Request) -> str:
    """Whose browser: the proxy's word, when the proxy stands on this machine."""
    peer = request.remote or ""
    if peer.startswith(_LOOPBACK) and (told := request.headers.get("X-Forwarded-For")):
        return told.rpartition(",")[2].strip()[:64]
    return peer
