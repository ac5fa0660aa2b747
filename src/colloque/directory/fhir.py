"""The Annuaire Santé's FHIR API (v2) over HTTPS: one person or one mailbox at a time, on demand.

Searches are POSTed to `/{Type}/_search`: the API takes GET as well, but then people's numbers stand in addresses, which
gateways, proxies and error pages keep. Limits (source: ANS): 17 calls a second for one application, 30 s a call.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from colloque.book import read_secret
from colloque.clock import Clock, monotonic
from colloque.config import FhirConfig
from colloque.directory.fhir_bundle import Bundle, FhirNonsense, Resource, bundle, issue_code, reference_of
from colloque.directory.fhir_parts import tokens
from colloque.directory.fhir_records import FhirPerson, missing_organizations, owned_mailboxes, person
from colloque.directory.memo import Memo
from colloque.directory.settle import Absent, Silent, Word
from colloque.directory.throttle import Throttle
from colloque.errors import ConfigError, Final, LoginRefused, Problem, Tampered, Temporary
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.patience import patiently
from colloque.professional import Mailbox

logger = logging.getLogger(__name__)

CALLS_PER_S = 17
TIMEOUT_S = 30.0
BUDGET_S = 90.0
"""How long one search is tried again."""
KEEP_S = 600.0
KEEP = 4_096
"""People remembered, and for how many seconds."""
MAX_BYTES = 64 << 20
"""Of one page, unpacked. ANS's biggest (10,000 entries) are about half of it."""
MAX_PAGES = 250
MAX_RESOURCES = 20_000
KEY_REST_S = 3_600.0
"""After a refused key, silence until the file is replaced, or for this long."""
_AT_ONCE = 16
_BIG = 1 << 20
_REASONS = {400: "fhir.request", 404: "fhir.missing", 410: "fhir.gone", 412: "fhir.condition"}


class FhirUnavailable(Temporary):
    """No answer, an overloaded gateway, or too many calls."""

    code = "fhir.unavailable"


class FhirRefused(Final):
    """Refused for good. `code`: `fhir.request` (400), `fhir.missing` (404: wrong address), `fhir.gone` (410),
    `fhir.condition` (412), `fhir.redirect` (3xx), `fhir.refused`; `issue` is the OperationOutcome's code, or empty.
    """

    def __init__(self, status: int, issue: str = "") -> None:
        self.status = status
        self.issue = issue
        self.code = "fhir.redirect" if status < 400 else _REASONS.get(status, "fhir.refused")
        super().__init__(f"FHIR answers {status} {issue}".strip())


class FhirKeyRefused(LoginRefused):
    """The API key is missing, badly kept, or refused (401, 403). Worth an incident: nothing works without it."""

    code = "fhir.key"


class FhirUntrusted(Final):
    """The server's certificate does not come from our trust anchors."""

    code = "fhir.tls"


class Fhir:
    """The API with one key. Share one among all callers: the limit is the application's.

    Its questions raise FhirUnavailable (with the delay, once the budget is spent), FhirRefused, FhirKeyRefused,
    FhirUntrusted, or FhirNonsense (an answer that can't be used); none of these means "not listed".
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        config: FhirConfig,
        clock: Clock,
        *,
        test: bool = False,
        timeout_s: float = TIMEOUT_S,
        budget_s: float = BUDGET_S,
        keep_s: float = KEEP_S,
    ) -> None:
        """`test` admits fictive numbers. Raises ConfigError without readable trust anchors."""
        self._http = http
        self._base = URL(config.url.rstrip("/"))
        self._key = _Key(config.key)
        self._tls = _trust(config.ca)
        self._clock = clock
        self._test = test
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._budget_s = budget_s
        self._throttle = Throttle(CALLS_PER_S)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._memo: Memo[Rpps | Adeli, FhirPerson | Absent] = Memo(keep_s, KEEP)

    async def person(self, number: Rpps | Adeli, *, fresh: bool = False) -> FhirPerson | None:
        """Who goes by that number; None when FHIR lists nobody. `fresh`: asked now, not remembered."""
        answer = await self._memo.get(number, lambda: self._person(number), fresh=fresh)
        return answer if isinstance(answer, FhirPerson) else None

    async def word(self, number: Rpps | Adeli, *, fresh: bool = False) -> Word:
        """The same for `settle`: an absence with its time, a failure as Silent with the error's code."""
        try:
            return await self._memo.get(number, lambda: self._person(number), fresh=fresh)
        except (Temporary, Final) as error:
            return Silent(error.code)

    async def mailbox(self, address: MssanteAddress) -> tuple[Mailbox, ...]:
        """Every listing of the mailbox, with whose it is. Empty proves no absence: `:exact` minds the case."""
        value = "".join("\\" + c if c in "\\,|$" else c for c in address.value)
        found: list[Resource] = []
        async with self._slots:
            for kind, includes in (
                ("Practitioner", ()),
                ("PractitionerRole", ("PractitionerRole:practitioner", "PractitionerRole:organization")),
                ("Organization", ()),
            ):
                found += await self._search(kind, ("mailbox-mss:exact", value), *(("_include", i) for i in includes))
        return owned_mailboxes(address, found, test=self._test)

    async def _person(self, number: Rpps | Adeli) -> FhirPerson | Absent:
        async with self._slots:
            asked_at = self._clock.now()
            found = await self._search(
                "Practitioner", ("identifier", tokens(number)), ("_revinclude", "PractitionerRole:practitioner")
            )
            who = person(number, found, asked_at, test=self._test)
            if who is not None and who.active and missing_organizations(found):
                ids = ",".join(str(r.get("id")) for r in found if r["resourceType"] == "Practitioner")
                places = await self._search(
                    "PractitionerRole", ("practitioner", ids), ("_include", "PractitionerRole:organization")
                )
                merged = _by_reference(places) | _by_reference(found)
                who = person(number, list(merged.values()), asked_at, test=self._test)
        return Absent(asked_at) if who is None else who

    async def _search(self, kind: str, *question: tuple[str, str]) -> list[Resource]:
        """Every page of a search. `total` is not looked at: ANS leaves it out, or estimates it."""
        end = monotonic() + self._budget_s
        page = await self._page("POST", self._base / kind / "_search", question, end)
        found = _by_reference(page.resources)
        seen: set[URL] = set()
        while page.next is not None:
            where = self._follow(page.next)
            if where in seen or len(seen) >= MAX_PAGES or len(found) > MAX_RESOURCES:
                raise FhirNonsense("the FHIR answer has no end")
            seen.add(where)
            page = await self._page("GET", where, None, end)
            found |= _by_reference(page.resources)
        return list(found.values())

    def _follow(self, link: str) -> URL:
        try:
            where = self._base.join(URL(link))
        except ValueError:
            raise FhirNonsense("the FHIR answer names no clear next page") from None
        if where.origin() != self._base.origin() or where.user is not None:
            raise FhirNonsense("the FHIR answer's next page is on another server: not followed")
        return where

    async def _page(self, method: str, url: URL, form: Sequence[tuple[str, str]] | None, end: float) -> Bundle:
        async def attempt() -> bytes:
            return await self._call(method, url, form, end)

        raw = await patiently(attempt, for_s=end - monotonic())
        return await asyncio.to_thread(bundle, raw) if len(raw) > _BIG else bundle(raw)

    async def _call(self, method: str, url: URL, form: Sequence[tuple[str, str]] | None, end: float) -> bytes:
        headers = {"ESANTE-API-KEY": self._key.value(), "Accept": "application/fhir+json"}
        try:
            async with (
                self._throttle.turn(end - monotonic()),
                self._http.request(
                    method,
                    url,
                    data=form,
                    headers=headers,
                    ssl=self._tls,
                    timeout=self._timeout,
                    allow_redirects=False,
                ) as answer,
            ):
                raw = await _bounded(answer)
        except Temporary as error:
            raise FhirUnavailable("FHIR asked us to wait", error.retry_after_s) from None
        except aiohttp.ClientConnectorCertificateError:
            raise FhirUntrusted("the FHIR server's certificate is not trusted") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FhirUnavailable(f"FHIR does not answer ({type(error).__name__})") from None
        if answer.status != 200:
            self._refuse(answer, raw)
        return raw

    def _refuse(self, answer: aiohttp.ClientResponse, raw: bytes) -> None:
        status = answer.status
        if status in {401, 403}:
            self._key.refuse()
            logger.error("fhir.key_refused status=%d", status)
            raise FhirKeyRefused(f"FHIR refuses our key ({status})")
        if status in {408, 429} or status >= 500:
            delay = self._delay(answer.headers.get("Retry-After", ""))
            if status == 429 or delay is not None:
                self._throttle.pause(1.0 if delay is None else delay)
            raise FhirUnavailable(f"FHIR answers {status}", delay)
        raise FhirRefused(status, issue_code(raw))

    def _delay(self, retry_after: str) -> float | None:
        """Seconds of a Retry-After, given as seconds or as a date."""
        if retry_after.isascii() and retry_after.isdecimal():
            return float(retry_after[:9])
        try:
            at = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - self._clock.now()).total_seconds())


class _Key:
    """The key file, read again when it is another file. A refused key is not tried again before that, or an hour."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""
        self._resting_until = 0.0

    def value(self) -> str:
        """Raises FhirKeyRefused: no file, readable by others, no key in it, or refused a while ago."""
        try:
            info = self._path.stat()
            stamp = (info.st_ino, info.st_ctime_ns, info.st_size)  # ctime: a change of mode counts
            if stamp != self._stamp:
                value = read_secret(self._path).decode("ascii")
                self._stamp, self._value, self._resting_until = stamp, value, 0.0
        except (OSError, UnicodeDecodeError, Tampered) as error:
            raise FhirKeyRefused(f"the FHIR key can't be read ({type(error).__name__})") from None
        if not self._value or not self._value.isprintable():
            raise FhirKeyRefused("the FHIR key's file holds no key")
        if monotonic() < self._resting_until:
            raise FhirKeyRefused("FHIR refused this key: it waits for another")
        return self._value

    def refuse(self) -> None:
        """The server refused it."""
        self._resting_until = monotonic() + KEY_REST_S


def _by_reference(resources: Iterable[Resource]) -> dict[str, Resource]:
    """What several pages include counts once; what has no id of its own is kept as it is."""
    return {reference_of(r) if r.get("id") else f"#{id(r)}": r for r in resources}


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > MAX_BYTES:
            raise FhirNonsense("the FHIR answer is too big")
    return bytes(raw)


def _trust(ca: Path | None) -> Any:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError:
        raise ConfigError([Problem("annuaire.fhir.ca", f"{ca}: holds no trust anchors")]) from None
