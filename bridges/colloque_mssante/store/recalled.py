"""What a writer takes back of what stands in the outbox."""

from __future__ import annotations

from mautrix.util.async_db import Database


async def take_back(db: Database, key: str, *, now: int, quietly: bool) -> str | None:
    """See `outbox.Outbox.take_back`.

    One statement against the sender's own (`leaving`): whichever comes first, the other finds nothing. An attempt that
    began, but not as far as the text, is overtaken: what it learns counts no more.
    """
    state = await db.fetchval(
        # One that was sent again may have left the first time: what can still be stopped is stopped, the doubt stays.
        "UPDATE outbox SET state = CASE WHEN asked_by = '' THEN 'refused' ELSE 'doubtful' END, "
        "status = CASE WHEN asked_by = '' THEN 'withdrawn' ELSE '' END, "
        "raw = CASE WHEN asked_by = '' THEN NULL ELSE raw END, "
        "filed = (filed OR asked_by = ''), handled = (handled OR asked_by = ''), "
        "told = CASE WHEN $3 AND asked_by = '' THEN 'refused' ELSE told END, "
        "next_at = $2, attempt = attempt + 1 "
        "WHERE key = $1 AND state IN ('queued', 'deferred') RETURNING state",
        key,
        now,
        quietly,
    )
    return None if state is None else str(state)
