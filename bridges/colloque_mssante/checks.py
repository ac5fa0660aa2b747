"""How the bridge says that it is well."""

from __future__ import annotations

from datetime import timedelta

from colloque.bot_service import Parts
from colloque.service import Service
from colloque_mssante.access.known import Known
from colloque_mssante.arriving.unshown import LATE
from colloque_mssante.mailboxes.sender import stuck_since
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.outbox import Outbox

UNREACHABLE = timedelta(seconds=60)
"""A mailbox out of reach for that long makes the service unhealthy."""


def add_checks(service: Service, parts: Parts, outbox: Outbox, mailboxes: Mailboxes, known: Known) -> None:
    """What `/health` asks of the two halves."""

    async def stuck() -> str:
        return "outbox.stuck" if stuck_since(await outbox.oldest_waiting(), parts.clock.now()) else ""

    service.check("outbox", stuck)

    async def unreachable() -> str:
        return "mailbox.unreachable" if await mailboxes.unreachable(parts.clock.now() - UNREACHABLE) else ""

    service.check("mailboxes", unreachable)

    inbox = Inbox(parts.db, parts.clock)

    async def unshown() -> str:
        return "inbox.stuck" if await inbox.late(LATE) else ""

    service.check("inbox", unshown)

    async def missing() -> str:
        living = len(await Leases(parts.db, "").living())
        return "worker.missing" if living < service.config.mssante.workers else ""

    service.check("workers", missing)
    service.check("credentials", lambda: known.credentials.problem)
    if (sessions := known.credentials.sessions) is not None:
        service.check("keeper", lambda: sessions.problem)
    service.check("attestations", lambda: "attestations.unusable" if known.book.problem else "")
