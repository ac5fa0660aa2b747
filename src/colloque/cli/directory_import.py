"""`colloque annuaire import|sample`: what writes.

An import is asked of the running service, which journals it. When the service is stopped, it is done here: under the
import's lock and the service's journal, as the system user whom the service's folder belongs to.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colloque.audit import SYSTEM
from colloque.cli import directory_text
from colloque.cli.directory_place import Place, place
from colloque.cli.directory_say import say, say_json
from colloque.cli.exits import NoInput
from colloque.clock import SystemClock
from colloque.directory import told
from colloque.directory.columns import ImportRefused
from colloque.directory.open import import_directory
from colloque.directory.report import ImportReport
from colloque.directory.sample import write_sample
from colloque.errors import BadInput, ColloqueError, ConfigError, Problem, ServiceUnavailable, Temporary

if TYPE_CHECKING:
    from colloque.config import Config
    from colloque.directory.extract import Progress
    from colloque.sockets import Client

_IMPORT_S = 3 * 3600.0 + 60
"""The service gives up before."""
_LOOK_S = 0.5

Report = dict[str, Any]


def run_sample(args: argparse.Namespace) -> int:
    """Write the sample and say what it holds."""
    try:
        made = args.made_at or SystemClock().now()
        report = write_sample(args.out, args.people, args.seed, made, changed=args.changed)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if args.json:
        say_json(asdict(report))
        return 0
    say(
        f"{report.people} people (and {report.adeli} under an ADELI number), {report.activities} activities, "
        f"{report.mailboxes} mailbox rows, {report.domains} domains in {report.folder}"
    )
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Import; a refusal changes nothing."""
    where = place(args)
    paths = [path.absolute() for path in args.paths]
    with _bar() as progress:
        if where.config is None:
            report = _here(where, paths, force=args.force, progress=progress)
        else:
            report = _by_service(where, where.config, paths, force=args.force, progress=progress)
    if args.json:
        say_json(report)
    else:
        say(directory_text.report(report))
    return 0


def _by_service(
    where: Place, config: Config, paths: Sequence[Path], *, force: bool, progress: Progress | None
) -> Report:
    try:
        return asyncio.run(_asked(config.socket("annuaire"), paths, force=force, progress=progress))
    except ServiceUnavailable:
        return _journaled(where, config, paths, force=force, progress=progress)
    except KeyboardInterrupt:
        sys.stderr.write("the service goes on with the import; `colloque annuaire status` tells of its end\n")
        raise


async def _asked(socket: Path, paths: Sequence[Path], *, force: bool, progress: Progress | None) -> Report:
    from colloque.sockets import Client  # noqa: PLC0415 - the other commands go without

    watch = asyncio.create_task(_watch(Client(socket, "colloque"), progress)) if progress else None
    try:
        client = Client(socket, "colloque", timeout_s=_IMPORT_S)
        return await client.call("import", paths=[str(path) for path in paths], force=force)
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _watch(client: Client, progress: Progress) -> None:
    """Show how far the service is; when it does not tell, the import itself will."""
    while True:
        await asyncio.sleep(_LOOK_S)
        with contextlib.suppress(Temporary):
            state = await client.call("import_progress")
            if state["running"]:
                progress(state["read"], state["total"])


def _journaled(
    where: Place, config: Config, paths: Sequence[Path], *, force: bool, progress: Progress | None
) -> Report:
    """The service is stopped: do it as it would."""
    from colloque.store.journal import Held, Journal  # noqa: PLC0415 - the other commands go without

    folder = config.annuaire.state_dir
    _become_owner(folder)
    try:
        journal = Journal.open(folder / "journal.jsonl", SystemClock())
    except Held:
        raise Temporary(
            "the annuaire service does not answer you, and something writes its journal: it is starting, hangs, does "
            "not know your system user (sockets.uids.colloque), or another import runs"
        ) from None
    with contextlib.closing(journal):
        facts = told.intent([path.name for path in paths], forced=force, source="command")
        act = journal.begin(told.KIND, actor=SYSTEM, room="", ref="", **facts)
        try:
            report = _here(where, paths, force=force, progress=progress)
        except ImportRefused as refused:
            journal.end(act, "refused", reason=told.file_code(refused.reason))
            raise
        except (ColloqueError, OSError):
            journal.end(act, "failed")
            raise
        journal.end(act, "imported", room="", **told.outcome(report))
        return report


def _become_owner(folder: Path) -> None:
    """Root would leave files that the service can't use. Raises ConfigError when the folder is not there."""
    try:
        owner = folder.stat()
    except OSError as error:
        why = f"{folder}: {error.strerror}; the service makes it at its first start"
        raise ConfigError([Problem("annuaire.state_dir", why)]) from None
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:
        os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def _here(where: Place, paths: Sequence[Path], *, force: bool, progress: Progress | None) -> Report:
    for path in paths:
        if path.exists() and not os.access(path, os.R_OK):
            raise NoInput(path, "Permission denied")
    cache = None if where.config is None else where.config.annuaire.directory_cache
    report = import_directory(
        paths, where.where, SystemClock(), cache=cache, force=force, test=where.test, progress=progress
    )
    return _as_told(report)


def _as_told(report: ImportReport) -> Report:
    """As the service tells it."""
    plain: Report = json.loads(json.dumps(asdict(report), default=lambda at: at.isoformat()))
    return plain


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
