"""`colloque receipt verify FILE… --key KEY | --list LIST.jws … [--anchor HEAD]…`: check erasure receipts offline.

The signer's key comes from the option or from the federation list, never from the receipt.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from colloque.cli.exits import NO, USAGE
from colloque.cli.receipt_key import Signers, of_key, of_list, read_at_most
from colloque.cli.receipt_say import say_receipt, say_supplement
from colloque.clock import PARIS
from colloque.errors import BadInput, Tampered
from colloque.policy.jws import strict_json
from colloque.rooms.anchors import Anchor, check_anchor, check_run, parse_anchor, read_anchors
from colloque.rooms.erasure import read_receipt
from colloque.rooms.supplement import KIND, read_supplement

_RECEIPT_BYTES = 1024 * 1024
"""More than any receipt holds, other servers' own in it."""
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
        if raw.get("kind") == KIND:
            _supplement(name, raw, signers)
        else:
            receipt = read_receipt(raw)
            signed = signers.check(receipt.erased_at, raw)
            say_receipt(f"{name}: receipt {receipt.serial} holds; erased on {_told(receipt.erased_at)}; {signed}", raw)
    except OverflowError:
        raise Tampered(f"{name}: its time is none that a calendar has") from None
    except Tampered as error:
        raise Tampered(f"{name}: {error}") from None
    return raw


def _supplement(name: str, raw: Mapping[str, Any], signers: Signers) -> None:
    """What other servers answered, and their own receipts in it."""
    supplement = read_supplement(raw)
    signed = signers.check(supplement.written_at, raw)
    checked = {
        answer.server: _of_server(answer.server, answer.receipt, supplement.room, signers)
        for answer in supplement.answers
        if answer.receipt is not None
    }
    head = f"{name}: receipt {supplement.serial} holds: what other servers answered to the erasure of receipt "
    say_supplement(f"{head}{supplement.of}; written on {_told(supplement.written_at)}; {signed}", supplement, checked)


def _of_server(server: str, raw: Mapping[str, Any], room: str, signers: Signers) -> str:
    """What is to be said of another server's receipt. Raises Tampered when it does not hold, or is of another room."""
    receipt = read_receipt(raw)
    asked = receipt.asked_by
    if asked is None or asked.ref != room or signers.server not in {"", asked.server}:
        raise Tampered(f"the receipt of {server} in it is of another room, or was made for another server")
    theirs = signers.of(server)
    if theirs is None:
        return f"its own receipt {receipt.serial} is here, its signature NOT CHECKED: give --list"
    try:
        signed = theirs.check(receipt.erased_at, raw)
    except Tampered as error:
        raise Tampered(f"the receipt of {server} in it: {error}") from None
    left = ", ".join(dict.fromkeys(each.name for each in receipt.residue)) or "nothing counted"
    return (
        f"its own receipt {receipt.serial} holds; erased on {_told(receipt.erased_at)}; "
        f"{receipt.before.events} events, {receipt.files_deleted} files; left: {left}; {signed}"
    )


def _told(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%Y-%m-%d %H:%M:%S %Z}"


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
