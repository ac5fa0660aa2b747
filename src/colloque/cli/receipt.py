"""`colloque receipt verify FILE… --key KEY`: check erasure receipts offline.

The signer's key comes from the option, never from the receipt.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import itertools
import json
import sys
from pathlib import Path
from typing import Any

from colloque.cli.exits import NO, NoInput
from colloque.clock import PARIS, from_millis
from colloque.errors import BadInput, Tampered
from colloque.rooms.erasure import GENESIS, read_receipt, signing_bytes

_SAYS = {
    "room_gone": "the room and its events are gone from the homeserver",
    "known_files_gone": "every file named by an event that was read is gone",
    "room_left": "the room is still on the homeserver",
    "files_left": "files are still on the homeserver",
    "files_in_unread_events": "files named only by events that could not be decrypted",
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
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("receipt", help="check erasure receipts")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check signature, content and chain, offline")
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verify.add_argument("--key", required=True, type=Path, help="the signer's public key (PEM)")
    verify.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify; prints what holds, what is proven and what is not."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - apps extra
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(_bytes(args.key))
        receipts = [(path, json.loads(_bytes(path))) for path in args.files]
    except ValueError as error:
        raise BadInput(f"neither a key nor a receipt ({type(error).__name__})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("the key is not an Ed25519 public key")
    try:
        for path, raw in receipts:
            _check(raw, key)
            _print(path, raw)
        _check_chain([raw for _, raw in receipts])
    except Tampered as error:
        sys.stdout.write(f"DOES NOT HOLD: {error}\n")
        return NO
    sys.stdout.write("A receipt cut off the end of the chain can't be seen without a head noted elsewhere.\n")
    return 0


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoInput(path, error.strerror) from None


def _check(raw: Any, key: Any) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - apps extra

    if not isinstance(raw, dict):
        raise Tampered("this is not an erasure receipt")
    read_receipt(raw)
    try:
        key.verify(base64.b64decode(str(raw.get("signature", "")), validate=True), signing_bytes(raw))
    except (InvalidSignature, binascii.Error):
        raise Tampered("the signature is not the key's") from None


def _check_chain(receipts: list[dict[str, Any]]) -> None:
    """Several receipts given together must follow each other; a lone one may stand anywhere."""
    for before, after in itertools.pairwise(receipts):
        if after["serial"] != before["serial"] + 1:
            raise Tampered(f"receipt {before['serial']} is followed by {after['serial']}: missing or out of order")
        if after["previous"] != before["hash"]:
            raise Tampered(f"receipt {after['serial']} does not follow the receipt {before['serial']} given here")
    first = receipts[0]
    if first["serial"] == 1 and first["previous"] != GENESIS:
        raise Tampered("receipt 1 names one before it")


def _print(path: Path, raw: dict[str, Any]) -> None:
    erased = from_millis(raw["erased_at"]).astimezone(PARIS)
    lines = [
        f"{path.name}: receipt {raw['serial']} holds; erased on {erased:%Y-%m-%d %H:%M:%S %Z}",
        *(f"  {when}: {', '.join(f'{n} {what}' for what, n in raw[when].items())}" for when in ("before", "after")),
        *(f"  proven: {_SAYS.get(code, code)}" for code in raw["proven"]),
        *(f"  not proven, or out of reach: {_SAYS.get(code, code)}" for code in raw["not_proven"]),
        *(f"  left: {r['count']} in {r['name']}: {_SAYS.get(r['why'], r['why'])}" for r in raw["residue"]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
