"""The page's wire: HTTP in, pages out. Plain HTTP on an address of its own; a proxy in front of it ends TLS.

Nothing is kept in URLs but the secret of a link, which is used up by a button. A browser is known by a cookie made
up here; every form bears a token that follows from it. Who only looks leaves nothing behind.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import quote, urlsplit

from aiohttp import web

from colloque.config_entry import EntryConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, ColloqueError, LoginRefused, Refused, Tampered, Temporary
from colloque.identity import Rpps
from colloque.logs import event as log_event
from colloque.numbers import digits
from colloque.psc.http_wire import PscUnavailable
from colloque_annuaire.entering.entry import ENDED, Elsewhere, Entered, Entry
from colloque_annuaire.entering.http_entry_browsers import Browsers, Form, fields, new_cookie
from colloque_annuaire.proving.flow import Rules
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.store.entry_sessions import visit_id
from colloque_annuaire.texts import entry as texts

log = logging.getLogger(__name__)

BODY_MAX = 16 * 1024
_LINK = re.compile(r"[A-Za-z0-9_-]{32}")
_STATUS_CODES = {405: "bad_method", 413: "too_large"}
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
Handler = Callable[[str, Form], Awaitable[web.Response]]
"""`await handler(cookie, form)`."""


class EntryPages:
    """Routes. `psc_origins`: where a form may lead, besides here. `secret`: forms' tokens follow from it."""

    def __init__(
        self,
        *,
        entry: Entry,
        config: EntryConfig,
        rules: Rules,
        directory: Directory,
        secret: bytes,
        psc_origins: tuple[str, ...],
        test: bool,
    ) -> None:
        self._entry = entry
        self._config = config
        self._rules = rules
        self._directory = directory
        self._test = test
        self._browsers = Browsers(secret, secure=urlsplit(config.url).scheme == "https")
        # Browsers hold whatever a form's answer redirects to, at each hop, against `form-action`.
        forms = " ".join(dict.fromkeys(("'self'", *psc_origins)))
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
        get("/entrer/aide", self._help)
        post("/entrer/psc", self._form(self._to_psc))
        get("/entrer/retour", self._back)
        post("/entrer/code", self._form(self._send_code))
        post("/entrer/code/verifier", self._form(self._check_code))
        post("/entrer/suite", self._form(self._go_on))
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
            return self._refuse(_STATUS_CODES.get(error.status, "not_found"), error.status)
        except PscUnavailable:
            return self._refuse("psc_unavailable", 503)
        except Temporary as error:
            log_event(log, "entry.unavailable", level=logging.WARNING, code=error.code)
            return self._refuse("unavailable", 503)
        except Refused as error:
            log_event(log, "entry.refused", code=error.reason)
            return self._refuse(error.reason, 429 if error.reason == "too_fast" else 403)
        except (Tampered, LoginRefused) as error:
            log_event(log, "entry.untrusted", level=logging.WARNING, code=error.code)
            return self._refuse("psc_untrusted", 502)
        except ColloqueError as error:
            log_event(log, "entry.failed", level=logging.ERROR, code=error.code)
            return self._refuse("unavailable", 500)
        except Exception:
            log.exception("entry.failed")
            return self._refuse("unavailable", 500)

    # browsers

    def _refuse(self, code: str, status: int) -> web.Response:
        return self._page(texts.refused(code, texts.why(code)), status=status)

    def _page(self, html: str, *, status: int = 200, cookie: str = "") -> web.Response:
        """`cookie`: the browser keeps it from now on as long as its visit lasts."""
        page = web.Response(text=html, content_type="text/html", status=status, headers=self._headers)
        return self._browsers.keep(page, cookie) if cookie else page

    def _form(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A form of ours, sent by the browser that got it, and not too often."""

        async def run(request: web.Request) -> web.Response:
            self._browsers.measure(request)
            form, cookie = await fields(request), self._browsers.known(request)
            if not cookie or not self._browsers.sent(cookie, form):
                raise Refused(ENDED)
            return await handler(cookie, form)

        return run

    # pages

    async def _start(self, request: web.Request) -> web.Response:
        cookie = self._browsers.known(request) or new_cookie()
        return self._page(texts.start(self._browsers.token(cookie), by_psc=self._entry.by_psc), cookie=cookie)

    async def _help(self, _request: web.Request) -> web.Response:
        return self._page(texts.help_page(by_psc=self._entry.by_psc))

    async def _to_psc(self, cookie: str, _form: Form) -> web.Response:
        where = await self._entry.to_psc(visit_id(cookie))
        return self._browsers.keep(web.Response(status=303, headers=self._headers | {"Location": where}), cookie)

    async def _back(self, request: web.Request) -> web.Response:
        cookie = self._browsers.known(request)
        if not cookie:
            raise Refused(ENDED)
        if not await self._entry.proved(visit_id(cookie)):
            await self._entry.from_psc(visit_id(cookie), request.query)
        return await self._enter(cookie)

    async def _send_code(self, cookie: str, form: Form) -> web.Response:
        raw, picked = form.get("rpps", ""), form.get("choice", "")
        try:
            rpps = Rpps.parse(digits(raw) or raw, test=self._test)
        except BadIdentifier:
            raise Refused("bad_rpps") from None
        choice = int(picked) if re.fullmatch("[0-9]{1,2}", picked) else None
        try:
            address = await self._entry.send_code(visit_id(cookie), rpps, choice)
        except Refused as error:
            person = self._directory.by_rpps(rpps) if error.reason == No.CHOOSE else None
            if person is None:
                raise
            boxes = [str(box.address) for box in person.personal_mailboxes]
            return self._page(texts.choose_mailbox(self._browsers.token(cookie), str(rpps), boxes), cookie=cookie)
        return self._page(texts.ask_code(self._browsers.token(cookie), address, self._rules.code_life), cookie=cookie)

    async def _check_code(self, cookie: str, form: Form) -> web.Response:
        try:
            if not await self._entry.proved(visit_id(cookie)):
                await self._entry.check_code(visit_id(cookie), digits(form.get("code", "")) or "")
        except Refused as error:
            if error.reason != No.WRONG:
                raise
            again = texts.ask_code(self._browsers.token(cookie), "", self._rules.code_life, texts.WRONG_CODE)
            return self._page(again, status=403, cookie=cookie)
        return await self._enter(cookie)

    async def _go_on(self, cookie: str, _form: Form) -> web.Response:
        return await self._enter(cookie)

    async def _move(self, cookie: str, _form: Form) -> web.Response:
        return await self._enter(cookie, moving=True)

    async def _link(self, request: web.Request) -> web.Response:
        secret = request.query.get("l", "")
        if not _LINK.fullmatch(secret) or await self._entry.link(secret) is None:
            raise Refused(ENDED)
        cookie = self._browsers.known(request) or new_cookie()
        return self._page(texts.link(self._browsers.token(cookie), secret), cookie=cookie)

    async def _use_link(self, cookie: str, form: Form) -> web.Response:
        return self._shown(await self._entry.use_link(visit_id(cookie), form.get("l", "")))

    async def _enter(self, cookie: str, *, moving: bool = False) -> web.Response:
        try:
            found = await self._entry.enter(visit_id(cookie), moving=moving)
        except Temporary as error:
            log_event(log, "entry.unavailable", level=logging.WARNING, code=error.code)
            return self._page(texts.go_on(self._browsers.token(cookie)), status=503, cookie=cookie)
        if isinstance(found, Elsewhere):
            return self._page(texts.elsewhere(self._browsers.token(cookie), found.organisations), cookie=cookie)
        return self._shown(found)

    def _shown(self, found: Entered) -> web.Response:
        server = found.user.partition(":")[2]
        link = self._config.app_link.format(server=quote(server), user=quote(found.user))
        response = self._page(texts.entered(found.user, found.password, link, found.asked))
        # Whoever opens this browser next, or goes back in it, is shown nothing.
        return self._browsers.forget(response)
