"""`colloque receipt verify FILE… --key KEY | --list LIST.jws … [--anchor HEAD]…`: check erasure receipts offline.

The signer's key comes from the option or from the federation list, never from the receipt.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from colloque.cli.exits import NO, USAGE
from colloque.cli.receipt_key import Signers, of_key, of_list, read_at_most
from colloque.clock import PARIS
from colloque.errors import BadInput, Tampered
from colloque.policy.jws import strict_json
from colloque.rooms.anchors import Anchor, check_anchor, check_run, parse_anchor, read_anchors
from colloque.rooms.erasure import read_receipt

_SAYS = {
    "room_gone": "the room and its events are gone from the homeserver",
    "texts_withdrawn": "what was written in the thread is given to nobody any more",
    "known_files_gone": "every file named by an event that was read is gone",
    "room_left": "the room is still on the homeserver",
    "texts_left": "what was written in the thread is still given to its readers",
    "that_it_was_there": "the room shows that something was there, when and by whom",
    "files_left": "files are still on the homeserver",
    "files_in_unread_events": "files named only by events that could not be decrypted",
    "residue": "what was kept on purpose or left, listed here",
    "backups": "backups, until they expire",
    "database_log": "the database's own log, free pages and statistics, until they are recycled",
    "members_devices": "copies on members' devices",
    "screenshots_and_prints": "screenshots and prints",
    "server_identifiers": "identifiers of the room, its events and members in Synapse's side tables (not looked at)",
    "other_servers": "copies on other servers, whose people read it too",
    "of_somebody_else": "somebody else's, whom its sender only named",
    "on_another_server": "another server's",
    "known_in_another_room": "known in another living room, too",
    "known_in_another_thread": "known in another thread of mails, too",
    "of_a_mail_room": "of a mail",
    "of_members": "kept by members in their own account",
    "dropped_in_1_day": "Synapse drops it within a day",
    "dropped_in_7_days": "Synapse drops it within seven days",
    "blocked_on_purpose": "an administrator barred the room",
    "not_removed": "should have gone",
    "unexpected": "no rule expects it",
    "schema_not_reviewed": "not cleaned: this version of Synapse's schema was not reviewed",
    "not_readable": "could not be looked at",
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
    "originals_in_mailbox": "each mail of the thread was in its mailbox when it ended; nothing there was touched",
    "not_kept.room_unreachable": "not archived: the homeserver did not have the room any more",
}
"""What became of a conversation (`colloque.rooms.keeping.Proof`)."""
_RECEIPT_BYTES = 64 * 1024
"""More than any receipt holds."""
_ANCHORS_BYTES = 1024 * 1024
_OWN_WORD = "A signature proves that the server says so, and that nobody changed it since; nobody else has looked.\n"
_NO_ANCHOR = (
    "A receipt cut off the end of the chain can't be seen without a head noted elsewhere: give --anchor, with the "
    "newest head that the admin room shows.\n"
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("receipt", help="check erasure receipts")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check signature, content and chain, offline")
    verify.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="receipts, checked in the order given: the oldest first"
    )
    signer = verify.add_mutually_exclusive_group(required=True)
    signer.add_argument("--key", type=Path, metavar="FILE", help="the signer's public key (PEM)")
    signer.add_argument(
        "--list",
        type=Path,
        metavar="LIST.jws",
        help="the federation list: its keys for `erasure` sign, each in its time",
    )
    verify.add_argument("--server", metavar="NAME", help="with --list: whose receipts, when it names several servers")
    verify.add_argument(
        "--authority",
        action="append",
        metavar="NAME=KEY",
        help="with --list: a pinned public key of its authority; may be repeated",
    )
    verify.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="SERIAL:HASH|FILE",
        help="a head that the admin room showed (16 hex digits at least), or a file with one a line; may be repeated",
    )
    verify.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify; prints what holds, what is proven and what is not."""
    if args.list is None and (args.server is not None or args.authority):
        sys.stderr.write("--server and --authority go with --list\n")
        return USAGE
    if args.list is not None and not args.authority:
        sys.stderr.write("--list goes with --authority: whoever signed the list must be known from elsewhere\n")
        return USAGE
    anchors = [anchor for text in args.anchor for anchor in _anchors(text)]
    try:
        signers = of_key(args.key) if args.list is None else of_list(args.list, args.authority, args.server)
        receipts = [_checked(path, signers) for path in args.files]
        check_run(receipts)
        for anchor in anchors:
            check_anchor(receipts, anchor)
    except Tampered as error:
        sys.stdout.write(f"DOES NOT HOLD: {error}\n")
        return NO
    sys.stdout.write("".join(_summary(receipts[0]["serial"], receipts[-1]["serial"], anchors)))
    return 0


def _checked(path: Path, signers: Signers) -> dict[str, Any]:
    """One receipt that holds by itself; said so at once."""
    name = "".join(each if each.isprintable() else "?" for each in path.name)
    data = read_at_most(path, _RECEIPT_BYTES)
    try:
        if len(data) > _RECEIPT_BYTES:
            raise Tampered("this is longer than any erasure receipt")
        raw = strict_json(data)
        receipt = read_receipt(raw)
        signed = signers.check(receipt, raw)
        erased = receipt.erased_at.astimezone(PARIS)
    except OverflowError:
        raise Tampered(f"{name}: its time is none that a calendar has") from None
    except Tampered as error:
        raise Tampered(f"{name}: {error}") from None
    _print(f"{name}: receipt {receipt.serial} holds; erased on {erased:%Y-%m-%d %H:%M:%S %Z}; {signed}", raw)
    return raw


def _anchors(text: str) -> Sequence[Anchor]:
    one = parse_anchor(text)
    if one is not None:
        return (one,)
    path = Path(text)
    if not path.exists():
        raise BadInput("--anchor: neither SERIAL:HASH, the hash with 16 to 64 hex digits, nor a file")
    data = read_at_most(path, _ANCHORS_BYTES)
    try:
        if len(data) > _ANCHORS_BYTES:
            raise BadInput("is too long")
        return read_anchors(data.decode())
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not text") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def _print(head: str, raw: dict[str, Any]) -> None:
    lines = [
        head,
        *(f"  {when}: {', '.join(f'{n} {what}' for what, n in raw[when].items())}" for when in ("before", "after")),
        f"  the conversation: {_KEPT.get(code := raw.get('archived', ''), code)}",
        *(f"  proven: {_SAYS.get(code, code)}" for code in raw["proven"]),
        *(f"  not proven, or out of reach: {_SAYS.get(code, code)}" for code in raw["not_proven"]),
        *(f"  left: {r['count']} in {r['name']}: {_SAYS.get(r['why'], r['why'])}" for r in raw["residue"]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _summary(first: int, last: int, anchors: Sequence[Anchor]) -> Iterable[str]:
    """Of all receipts together: what is proven, and what is not."""
    yield _OWN_WORD
    if last > first:
        yield f"Receipts {first} to {last} follow each other: none is missing between them, replaced or out of order.\n"
    if first > 1:
        yield f"Receipts before number {first} were not given: nothing is said of them.\n"
    if not anchors:
        yield _NO_ANCHOR
        return
    newest = max(anchor.serial for anchor in anchors)
    yield f"Every head given is there: nothing up to receipt {newest} was cut off or replaced since it was shown.\n"
    yield f"Whether receipts after number {newest} were cut off can't be seen: the newest head given ends there.\n"
