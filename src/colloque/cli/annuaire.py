"""`colloque annuaire sample|import|status|show`: the directory, for operators."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from colloque.clock import PARIS, SystemClock
from colloque.directory.extract import ImportRefused, ImportReport, Progress, import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.errors import BadInput, NotFound
from colloque.identity import MssanteAddress, Rpps
from colloque.professional import Mailbox, Professional


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    actions = subparsers.add_parser("annuaire", help="the directory").add_subparsers(required=True, metavar="ACTION")

    sample = actions.add_parser("sample", help="write a made-up directory in ANS's file formats")
    sample.add_argument("--people", type=int, required=True, metavar="N", help="how many professionals with an RPPS")
    sample.add_argument("--out", type=Path, required=True, metavar="DIR")
    sample.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people (default 1)")
    sample.add_argument("--made-at", type=_moment, metavar="AAAAMMJJhhmm", help="the extraction's time (default: now)")
    sample.set_defaults(run=run_sample)

    load = actions.add_parser("import", help="import extractions (.txt, .zip), white-lists (.xml), folders of them")
    load.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    _add_target(load)
    load.add_argument("--force", action="store_true", help="take it although it is older or much smaller")
    load.add_argument("--json", action="store_true", help="report as JSON")
    load.set_defaults(run=run_import)

    status = actions.add_parser("status", help="what is loaded, and of when")
    _add_target(status)
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=run_status)

    show = actions.add_parser("show", help="one person, by RPPS or MSSanté address, or one mailbox")
    show.add_argument("who", metavar="RPPS|ADDRESS")
    _add_target(show)
    show.set_defaults(run=run_show)


def _add_target(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, metavar="FILE", help="colloque.yaml: its annuaire.directory is meant")
    where.add_argument("--target", type=Path, metavar="DB", help="the directory file itself")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=PARIS)


def _target(args: argparse.Namespace) -> tuple[Path, bool]:
    """The directory file, and whether ANS's fictive identifiers are admitted."""
    if args.config is None:
        return args.target, False
    from colloque.config import load  # noqa: PLC0415 - apps extra

    config = load(args.config)
    return config.annuaire.directory, config.test


def run_sample(args: argparse.Namespace) -> int:
    """Write the sample and say what it holds."""
    try:
        report = write_sample(args.out, args.people, args.seed, args.made_at or SystemClock().now())
    except ValueError as error:
        raise BadInput(str(error)) from None
    _say(
        f"{report.people} people (and {report.adeli} under an ADELI number), {report.activities} activities, "
        f"{report.mailboxes} mailbox rows, {report.domains} domains in {report.folder}"
    )
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Import; a refusal is exit 65 and changes nothing."""
    target, test = _target(args)
    try:
        with _bar() as progress:
            report = import_files(args.paths, target, SystemClock(), force=args.force, test=test, progress=progress)
    except ImportRefused as refused:
        if args.json:
            _say(json.dumps({"refused": refused.reason, "message": str(refused)}, ensure_ascii=False))
        raise
    _say(json.dumps(asdict(report), ensure_ascii=False, default=_plain) if args.json else _told(report))
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Dates and counts."""
    directory = DirectoryFile(_target(args)[0])
    fresh = directory.freshness()
    parts = {str(kind): at for kind, at in directory.parts().items()}
    until = directory.whitelist_valid_until()
    if args.json:
        facts = asdict(fresh) | {"parts": parts, "whitelist_valid_until": until}
        _say(json.dumps(facts, default=_plain))
        return 0
    _say(f"{fresh.people} people, {fresh.mailboxes} mailboxes, imported {_local(fresh.imported_at)}")
    for name, at in sorted(parts.items()):
        _say(f"  {name}: made {_local(at)}")
    valid = until is not None and until > SystemClock().now()
    _say(
        f"  white-list: {'valid' if valid else 'NOT VALID'}{f' until {_local(until)}' if until else ', never imported'}"
    )
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Everything that the directory says of one person or mailbox."""
    target, test = _target(args)
    directory = DirectoryFile(target)
    if "@" not in args.who:
        person = directory.by_rpps(Rpps.parse(args.who, test=test))
        if person is None:
            raise NotFound("the directory does not list that RPPS number")
        _say(_person(person))
        return 0
    address = MssanteAddress.parse(args.who)
    box = directory.by_mssante(address)
    if box is None:
        raise NotFound("the directory does not list that address")
    _say(_mailbox(box) + ("" if directory.whitelisted(address.domain) else " (domain not on a valid white-list)"))
    owner = directory.by_rpps(box.rpps) if box.rpps else None
    if owner is not None:
        _say(_person(owner))
    return 0


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - apps extra
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("import", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _told(report: ImportReport) -> str:
    whole = f"{report.people} people, {report.activities} activities, {report.mailboxes} mailboxes"
    lines = [f"{whole}, {report.domains} white-listed domains"]
    lines += [f"  read: {f.name} ({f.encoding}, {f.rows} rows, made {_local(f.made_at)})" for f in report.files]
    lines += [f"  kept as it was: {kind}" for kind in report.carried]
    lines += [f"  rows kept out, {reason}: {count}" for reason, count in report.rejected.items()]
    lines += [f"  noticed, {name}: {count}" for name, count in report.noticed.items()]
    lines += [f"  not read: {name}" for name in report.ignored]
    return "\n".join(lines)


def _person(person: Professional) -> str:
    lines = [f"{person.rpps} {person.full_name}"]
    for activity in person.activities:
        parts = (
            activity.profession,
            activity.specialty,
            activity.structure,
            f"{activity.postcode} {activity.town}".strip(),
        )
        lines.append("  " + ", ".join(part for part in parts if part))
    return "\n".join(lines + ["  " + _mailbox(box) for box in person.mailboxes])


def _mailbox(box: Mailbox) -> str:
    return f"{box.kind} {box.address}" + (f" ({box.structure})" if box.structure else "")


def _local(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%Y-%m-%d %H:%M}"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
