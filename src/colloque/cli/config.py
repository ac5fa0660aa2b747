"""`colloque config check FILE [--files] [--homeserver FILE]…`: every problem at once, each with its path."""

from __future__ import annotations

import argparse
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from colloque import homeserver_check
from colloque.errors import ConfigError, Problem

if TYPE_CHECKING:
    from colloque.config import Config


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("config", help="check the configuration file")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="name every problem; exit 78 when there is one")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--files", action="store_true", help="also look at the secret files and trust anchors it names")
    check.add_argument(
        "--homeserver",
        type=Path,
        action="append",
        metavar="FILE",
        help="also check homeserver.yaml; once for each file, in the order in which Synapse reads them",
    )
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints `ok`; raises ConfigError otherwise."""
    from colloque.config_load import load  # noqa: PLC0415 - apps extra

    config = load(args.file)
    problems = file_problems(config) if args.files else []
    if args.homeserver:
        raw = homeserver_check.read(args.homeserver)
        problems += homeserver_check.problems(raw, server_name=config.homeserver.server_name, bots=config.bots)
    if problems:
        raise ConfigError(problems)
    sys.stdout.write("ok\n")
    return 0


def file_problems(config: Config) -> list[Problem]:
    """What is wrong with the files that must exist before a service starts."""
    secrets = {
        "secrets.identity": config.secrets.identity,
        "secrets.pickle": config.secrets.pickle,
        "secrets.snapshot": config.secrets.snapshot,
        "salles.receipt_key": config.salles.receipt_key,
        "mssante.mailboxes": config.mssante.mailboxes,
    }
    for name, service in (("annuaire", config.annuaire), ("salles", config.salles), ("mssante", config.mssante)):
        secrets |= {f"{name}.as_token": service.as_token, f"{name}.admin_token": service.admin_token}
    anchors = {"mssante.imap.ca": config.mssante.imap.ca, "mssante.smtp.ca": config.mssante.smtp.ca}
    if (fhir := config.annuaire.fhir) is not None:
        secrets["annuaire.fhir.key"] = fhir.key
        if fhir.ca is not None:
            anchors["annuaire.fhir.ca"] = fhir.ca
    for name, psc in (("annuaire", config.annuaire.psc), ("mssante", config.mssante.psc)):
        if psc is not None:
            secrets[f"{name}.psc.client_secret"] = psc.client_secret
            if psc.ca is not None:
                anchors[f"{name}.psc.ca"] = psc.ca
    if (federation := config.annuaire.federation) is not None:
        secrets["annuaire.federation.key"] = federation.key
        if federation.ca is not None:
            anchors["annuaire.federation.ca"] = federation.ca
    found = [_problem(where, path, secret=True) for where, path in secrets.items()]
    found += [_problem(where, path, secret=False) for where, path in anchors.items()]
    return [problem for problem in found if problem is not None]


def _problem(where: str, path: Path, *, secret: bool) -> Problem | None:
    try:
        info = path.stat()
    except OSError as error:
        return Problem(where, f"{path}: {error.strerror}")
    if not stat.S_ISREG(info.st_mode):
        return Problem(where, f"{path}: is not a file")
    if not info.st_size:
        return Problem(where, f"{path}: is empty")
    mode = stat.S_IMODE(info.st_mode)
    if secret and mode & 0o177:
        return Problem(where, f"{path}: its mode is {mode:04o} and must be 0600 (only its owner may read it)")
    return None
