"""What delivery reports and read receipts make of the mails in the outbox."""

from __future__ import annotations

from mautrix.util.async_db import Database

from colloque.identity import MssanteAddress
from colloque.mail.message import Report
from colloque.store.schema import transaction
from colloque_mssante.rules.sends import Send, read_send

_BY_REPORT = {"delivered": "delivered", "failed": "failed", "error": "failed", "read": "read"}
"""What a report makes of a mail. Any other report only proves that the mail left."""
_RANK = {"sent": 1, "failed": 2, "delivered": 2, "read": 3}


async def take_in(db: Database, report: Report, mailbox: MssanteAddress) -> Send | None:
    """See `outbox.Outbox.report`."""
    async with transaction(db):
        found = await _of(db, report, mailbox)
        if found is None:
            return None
        state = _BY_REPORT.get(report.kind, "sent")
        if _RANK[state] > _RANK.get(found.state, 0):
            await db.execute(
                "UPDATE outbox SET state = $2, status = $3, raw = CASE WHEN filed THEN NULL ELSE raw END "
                "WHERE key = $1",
                found.key,
                state,
                report.status,
            )
    return found


async def _of(db: Database, report: Report, mailbox: MssanteAddress) -> Send | None:
    row = None
    if report.envid is not None:
        row = await db.fetchrow("SELECT * FROM outbox WHERE envid = $1 AND sender = $2", report.envid, mailbox.value)
    if row is None and report.original_message_id is not None:
        row = await db.fetchrow(
            "SELECT * FROM outbox WHERE message_id = $1 AND sender = $2", report.original_message_id, mailbox.value
        )
    return read_send(row)
