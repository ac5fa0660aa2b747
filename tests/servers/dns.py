"""A small DNS server on the loopback that answers for SRV records, and counts who asks."""

from __future__ import annotations

import asyncio
from typing import Self

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Dns:
    """As an async context manager it answers until it ends; `records` may change at any time."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        """By name (with the final point): `priority weight port target` each."""
        self.ttl = 300
        self.asked: list[str] = []
        self.failing = False
        """Answers SERVFAIL to everything."""
        self.port = 0

    async def __aenter__(self) -> Self:
        made = asyncio.get_running_loop().create_datagram_endpoint(lambda: _Answers(self), ("127.0.0.1", 0))
        self._transport, _ = await made
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def resolver(self) -> dns.asyncresolver.Resolver:
        found = dns.asyncresolver.Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], self.port
        return found

    def answer(self, asked: bytes) -> bytes:
        question = dns.message.from_wire(asked)
        [one] = question.question
        self.asked.append(one.name.to_text())
        found = dns.message.make_response(question, recursion_available=True)
        if self.failing:
            found.set_rcode(dns.rcode.SERVFAIL)
        elif (records := self.records.get(one.name.to_text())) is None:
            found.set_rcode(dns.rcode.NXDOMAIN)
        elif records and one.rdtype == dns.rdatatype.SRV:
            found.answer.append(dns.rrset.from_text(one.name, self.ttl, "IN", "SRV", *records))
        return found.to_wire()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, server: Dns) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._server.answer(data), addr)
