"""`colloque audit verify FILE… [--head HASH]`: does a journal hold?

The worst of several files decides on the exit code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from colloque.audit import Verdict, verify_lines
from colloque.cli.exits import NO, NO_INPUT, USAGE

_MEANING = {
    "torn": "the last line was not written whole (a service repairs this at its start)",
    "edited": "not an entry whose hash holds",
    "missing": "one or more entries before this line are gone",
    "moved": "this entry was inserted, doubled or put out of order",
    "replaced": "what this entry follows was replaced",
    "orphan": "a result without its intent",
    "head": "the expected head is nowhere: the end was cut off, or the whole rewritten",
}


def register(subparsers: Any) -> None:
    """Add `audit` to the command line; the parsed namespace's `run` takes it and returns the exit code."""
    audit = subparsers.add_parser("audit", help="check a service's journal")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check the chain of one or more journals")
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verify.add_argument("--head", help="a head hash noted earlier: proves that nothing up to it was cut or rewritten")
    verify.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check each file; the worst result is the exit code."""
    files: list[Path] = args.files
    if args.head is not None and len(files) != 1:
        sys.stderr.write("--head goes with one file\n")
        return USAGE
    return max(_check(path, args.head) for path in files)


def _check(path: Path, head: str | None) -> int:
    try:
        with path.open("rb") as lines:
            verdict = verify_lines(lines, head)
    except OSError as error:
        sys.stderr.write(f"{path}: can't be read ({error.strerror})\n")
        return NO_INPUT
    sys.stdout.write(f"{path}: {_told(verdict, head)}\n")
    return 0 if verdict.ok else NO


def _told(verdict: Verdict, head: str | None) -> str:
    if not verdict.ok:
        where = f"line {verdict.line_no}: " if verdict.line_no else ""
        return f"DOES NOT HOLD, {where}{_MEANING[verdict.problem]}; {verdict.count} entries hold before it"
    tail = "" if head else "; a cut end can't be seen without --head"
    return f"holds, {verdict.count} entries, {len(verdict.open_intents)} open, head {verdict.head}{tail}"
