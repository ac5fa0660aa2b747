"""What delivery reports and read receipts make of the mails in the outbox.

Of several recipients each has a state of their own. The mail's is the best that any of them reached: one who got
nothing takes back from nobody what the others have, and is told of by itself (see `untold.Untold.failures`).
"""

from __future__ import annotations

from typing import Any

from mautrix.util.async_db import Database

from colloque.identity import MssanteAddress
from colloque.mail.message import Report
from colloque.store.schema import transaction
from colloque_mssante.rules.sends import Send, read_send

_BY_REPORT = {"delivered": "delivered", "failed": "failed", "error": "failed", "read": "read"}
"""What a report makes of a mail. Any other report only proves that the mail left."""
_RANK = {"sent": 1, "delivered": 2, "failed": 3, "read": 4}
"""Of a mail to one: what arrived and could not be taken in there (`error`) is told; who read it has it."""
_RANK_OF_ONE = {"sent": 1, "delivered": 2, "read": 3, "failed": 4}
"""Of one recipient among several: whatever else is said of them, and when, a failure is told."""
_RANK_OF_SEVERAL = {"failed": 1, "sent": 1, "delivered": 2, "read": 3}


async def take_in(db: Database, report: Report, mailbox: MssanteAddress) -> Send | None:
    """See `outbox.Outbox.report`."""
    async with transaction(db):
        found = await _of(db, report, mailbox)
        if found is None:
            return None
        state = _BY_REPORT.get(report.kind, "sent")
        if len(found.recipients) > 1:
            now = read_send(await db.fetchrow("UPDATE outbox SET state = state WHERE key = $1 RETURNING *", found.key))
            assert now is not None  # and nobody else moves it before we are through
            await _of_several(db, now, report, state)
        elif _RANK[state] > _RANK.get(found.state, 0):
            await _move(db, found, state, report.status)
    return found


async def _of_several(db: Database, found: Send, report: Report, state: str) -> None:
    recipient = report.recipient if report.recipient in found.recipients else ""
    rows: list[Any] = await db.fetch("SELECT recipient, state FROM reported WHERE key = $1", found.key)
    known: dict[str, str] = {row["recipient"]: row["state"] for row in rows}
    if _RANK_OF_ONE[state] > _RANK_OF_ONE.get(known.get(recipient, ""), 0):
        known[recipient] = state
        await db.execute(
            "INSERT INTO reported (key, recipient, state, status) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (key, recipient) DO UPDATE SET state = excluded.state, status = excluded.status",
            found.key,
            recipient,
            state,
            report.status,
        )
    if all(known.get(each) == "failed" for each in found.recipients):
        if found.state != "failed":
            await _move(db, found, "failed", report.status)
            # Each was told, or will be, by itself.
            await db.execute("UPDATE outbox SET told = 'failed' WHERE key = $1", found.key)
        return
    best = max((each for each in known.values() if each != "failed"), key=_RANK_OF_ONE.__getitem__, default="sent")
    if _RANK_OF_SEVERAL[best] > _RANK_OF_SEVERAL.get(found.state, 0):
        await _move(db, found, best, "")


async def _move(db: Database, found: Send, state: str, status: str) -> None:
    await db.execute(
        "UPDATE outbox SET state = $2, status = $3, raw = CASE WHEN filed THEN NULL ELSE raw END WHERE key = $1",
        found.key,
        state,
        status,
    )


async def _of(db: Database, report: Report, mailbox: MssanteAddress) -> Send | None:
    row = None
    if report.envid is not None:
        row = await db.fetchrow("SELECT * FROM outbox WHERE envid = $1 AND sender = $2", report.envid, mailbox.value)
    if row is None and report.original_message_id is not None:
        row = await db.fetchrow(
            "SELECT * FROM outbox WHERE message_id = $1 AND sender = $2", report.original_message_id, mailbox.value
        )
    return read_send(row)
