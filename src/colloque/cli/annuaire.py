"""`colloque annuaire import|status|show|find|diff|sample`: the directory, for operators."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from colloque.cli.directory_ask import MOST, run_find, run_show, run_status
from colloque.cli.directory_diff import run_diff
from colloque.cli.directory_import import run_import, run_sample
from colloque.cli.directory_place import add_place
from colloque.clock import PARIS


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    actions = subparsers.add_parser("annuaire", help="the directory").add_subparsers(required=True, metavar="ACTION")

    def action(name: str, what: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=what)
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.set_defaults(run=run)
        return parser

    load = action("import", "import extractions (.txt, .csv, .zip), white-lists (.xml), folders of them", run_import)
    load.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    load.add_argument("--force", action="store_true", help="take it although it is older or much smaller")
    add_place(load)

    add_place(action("status", "what is loaded, of when, and what the last import changed", run_status))

    show = action("show", "one person, by number or MSSanté address, or one mailbox", run_show)
    show.add_argument("who", metavar="RPPS|ADELI|ADDRESS")
    add_place(show)

    find = action("find", "people by name, profession, place, in any order, typing errors forgiven", run_find)
    find.add_argument("words", nargs="*", metavar="WORDS")
    find.add_argument("--profession", default="", help="only this profession or specialty, in plain French")
    find.add_argument("--near", default="", metavar="TOWN|POSTCODE", help="only there")
    find.add_argument("--limit", type=_limit, default=10, metavar="N", help=f"1 to {MOST} (default 10)")
    find.add_argument("--offset", type=_offset, default=0, metavar="N", help="leave out the first N: the next page")
    add_place(find)

    diff = action("diff", "what differs between two directory files, or two days' extractions", run_diff)
    diff.add_argument("old", type=Path, metavar="OLD")
    diff.add_argument("new", type=Path, metavar="NEW")

    sample = action("sample", "write a made-up directory in ANS's file formats", run_sample)
    sample.add_argument("--people", type=int, required=True, metavar="N", help="how many professionals with an RPPS")
    sample.add_argument("--out", type=Path, required=True, metavar="DIR")
    sample.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people (default 1)")
    sample.add_argument("--made-at", type=_moment, metavar="AAAAMMJJhhmm", help="the extraction's time (default: now)")
    sample.add_argument(
        "--changed",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="what the same people look like a day later instead: that share of rows differs, e.g. 0.01",
    )


def _limit(text: str) -> int:
    number = int(text)
    if not 0 < number <= MOST:
        raise ValueError
    return number


def _offset(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=PARIS)
