"""Asks the DNS where a domain's mail servers are (SRV: RFC 6186, RFC 8314 section 5.1), and remembers.

DNS is not signed here: what it says leads to a door, and never vouches for who opens it (see `access.Way`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from colloque import logs
from colloque.clock import monotonic
from colloque.errors import MailDeferred
from colloque.mail.srv import SrvRecord

_ASK_S = 10.0
_AGAIN_S = 60.0
"""After a question that brought nothing: mailboxes that come together don't ask it again each."""
_LONGEST_S = 86400
"""A last answer counts for a day at most before it is asked again, whatever its TTL."""

logger = logging.getLogger(__name__)


class Discovery:
    """One instance a process. An answer counts for its TTL, and goes on counting while the resolver is away."""

    def __init__(self, resolver: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver) -> None:
        """`resolver` is called for each question: the system's settings may change."""
        self._resolver = resolver
        self._known: dict[str, tuple[SrvRecord, ...]] = {}
        self._until: dict[str, float] = {}
        """Until when (monotonic) nobody asks."""
        self._locks: dict[str, asyncio.Lock] = {}

    async def servers(self, service: str, domain: str) -> tuple[SrvRecord, ...]:
        """Who offers that service (`imap`, `submissions`…) over TCP for that domain; never empty.

        Raises MailDeferred when nobody does, or when that can't be known now.
        """
        name = f"_{service}._tcp.{domain}."
        async with self._locks.setdefault(name, asyncio.Lock()):
            if monotonic() >= self._until.get(name, 0.0):
                await self._ask(name)
        found = self._known.get(name)
        if found is None:
            raise MailDeferred("where the operator's servers are can't be known now")
        if not any(record.target for record in found):
            raise MailDeferred("the operator's domain names no such server")
        return found

    async def _ask(self, name: str) -> None:
        self._until[name] = monotonic() + _AGAIN_S
        try:
            answer = await self._resolver().resolve(name, dns.rdatatype.SRV, lifetime=_ASK_S, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self._known[name] = ()
            return
        except (dns.exception.DNSException, OSError) as error:
            logs.event(logger, "dns.unreachable", error=type(error).__name__)
            return
        told = [cast("SRV", one) for one in answer]
        self._known[name] = tuple(
            SrvRecord(one.priority, one.weight, one.port, one.target.to_text(omit_final_dot=True).removesuffix("."))
            for one in told
        )
        self._until[name] = monotonic() + min(answer.chaining_result.minimum_ttl, _LONGEST_S)
