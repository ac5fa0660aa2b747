"""What `colloque receipt verify` says of receipts that hold, in words."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from colloque.rooms.erasure import Kind
from colloque.rooms.supplement import Supplement

_SAYS = {
    "messages_gone": "these messages are gone from the homeserver",
    "messages_left": "messages are still on the homeserver",
    "named_by_what_stays": "named by younger messages, or by the room's own state",
    "end_of_history": "where the room's history now begins",
    "may_be_elsewhere": "files of its members that are, or may be, in use elsewhere",
    "room_gone": "the room and its events are gone from the homeserver",
    "known_files_gone": "every file named by an event that was read is gone",
    "room_left": "the room is still on the homeserver",
    "files_left": "files are still on the homeserver",
    "files_in_unread_events": "files named only by events that could not be read: not decrypted, or withdrawn before",
    "residue": "what was kept on purpose or left, listed here",
    "backups": "backups, until they expire",
    "database_log": "the database's own log, free pages and statistics, until they are recycled",
    "members_devices": "copies on members' devices",
    "screenshots_and_prints": "screenshots and prints",
    "server_identifiers": "identifiers of the room, its events and members in Synapse's side tables (not looked at)",
    "of_members": "kept by members in their own account",
    "dropped_in_1_day": "Synapse drops it within a day",
    "dropped_in_7_days": "Synapse drops it within seven days",
    "blocked_on_purpose": "an administrator barred the room",
    "not_removed": "should have gone",
    "unexpected": "no rule expects it",
    "schema_not_reviewed": "not cleaned: this version of Synapse's schema was not reviewed",
    "not_readable": "could not be looked at",
    "copies_elsewhere": "the copies of other servers that had members, until their own receipts are in a supplement",
    "other_servers": "copies on other servers, whose people read it too",
    "room_not_followed": "files shared in the room by this server's people: its bot was not in it, or not always",
    "until_servers_answer": "kept until the other servers have answered: they are asked by it",
    "texts_withdrawn": "what was written in the thread is given to nobody any more",
    "texts_left": "what was written in the thread is still given to its readers",
    "that_it_was_there": "the room shows that something was there, when and by whom",
    "of_somebody_else": "somebody else's: its sender only named it",
    "on_another_server": "another server's",
    "known_in_another_room": "known in another living room, too",
    "known_in_another_thread": "known in another thread of mails, too",
    "of_a_mail_room": "of a mail",
}
_KEPT = {
    "": "the receipt is of a time when nothing was archived",
    "filed_by_referent": "its referent said that it is in the patient's record",
    "filed_by_referent.some_files_not_needed": "its referent said so; files too big for a mail were not needed",
    "delivered_and_time_passed": "delivered to its referent's mailbox; time to object has passed, with a reminder",
    "nothing_said": "nobody ever wrote there",
    "not_kept.already_in_record": "not archived: its referent said that all that matters was in the record already",
    "not_kept.nothing_of_use_to_care": "not archived: its referent said that it held nothing of use to care",
    "not_kept.opened_by_mistake": "not archived: its referent said that the room was opened by mistake",
    "by_the_server_that_made_it": "for the server that made the room to keep: this is the receipt of a copy",
    "originals_in_mailbox": "each mail of the thread was in its mailbox when it ended; nothing there was touched",
    "not_kept.room_unreachable": "not archived: the homeserver did not have the room any more",
}
"""What became of a conversation (`colloque.rooms.keeping.Proof`)."""
_KINDS: Mapping[str, str] = {
    Kind.DIRECT: "a conversation of two people, which nobody has to archive",
    Kind.DIRECT_MESSAGES: "the old messages of a conversation of two people that goes on",
    Kind.GROUP: "a room that people had made themselves, which nobody has to archive",
    Kind.GROUP_MESSAGES: "the old messages of a room that people made themselves and that goes on",
}
_OUTCOMES = {
    "unanswered": "it never gave a signed answer",
    "under_way": "it had begun, and was not done",
    "not_listed": "it is not in the federation's list",
    "no_federation": "this server was in no federation any more",
    "receipt_invalid": "what it gave is not a receipt that holds",
}


def say_receipt(head: str, raw: dict[str, Any]) -> None:
    """Of one erasure."""
    lines = [
        head,
        *(
            [f"  a copy of a room of {asked['server']}, erased because it asked"]
            if (asked := raw.get("asked_by"))
            else []
        ),
        *(f"  {server} had members: asked to erase its copy" for server in raw.get("servers", [])),
        *(f"  {when}: {', '.join(f'{n} {what}' for what, n in raw[when].items())}" for when in ("before", "after")),
        f"  {_about(raw)}",
        *(f"  proven: {_SAYS.get(code, code)}" for code in raw["proven"]),
        *(f"  not proven, or out of reach: {_SAYS.get(code, code)}" for code in raw["not_proven"]),
        *(f"  left: {r['count']} in {r['name']}: {_SAYS.get(r['why'], r['why'])}" for r in raw["residue"]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _about(raw: dict[str, Any]) -> str:
    if about := _KINDS.get(raw.get("kind", "")):
        return f"of {about}"
    return f"the conversation: {_KEPT.get(code := raw.get('archived', ''), code)}"


def say_supplement(head: str, supplement: Supplement, checked: Mapping[str, str]) -> None:
    """Of what other servers answered. `checked`: what is to be said of the receipt of each that has one."""
    sys.stdout.write("\n".join([head, *_answers(supplement, checked)]) + "\n")


def _answers(supplement: Supplement, checked: Mapping[str, str]) -> Iterable[str]:
    for answer in supplement.answers:
        if answer.receipt is not None:
            yield f"  {answer.server}: {checked[answer.server]}"
        else:
            why = _OUTCOMES.get(answer.outcome, "it refused")
            yield f"  {answer.server}: NO RECEIPT, its copy may be there still: {why} ({answer.outcome})"
