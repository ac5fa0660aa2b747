"""Which directory a command means: a file named on the line, or the one of a configuration."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colloque.directory.lookup import AgeRules
from colloque.directory.open import holds_secret
from colloque.errors import ConfigError, Problem

if TYPE_CHECKING:
    from colloque.config import Config

USUAL = (Path("colloque.yaml"), Path("/etc/colloque/colloque.yaml"))
"""Where a configuration is looked for when none is named; $COLLOQUE_CONFIG comes first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the directory is."""

    where: str
    """A path, or a PostgreSQL URL."""
    test: bool = False
    """Whether ANS's fictive identifiers are admitted."""
    config: Config | None = None
    """None for a bare file, which no service owns."""

    @property
    def ages(self) -> AgeRules:
        """When it is late, and when stale."""
        return AgeRules() if self.config is None else self.config.annuaire.ages


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that name it."""
    where = parser.add_mutually_exclusive_group()
    usual = "$COLLOQUE_CONFIG, " + ", ".join(map(str, USUAL))
    where.add_argument("--config", type=Path, metavar="FILE", help=f"the configuration (else the first of {usual})")
    where.add_argument("--target", metavar="DB", help="a bare directory file, or the URL of one in PostgreSQL")


def place(args: argparse.Namespace) -> Place:
    """What the options mean. Raises ConfigError: no configuration, a wrong one, or a password on the command line."""
    if args.target is not None:
        if holds_secret(args.target):
            raise ConfigError(
                [Problem("--target", "must bear no password: libpq's password file holds it (PGPASSFILE)")]
            )
        return Place(args.target)
    from colloque.config_load import load  # noqa: PLC0415 - apps extra

    config = load(args.config or usual_config())
    return Place(config.annuaire.directory, config.test, config)


def usual_config() -> Path:
    """The configuration when none is named. Raises ConfigError."""
    named = os.environ.get("COLLOQUE_CONFIG")
    if named:
        return Path(named)
    for path in USUAL:
        if path.exists():
            return path
    raise ConfigError([Problem("colloque.yaml", "not found: name it by --config or $COLLOQUE_CONFIG, or use --target")])
