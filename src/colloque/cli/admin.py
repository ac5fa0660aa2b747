"""`colloque admin bootstrap|access|list`: the first administrators, a way back in, who they are.

A way in (a link that serves once, or a password of ten minutes) is written to a new private file, never shown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from colloque.calls import JsonDict
from colloque.cli.directory_place import usual_config
from colloque.errors import BadInput


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    actions = commands.add_parser("admin", help="administrators").add_subparsers(required=True, metavar="ACTION")
    bootstrap = actions.add_parser("bootstrap", help="make the first two administrators; once")
    bootstrap.add_argument("names", nargs=2, metavar="NAME", help="prenom.nom, or 'Prénom Nom'")
    access = actions.add_parser("access", help="a new way in for an administrator who has lost theirs")
    access.add_argument("user", metavar="USER", help="the account, as @name:server")
    listed = actions.add_parser("list", help="who administers")
    for action, run in ((bootstrap, run_bootstrap), (access, run_access), (listed, run_list)):
        action.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
        action.set_defaults(run=run)
        if action is not listed:
            action.add_argument(
                "--out",
                required=True,
                metavar="FILE",
                help="new file (0600) for the ways in; - for standard output",
            )


def run_bootstrap(args: argparse.Namespace) -> int:
    """Ask the running service."""
    return _write_out(args, "admin_bootstrap", names=args.names)


def run_access(args: argparse.Namespace) -> int:
    """Ask the running service."""
    return _write_out(args, "admin_access", user=args.user)


def run_list(args: argparse.Namespace) -> int:
    """One line each: account, name, and where it stands that they administer."""
    for each in _ask(args, "admin_list")["accounts"]:
        where = "configuration" if each["named"] else "staff"
        sys.stdout.write(f"{each['user']}\t{each['name']}\t{where}\n")
    return 0


def _write_out(args: argparse.Namespace, verb: str, **what: object) -> int:
    """The file is made first: what can't be written down is not asked for."""
    if args.out == "-":
        sys.stdout.write(_lines(_ask(args, verb, **what)))
        return 0
    path = Path(args.out)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise BadInput(f"{path}: exists, and is not overwritten") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            told = _ask(args, verb, **what)
            out.write(_lines(told))
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    users = ", ".join(each["user"] for each in told["accounts"])
    sys.stdout.write(f"{users}: how to come in stands in {path}; hand it over safely, then delete it\n")
    return 0


def _lines(told: JsonDict) -> str:
    return "".join(
        f"{each['user']}\n  link, once, within 24 hours: {each['link']}\n"
        if "link" in each
        else f"{each['user']}\n  password, once, within 10 minutes: {each['password']}\n"
        for each in told["accounts"]
    )


def _ask(args: argparse.Namespace, verb: str, **what: object) -> JsonDict:
    from colloque.config_load import load  # noqa: PLC0415 - apps extra
    from colloque.sockets import Client  # noqa: PLC0415

    config = load(args.config or usual_config())
    return asyncio.run(Client(config.socket("annuaire"), "colloque").call(verb, **what))
