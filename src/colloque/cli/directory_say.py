"""What every `colloque annuaire` command needs: the directory opened for reading, and how things are said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from colloque.cli.directory_place import Place
from colloque.clock import PARIS, SystemClock
from colloque.directory.open import open_directory

if TYPE_CHECKING:
    from colloque.directory.questions import TableDirectory


@contextmanager
def opened(found: Place) -> Iterator[TableDirectory]:
    """The directory, to read."""
    directory = open_directory(found.where, SystemClock())
    try:
        yield directory
    finally:
        directory.close()


def say(text: str) -> None:
    """One text to standard output."""
    sys.stdout.write(text + "\n")


def say_json(value: object) -> None:
    """One JSON object."""
    say(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def local(at: datetime) -> str:
    """A time as people in Paris read it."""
    return f"{at.astimezone(PARIS):%Y-%m-%d %H:%M}"
