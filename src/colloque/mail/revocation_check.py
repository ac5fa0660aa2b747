"""Asks the authorities whether the chain of a TLS connection still holds, and keeps their lists.

The last good CRL of each place stands on disk and counts until its nextUpdate, whatever becomes of the server that
gives it (ECO 1.1.7). A newer one is asked for every hour. OCSP is asked where no CRL can be had.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import ssl
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from colloque import logs
from colloque.clock import Clock, monotonic
from colloque.errors import MailDeferred, Tampered
from colloque.files import write_private
from colloque.mail.revocation import (
    NONCE_BYTES,
    Unproven,
    Verdict,
    ask_ocsp,
    crl_urls,
    judge_crl,
    judge_ocsp,
    names_a_source,
    ocsp_urls,
)

CRL_LIMIT = 32 << 20
"""Bytes of a CRL: some 800,000 entries."""
OCSP_LIMIT = 64 << 10
_FETCH_S = 10.0
_NEWER_S = 3600.0
"""Between two looks for a newer CRL, and the longest that an OCSP answer counts: a revocation is seen within it."""
_AGAIN_S = 60.0
"""After a place gave nothing good: connections that come together don't ask it again each."""

logger = logging.getLogger(__name__)


class Revocation:
    """One instance a process; `folder` is made when it is missing (0700)."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lists: dict[str, bytes] = {}
        self._answers: dict[str, Verdict] = {}
        self._asked: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def check(self, connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        """Every certificate of the verified chain but the trust anchor. To be awaited before anything secret is sent.

        Raises Tampered when one was revoked, MailDeferred when that can't be known now: nothing is let through unseen.
        A certificate whose authority names neither CRL nor OCSP is as good as its authority's signature.
        """
        chain = _verified_chain(connection)
        for certificate, issuer in pairwise(chain):
            if names_a_source(certificate) and await self._revoked(certificate, issuer):
                logs.event(logger, "certificate.revoked", level=logging.ERROR)
                raise Tampered("the mail server's certificate was revoked")

    async def _revoked(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        for url in crl_urls(certificate):
            verdict = await self._by_list(url, certificate, issuer)
            if verdict is not None:
                return verdict.revoked
        answer = await self._by_answer(certificate, issuer)
        if answer is not None:
            return answer.revoked
        logs.event(logger, "revocation.unknown", level=logging.WARNING)
        raise MailDeferred("whether the mail server's certificate was revoked can't be known now")

    async def _by_list(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Verdict | None:
        name = _name(url, issuer)
        async with self._locks.setdefault(name, asyncio.Lock()):
            raw = self._kept(name)
            verdict = _list_verdict(raw, certificate, issuer, self._clock.now())
            if not self._may_ask(name, _AGAIN_S if verdict is None else _NEWER_S):
                return verdict
            newer = await _fetch(url, None, CRL_LIMIT)
            found = _list_verdict(newer, certificate, issuer, self._clock.now())
            # An older list, still in date, may be played back to hide what the newer one revoked.
            if newer is None or found is None or (verdict is not None and found.made_at < verdict.made_at):
                return verdict
            if newer != raw:
                await asyncio.to_thread(self._keep, name, newer)
            return found

    def _may_ask(self, name: str, pause_s: float) -> bool:
        now = monotonic()
        if now < self._asked.get(name, -pause_s) + pause_s:
            return False
        self._asked[name] = now
        return True

    def _kept(self, name: str) -> bytes | None:
        if name not in self._lists:
            try:
                raw = (self._folder / name).read_bytes()
            except FileNotFoundError:
                return None
            except OSError as error:
                raise MailDeferred(f"a kept revocation list can't be read ({error.strerror})") from None
            self._lists[name] = raw
        return self._lists[name]

    def _keep(self, name: str, raw: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._folder / name, raw)
        except OSError as error:
            raise MailDeferred(f"a revocation list can't be kept ({error.strerror})") from None
        self._lists[name] = raw

    async def _by_answer(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Verdict | None:
        key = certificate.fingerprint(hashes.SHA256()).hex()
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._answers.get(key)
            if known is not None and self._clock.now() < known.until:
                return known
            if not self._may_ask(key, _AGAIN_S):
                return None
            for url in ocsp_urls(certificate):
                asked = ask_ocsp(certificate, issuer, os.urandom(NONCE_BYTES))
                raw = await _fetch(url, asked, OCSP_LIMIT)
                now = self._clock.now()
                verdict = _answer_verdict(raw, asked, issuer, now)
                if verdict is not None:
                    until = min(verdict.until, now + timedelta(seconds=_NEWER_S))
                    self._answers[key] = Verdict(verdict.revoked, verdict.made_at, until)
                    return verdict
            return None


def _verified_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> list[x509.Certificate]:
    """From the server's certificate up to the trust anchor, as OpenSSL verified it."""
    # Public as SSLObject.get_verified_chain only from Python 3.13 on.
    found = connection._sslobj.get_verified_chain()  # type: ignore[union-attr]  # noqa: SLF001
    try:
        return [x509.load_pem_x509_certificate(one.public_bytes().encode()) for one in found]
    except ValueError:
        raise Tampered("a certificate of the mail server's chain can't be read") from None


def _name(url: str, issuer: x509.Certificate) -> str:
    """Of a kept list: by its place and by the key that must have signed it."""
    key = issuer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(url.encode() + b"\0" + key).hexdigest() + ".crl"


def _list_verdict(
    raw: bytes | None, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> Verdict | None:
    try:
        return None if raw is None else judge_crl(raw, certificate, issuer, now)
    except Unproven as error:
        logs.event(logger, "crl.unusable", reason=error)
        return None


def _answer_verdict(raw: bytes | None, asked: bytes, issuer: x509.Certificate, now: datetime) -> Verdict | None:
    try:
        return None if raw is None else judge_ocsp(raw, asked, issuer, now)
    except Unproven as error:
        logs.event(logger, "ocsp.unusable", reason=error)
        return None


async def _fetch(url: str, body: bytes | None, limit: int) -> bytes | None:
    """GET, or POST of an OCSP question; None when there is no answer of at most `limit` bytes.

    The certificate alone says where: no redirect is followed, nothing is unpacked.
    """
    timeout = aiohttp.ClientTimeout(total=_FETCH_S)
    headers = {"Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/ocsp-request"
    method = "GET" if body is None else "POST"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise OSError(f"status {answer.status}")
            found = bytearray()
            async for piece in answer.content.iter_any():
                found += piece
                if len(found) > limit:
                    raise OSError("too long")
            return bytes(found)
    except (OSError, aiohttp.ClientError, ValueError) as error:
        logs.event(logger, "revocation.unreachable", error=type(error).__name__)
        return None
