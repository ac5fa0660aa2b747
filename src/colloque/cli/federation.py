"""`colloque federation key|sign|verify|show|refresh`: the signed list of servers, for its authority and for operators.

Keys never stand on the command line, only the names of their files (0600); no file is ever overwritten by a key.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from colloque.cli.exits import NO, NoInput
from colloque.clock import PARIS, SystemClock
from colloque.errors import BadInput, Refused, Tampered
from colloque.policy.federation import Entry, FederationList, judge
from colloque.policy.federation_list import list_json, open_list, public_key, read_list, sign_list
from colloque.policy.jws import b64, is_kid, strict_json

if TYPE_CHECKING:
    from colloque.federation.ed25519 import PrivateKey


_TURNS = {"new": "a new list is in force", "same": "the list is unchanged"}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    actions = subparsers.add_parser("federation", help="the signed list of servers").add_subparsers(
        required=True, metavar="ACTION"
    )
    key = actions.add_parser("key", help="show the public half of a key, as lists and configurations write it")
    key.add_argument("file", type=Path, metavar="FILE", help="private key (PEM, 0600)")
    key.add_argument("--new", action="store_true", help="make the key first; the file must not exist")
    key.set_defaults(run=run_key)

    sign = actions.add_parser("sign", help="check a list written as JSON, and sign it")
    sign.add_argument("source", type=Path, metavar="LIST.json")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="the authority's private key (PEM, 0600)")
    sign.add_argument("--kid", required=True, metavar="NAME", help="the key's name, as servers have pinned it")
    sign.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="LIST.jws",
        help="replaced only by a newer list of the same authority",
    )
    sign.set_defaults(run=run_sign)

    for name, run, told in (
        ("verify", run_verify, "does a signed list hold, and is it in force?"),
        ("show", run_show, "the same, and what it says"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("file", type=Path, metavar="LIST.jws")
        action.add_argument(
            "--authority",
            action="append",
            required=True,
            metavar="NAME=KEY",
            help="a pinned public key; may be repeated",
        )
        action.add_argument("--after", type=Path, metavar="LIST.jws", help="the list in use: must be older")
        if name == "show":
            action.add_argument("--json", action="store_true", help="the list as JSON")
        action.set_defaults(run=run)

    refresh = actions.add_parser("refresh", help="have the annuaire service fetch the list now")
    refresh.add_argument("--config", type=Path, required=True, metavar="FILE", help="colloque.yaml")
    refresh.set_defaults(run=run_refresh)


def run_key(args: argparse.Namespace) -> int:
    """Print the public half; with `--new`, of a key just made."""
    from colloque.federation.ed25519 import PrivateKey  # noqa: PLC0415 - apps extra

    if args.new:
        _write_new(args.file, PrivateKey.generate())
    sys.stdout.write(b64(_private(args.file).public) + "\n")
    return 0


def run_sign(args: argparse.Namespace) -> int:
    """Sign, and say what was signed. Refuses what servers would refuse."""
    from colloque.federation.ed25519 import verify  # noqa: PLC0415 - apps extra
    from colloque.files import write_private  # noqa: PLC0415

    if not is_kid(args.kid):
        raise BadInput("--kid: must be letters, digits, points and hyphens")
    key = _private(args.key)
    try:
        listed = read_list(strict_json(_bytes(args.source)))
    except Tampered as error:
        raise BadInput(f"{args.source}: {error}") from None
    now = SystemClock().now()
    before = None
    if args.out.exists():
        try:
            before = open_list(_bytes(args.out), {args.kid: key.public}, verify)
        except Tampered as error:
            raise BadInput(f"{args.out} is no list of this key, and is not replaced ({error})") from None
    if not judge(before, listed, now):
        sys.stdout.write(f"{args.out}: is that list already\n")
        return 0
    write_private(args.out, sign_list(listed, args.kid, key.sign))
    args.out.chmod(0o644)
    sys.stdout.write(f"{args.out}: {_summary(listed)}\n")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Print what holds, or what does not and leave with NO."""
    return 0 if _verified(args) is not None else NO


def run_show(args: argparse.Namespace) -> int:
    """Print the list."""
    listed = _verified(args, quiet=args.json)
    if listed is None:
        return NO
    if args.json:
        sys.stdout.write(json.dumps(list_json(listed), ensure_ascii=False, indent=1) + "\n")
        return 0
    for name in sorted(listed.servers):
        entry = listed.servers[name]
        lines = [
            f"{name}: {entry.organisation}, FINESS {entry.finess.value}",
            f"  {entry.api}, contact {entry.contact}, {', '.join(sorted(entry.capabilities)) or 'no capability'}",
            *(
                f"  key {k.kid} for {k.use}: {b64(k.key)}, {_day(k.not_before)} to {_day(k.not_after)}"
                for k in entry.keys
            ),
            f"  patient rooms: {_comes_in(entry)}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _comes_in(entry: Entry) -> str:
    until = entry.erases_until(SystemClock().now())
    if until is None or entry.salles is None:
        return "nobody of it is invited (it has no key for erasure that is valid now, or no bot named salles)"
    return f"its people may be invited until {_day(until)}"


def run_refresh(args: argparse.Namespace) -> int:
    """Ask the running service; its refusal of a list (older, ended, not signed) is this command's."""
    from colloque.config_load import load  # noqa: PLC0415 - apps extra
    from colloque.sockets import Client  # noqa: PLC0415

    config = load(args.config)
    told = asyncio.run(Client(config.socket("annuaire"), "colloque").call("federation_refresh"))
    sys.stdout.write(f"{_TURNS.get(str(told['turn']), told['turn'])}\n")
    return 0


def pinned(texts: Sequence[str]) -> dict[str, bytes]:
    """The authority's keys by name, from `--authority NAME=KEY`. Raises BadInput."""
    authority = {}
    for text in texts:
        kid, equals, key = text.partition("=")
        if not equals or not is_kid(kid):
            raise BadInput("--authority: must be NAME=KEY")
        authority[kid] = public_key(key, "--authority")
    return authority


def _verified(args: argparse.Namespace, *, quiet: bool = False) -> FederationList | None:
    from colloque.federation.ed25519 import verify  # noqa: PLC0415 - apps extra

    authority = pinned(args.authority)
    try:
        listed = open_list(_bytes(args.file), authority, verify)
        before = open_list(_bytes(args.after), authority, verify) if args.after else None
        judge(before, listed, SystemClock().now())
    except (Tampered, Refused) as error:
        sys.stderr.write(f"{args.file}: DOES NOT HOLD: {error}\n")
        return None
    if not quiet:
        sys.stdout.write(f"{args.file}: holds, {_summary(listed)}\n")
    return listed


def _summary(listed: FederationList) -> str:
    count = len(listed.servers)
    return f"version {listed.version}, {count} servers, {_day(listed.issued)} to {_day(listed.expires)}"


def _day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%Y-%m-%d %H:%M}"


def _private(path: Path) -> PrivateKey:
    from colloque.federation.ed25519 import PrivateKey  # noqa: PLC0415 - apps extra

    try:
        return PrivateKey.load(path)
    except OSError as error:
        raise NoInput(path, error.strerror) from None
    except Tampered as error:
        raise BadInput(str(error)) from None


def _write_new(path: Path, key: PrivateKey) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BadInput(f"{path}: exists, and a key is never overwritten") from None
    with os.fdopen(handle, "wb") as out:
        out.write(key.pem())
        out.flush()
        os.fsync(out.fileno())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoInput(path, error.strerror) from None
