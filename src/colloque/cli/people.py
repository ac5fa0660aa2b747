"""`colloque revoke` and `colloque restore`: take somebody's access away, give it back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from colloque.calls import JsonDict
from colloque.cli.directory_place import usual_config

MOTIVES = ("depart", "sanction", "usurpation", "securite", "autre")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    revoke = commands.add_parser("revoke", help="take somebody's access away, on every server, within a minute")
    revoke.add_argument("user", metavar="USER", help="the account, as @name:server")
    revoke.add_argument("--motive", required=True, choices=MOTIVES, help="kept in the journal")
    restore = commands.add_parser("restore", help="give somebody's access back")
    restore.add_argument("user", metavar="USER", help="the account, as @name:server")
    for command, run in ((revoke, run_revoke), (restore, run_restore)):
        command.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
        command.set_defaults(run=run)


def run_revoke(args: argparse.Namespace) -> int:
    """Ask the running service."""
    _ask(args, "revoke", user=args.user, motive=args.motive)
    sys.stdout.write("revoked: nothing is accepted from that account any more; it leaves the rooms within a minute\n")
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Ask the running service."""
    sys.stdout.write(f"{_ask(args, 'restore', user=args.user)['said']}\n")
    return 0


def _ask(args: argparse.Namespace, verb: str, **what: str) -> JsonDict:
    from colloque.config_load import load  # noqa: PLC0415 - apps extra
    from colloque.sockets import Client  # noqa: PLC0415

    config = load(args.config or usual_config())
    return asyncio.run(Client(config.socket("annuaire"), "colloque").call(verb, **what))
