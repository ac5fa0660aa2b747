"""`python -m colloque_mssante --config FILE [--worker N]`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from colloque.service import main
from colloque_mssante.app import MssanteService
from colloque_mssante.mailboxes.worker import MailWorker


def run(argv: Sequence[str] | None = None) -> int:
    """The whole program; its exit code."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--worker", type=int, metavar="N", help="be mail worker N, from 1 to mssante.workers")
    given, rest = own.parse_known_args(argv)
    build = MssanteService if given.worker is None else partial(MailWorker, number=given.worker)
    return main(rest, build, [own])


if __name__ == "__main__":
    sys.exit(run())
