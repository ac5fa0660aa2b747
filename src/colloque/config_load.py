"""From the configuration file to what it says, checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colloque.config import Config
from colloque.config_checks import cross_checks
from colloque.errors import ConfigError, Problem
from colloque.reading import section


def load(path: Path) -> Config:
    """Read and check. Raises ConfigError, which names every problem."""
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(str(path), f"can't be read ({error.strerror})")]) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"is not YAML: {str(error).splitlines()[0]}")]) from None
    return read(raw, base=path.parent.resolve())


def read(raw: object, *, base: Path) -> Config:
    """The same, from data already parsed."""
    problems: list[Problem] = []
    config = section(Config, raw, base=base, problems=problems)
    if config is not None and not problems:
        config = replace(config, annuaire=replace(config.annuaire, directory=_located(config.annuaire.directory, base)))
        problems += cross_checks(config)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def _located(directory: str, base: Path) -> str:
    """A PostgreSQL URL as it stands; a path taken from the file's folder."""
    return directory if "://" in directory else str(base / directory)
