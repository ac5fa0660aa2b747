"""What Synapse's own deletion leaves of a room, and what may be done about it: reviewed table by table. Pure.

Reviewed against Synapse 1.163 (schema 94, compatible from 84): its purge (`purge_events.py`), whoever reads each table,
and how a stream finds its position when Synapse starts. Another schema is looked at, never written to.

How to review a newer schema: docs/decisions/0023-erasing-what-synapse-leaves.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

REVIEWED = frozenset({(94, 84)})
"""`schema_version.version` and `schema_compat_version.compat_version`, together."""


class Key(StrEnum):
    """By what a table's rows name the room."""

    ROOM = "room"
    EVENT = "event"
    ALIAS = "alias"
    FILE = "file"
    """The media id of a file of this server."""
    REMOTE = "remote"
    """The whole address of another server's file (mxc://server/id)."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Rows that may be deleted: those of `table` for which `where` holds.

    `{id}` stands for one identifier, `{ids}` for a list of them, `{position}` for the database's function that finds
    one text in another (text first).
    """

    table: str
    key: Key
    where: str


def _written(stream: str, column: str = "stream_id") -> str:
    """Synapse noted that the stream has come past this row.

    On SQLite a stream begins, after a restart, at the greatest number that it finds: in `stream_positions`, or in
    rows. Were the last row deleted before its number is noted, numbers would be given twice, and clients miss messages.
    """
    return f"{column} <= (SELECT COALESCE(MAX(stream_id), 0) FROM stream_positions WHERE stream_name = '{stream}')"  # noqa: S608


_DELTAS = "(SELECT {0}(stream_id) FROM current_state_delta_stream WHERE room_id = {{id}})"
_DELTAS_READ = (
    "NOT EXISTS (SELECT 1 FROM (SELECT stream_id FROM stats_incremental_position UNION ALL "  # noqa: S608 - fixed text
    "SELECT stream_id FROM user_directory_stream_pos UNION ALL "
    "SELECT stream_id FROM room_forgetter_stream_pos) AS reader "
    f"WHERE reader.stream_id >= {_DELTAS.format('MIN')} AND reader.stream_id < {_DELTAS.format('MAX')})"
)
"""None of Synapse's followers stands in the middle of the room's changes: statistics, the user directory, and who
forgot which room. One that is switched off stands before the first of them, for good."""

_WRITTEN_BACKWARDS = (
    "event_stream_ordering >= (SELECT COALESCE(MIN(stream_id), 0) FROM stream_positions WHERE stream_name = 'backfill')"
)
"""The same for events fetched backwards, whose numbers are negative and a stream of their own."""
_ROOM = "room_id = {id}"

LEFTOVERS: tuple[Leftover, ...] = (
    Leftover("current_state_delta_stream", Key.ROOM, f"{_ROOM} AND {_written('events')} AND {_DELTAS_READ}"),
    Leftover("delayed_events", Key.ROOM, _ROOM),
    Leftover("device_federation_outbox", Key.ROOM, "{position}(messages_json, {id}) > 0 AND " + _written("to_device")),
    Leftover("device_inbox", Key.ROOM, "{position}(message_json, {id}) > 0 AND " + _written("to_device")),
    Leftover("device_lists_changes_in_room", Key.ROOM, f"{_ROOM} AND {_written('device_lists_stream')}"),
    Leftover("event_expiry", Key.EVENT, "event_id IN ({ids})"),
    Leftover("event_labels", Key.ROOM, _ROOM),
    Leftover("event_reports", Key.ROOM, _ROOM),
    Leftover("event_txn_id_device_id", Key.ROOM, _ROOM),
    Leftover(
        "ex_outlier_stream",
        Key.EVENT,
        f"event_id IN ({{ids}}) AND {_written('events', 'event_stream_ordering')} AND {_WRITTEN_BACKWARDS}",
    ),
    Leftover("quarantined_media_changes", Key.FILE, "media_id IN ({ids}) AND " + _written("quarantined_media")),
    Leftover("remote_media_cache", Key.REMOTE, "'mxc://' || media_origin || '/' || media_id IN ({ids})"),
    Leftover("remote_media_cache_thumbnails", Key.REMOTE, "'mxc://' || media_origin || '/' || media_id IN ({ids})"),
    Leftover(
        "room_alias_servers",
        Key.ALIAS,
        "room_alias IN ({ids}) AND room_alias NOT IN (SELECT room_alias FROM room_aliases)",
    ),
    Leftover("room_ban_redactions", Key.ROOM, _ROOM),
    Leftover("room_reports", Key.ROOM, _ROOM),
    Leftover("room_retention", Key.ROOM, _ROOM),
    Leftover("room_tags_revisions", Key.ROOM, f"{_ROOM} AND {_written('account_data')}"),
    Leftover("scheduled_tasks", Key.ROOM, "resource_id = {id} AND status IN ('complete', 'failed', 'cancelled')"),
    Leftover("sliding_sync_connection_lazy_members", Key.ROOM, _ROOM),
    Leftover("sliding_sync_connection_room_configs", Key.ROOM, _ROOM),
    Leftover("sliding_sync_connection_streams", Key.ROOM, _ROOM),
    Leftover("sliding_sync_joined_rooms_to_recalculate", Key.ROOM, _ROOM),
    Leftover("thread_subscriptions", Key.ROOM, f"{_ROOM} AND {_written('thread_subscriptions')}"),
    Leftover("threads", Key.ROOM, _ROOM),
    Leftover("timeline_gaps", Key.ROOM, _ROOM),
    Leftover(
        "un_partial_stated_event_stream",
        Key.EVENT,
        "event_id IN ({ids}) AND " + _written("un_partial_stated_event_stream"),
    ),
    Leftover("un_partial_stated_room_stream", Key.ROOM, f"{_ROOM} AND {_written('un_partial_stated_room_stream')}"),
)
"""In this order; nothing else is ever deleted by SQL."""

PURGED: tuple[Leftover, ...] = (
    Leftover("event_expiry", Key.EVENT, "event_id IN ({ids})"),
    Leftover("event_labels", Key.EVENT, "event_id IN ({ids})"),
    Leftover("event_reports", Key.EVENT, "event_id IN ({ids})"),
    Leftover("event_txn_id_device_id", Key.EVENT, "event_id IN ({ids})"),
    Leftover("threads", Key.EVENT, "latest_event_id IN ({ids})"),
)
"""What the purge of a living room's history leaves of the messages that went: of these tables, only rows that name one.
A thread goes with its last message."""

CONSULTED = (
    *("room_aliases", "room_forgetter_stream_pos", "schema_compat_version", "schema_version"),
    *("stats_incremental_position", "stream_positions", "user_directory_stream_pos"),
)
"""Tables that the statements above read, beside those that they delete from."""

DAYS_1, DAYS_7 = "dropped_in_1_day", "dropped_in_7_days"
OF_MEMBERS = "of_members"
NOT_REMOVED, UNEXPECTED, NOT_REVIEWED, UNREADABLE = "not_removed", "unexpected", "schema_not_reviewed", "not_readable"

EXPECTED: Mapping[str, str] = {
    "blocked_rooms": "blocked_on_purpose",
    "cache_invalidation_stream_by_instance": DAYS_7,
    "received_transactions": DAYS_1,
    "account_data": OF_MEMBERS,
    "push_rules": OF_MEMBERS,
    "push_rules_enable": OF_MEMBERS,
    "push_rules_stream": OF_MEMBERS,
    "user_filters": OF_MEMBERS,
}
"""The closed list: where a room may still be named after its erasure, and why. A room that an administrator barred
stays barred; what Synapse drops by itself, a day after it came (`received_transactions`) or seven days after
(`cache_invalidation_stream_by_instance`); what members themselves keep, and only their own clients can change."""

NAMED, BEGINS = "named_by_what_stays", "end_of_history"
EXPECTED_PURGED: Mapping[str, str] = {
    "cache_invalidation_stream_by_instance": DAYS_7,
    "received_transactions": DAYS_1,
    "account_data": OF_MEMBERS,
    "room_account_data": OF_MEMBERS,
    "receipts_graph": OF_MEMBERS,
    "receipts_linearized": OF_MEMBERS,
    "event_backward_extremities": BEGINS,
    "stream_ordering_to_exterm": BEGINS,
    "event_edges": NAMED,
    "event_json": NAMED,
    "event_relations": NAMED,
    "redactions": NAMED,
    "state_events": NAMED,
    "thread_subscriptions": OF_MEMBERS,
    "threads": NAMED,
}
"""The closed list for messages purged from a room that lives on: events that stay are signed, and name those before
them; how far somebody has read is moved by their reading on; where the room's history begins must be known."""

_LISTED = frozenset(leftover.table for leftover in LEFTOVERS)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


def why(place: str, *, reviewed: bool, lives: bool = False) -> str:
    """Why a place still names a room, as a code: from the closed list, or one that tells of a fault.

    `reviewed`: the schema was, so that the statements above were run. `lives`: it names no room, but messages that were
    purged from one that lives on.
    """
    expected = EXPECTED_PURGED if lives else EXPECTED
    if place in expected:
        return expected[place]
    if place in _LISTED:
        return NOT_REMOVED if reviewed else NOT_REVIEWED
    return UNEXPECTED


def is_expected(reason: str) -> bool:
    """True for the reasons of the closed list."""
    return reason in EXPECTED.values() or reason in EXPECTED_PURGED.values()


def as_code(place: str) -> str:
    """A table's name as a receipt may hold it."""
    return place if _CODE.match(place) else "unnamed_table"
