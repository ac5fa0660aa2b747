"""`colloque`: the command line for operators. Exit codes: `colloque.cli.exits`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from colloque import __version__
from colloque.cli import admin, annuaire, audit, config, document, federation, people, receipt
from colloque.cli.exits import CODES, USAGE, failure
from colloque.errors import ColloqueError


class Parser(argparse.ArgumentParser):
    """Leaves with 64 where argparse leaves with 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how it is used."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """The whole command line."""
    codes = "; ".join(f"{code} {meaning}" for code, meaning in CODES.items())
    epilog = f"Exit codes: {codes}. A command with --json says a failure as one JSON object too: refused, message."
    top = Parser(prog="colloque", description="Tools for operators of Colloque.", epilog=epilog)
    top.add_argument("--version", action="version", version=f"colloque {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (annuaire, config, audit, receipt, federation, people, admin, document):
        module.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Usage errors leave by SystemExit(64)."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except (ColloqueError, OSError, KeyboardInterrupt) as error:
        failed = failure(error)
        if getattr(args, "json", False):
            told = {"refused": failed.code, "message": failed.message}
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stderr.write(failed.message + "\n")
        return failed.exit
    return code


if __name__ == "__main__":
    sys.exit(main())
