"""1,000 mails (110 MB) fetched from Dovecot and read: ours against the standard library's imaplib and email.

Both arms log in, list, fetch every mail whole and decode every part of it, from the same server, in turn.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import imaplib
import random
import ssl
import statistics
import time
from email.message import EmailMessage

from colloque.mail.imap import ImapClient
from colloque.mail.parse import parse_mail
from tests.bench.paired import compare
from tests.bench.result import Goal, Result, result
from tests.servers.dovecot import Dovecot
from tests.servers.operator import Operator

SMALL, LARGE = 900, 100
"""Mails of some 2 kB, and with an attachment of 800 kB (1.1 MB encoded)."""
ROUNDS = 5
"""Of some 20 s on a quiet machine, most of it the peer's."""
GOAL = Goal(1.0)
BOX = "bench"


async def fetch() -> Result:
    """Ratio of wall times, ours to the peer's."""
    server = Dovecot(BOX)
    server.more = "mail_fsync = never\n"  # for the deliveries: nobody reads meanwhile
    try:
        operator = server.start()
        address = next(iter(operator.accounts))
        size = await asyncio.to_thread(_fill, operator, address)
        await _ours(operator, address)
        await asyncio.to_thread(_theirs, operator, address)
        pairs = []
        for turn in range(ROUNDS):
            if turn % 2:
                theirs = await asyncio.to_thread(_theirs, operator, address)
                pairs.append((await _ours(operator, address), theirs))
            else:
                mine = await _ours(operator, address)
                pairs.append((mine, await asyncio.to_thread(_theirs, operator, address)))
    finally:
        server.stop()
    found = compare(pairs, 1)
    ours, peer = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"bridge-fetch: {SMALL + LARGE} mails, {size / 1e6:.0f} MB: {ours:.2f} s, imaplib and email {peer:.2f} s")
    return result(
        "bridge-fetch",
        found.ratio,
        "wall time, ours / peer",
        GOAL,
        peer="imaplib + email of the standard library, same server",
        interval=(found.low, found.high),
    )


def _fill(operator: Operator, address: str) -> int:
    draw, size = random.Random(20260302), 0
    for number in range(SMALL + LARGE):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "b@bench.example", address, f"Compte rendu {number}"
        mail["Message-ID"] = f"<{number}@bench.example>"
        mail.set_content("Bonjour, le compte rendu de ce matin est joint, à relire.\n" * 30)
        if number < LARGE:
            mail.add_attachment(draw.randbytes(800_000), maintype="application", subtype="pdf", filename="cr.pdf")
        raw = mail.as_bytes(policy=email.policy.SMTP)
        size += len(raw)
        operator.deliver(address, raw)
    return size


async def _ours(operator: Operator, address: str) -> float:
    began = time.perf_counter()
    client = await ImapClient.connect(operator.imap, address, operator.password(address), timeout_s=60)
    try:
        await client.examine()
        uids = await client.uids(0)
        decoded = 0
        for uid in uids:
            mail = parse_mail((await client.fetch(uid)).take())
            decoded += len(mail.text) + sum(len(item.data) for item in mail.attachments)
    finally:
        await client.close()
    assert len(uids) == SMALL + LARGE
    assert decoded > LARGE * 800_000
    return time.perf_counter() - began


def _theirs(operator: Operator, address: str) -> float:
    began = time.perf_counter()
    imap = imaplib.IMAP4(operator.imap.host, operator.imap.port, timeout=60)
    imap.starttls(ssl.create_default_context(cafile=str(operator.imap.ca)))
    imap.login(address, operator.password(address).secret)
    try:
        imap.select("INBOX", readonly=True)
        _, found = imap.uid("SEARCH", "ALL")
        uids = found[0].split()
        decoded = 0
        for uid in uids:
            _, parts = imap.uid("FETCH", uid.decode(), "(INTERNALDATE BODY.PEEK[])")
            raw = next(part[1] for part in parts if isinstance(part, tuple))
            message = email.message_from_bytes(raw, policy=email.policy.default)
            decoded += sum(len(part.get_content()) for part in message.walk() if not part.is_multipart())
    finally:
        imap.logout()
    assert len(uids) == SMALL + LARGE
    assert decoded > LARGE * 800_000
    return time.perf_counter() - began
