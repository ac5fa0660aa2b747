"""What the bridge forgets of a thread that ends, and what it keeps: that these mails were dealt with, and no more.

A mail that was shown once is never shown again (its digest stays), and a report that comes late is known for ours (its
Message-ID and envelope id stay). No subject, name, address of the other end, or text.
"""

from __future__ import annotations

from mautrix.util.async_db import Database

from colloque_mssante.store.ends import End

_OF_THREAD = (
    # Whatever names its events.
    "DELETE FROM part WHERE mail IN (SELECT id FROM mail WHERE thread = $1)",
    "DELETE FROM original WHERE mail IN (SELECT id FROM mail WHERE thread = $1)",
    "DELETE FROM said WHERE event_id IN (SELECT event_id FROM thread_event WHERE thread = $1)",
    (
        "DELETE FROM read_up_to WHERE event_id IN (SELECT event_id FROM thread_event WHERE thread = $1) "
        "OR thread = (SELECT root FROM thread WHERE id = $1 AND root <> '')"
    ),
    "DELETE FROM original WHERE draft IN (SELECT key FROM outbox WHERE thread = $1)",
    (
        "DELETE FROM draft_line WHERE draft IN (SELECT key FROM outbox WHERE thread = $1) "
        "OR event_id IN (SELECT event_id FROM thread_event WHERE thread = $1)"
    ),
    (
        "DELETE FROM draft WHERE id IN (SELECT key FROM outbox WHERE thread = $1) "
        "OR notice IN (SELECT event_id FROM thread_event WHERE thread = $1)"
    ),
    "DELETE FROM reported WHERE key IN (SELECT key FROM outbox WHERE thread = $1)",
    # What it was made of.
    (
        "UPDATE outbox SET recipients = '[]', owner = '', room_id = '', event_id = '', told_event = '', asked_by = '', "
        "ref = '', raw = NULL, told = state, filed = true, handled = true, target = '', thread = '' WHERE thread = $1"
    ),
    (
        "UPDATE mail SET message_id = NULL, refs = '[]', subject = '', author_name = '', author = '', room_id = '', "
        "ref = '', parties = '{}', listed = false, receipt_to = '', marked = true, news = '', handled_by = '', "
        "handled_how = '', handled_note = '', who = '', thread = '' WHERE thread = $1"
    ),
    "DELETE FROM thread_ref WHERE thread = $1",
    "DELETE FROM thread_original WHERE thread = $1",
    "UPDATE thread SET ended = true, subject = '', root = '' WHERE id = $1",
)


class Forgetting:
    """One instance a process."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def forget(self, end: End) -> None:
        """From now on the thread ends, whatever comes; within the transaction that decided so."""
        for statement in _OF_THREAD:
            await self._db.execute(statement, end.thread)
