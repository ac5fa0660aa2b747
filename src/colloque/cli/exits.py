"""Exit codes: one rule for every command. The numbers are those of sysexits.h where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from colloque.directory.columns import ImportRefused
from colloque.errors import BadInput, ColloqueError, ConfigError, NotFound, Refused, Temporary

NO, USAGE, DATA, NO_INPUT, SOFTWARE, IO, LATER, CONFIG, INTERRUPTED = 1, 64, 65, 66, 70, 74, 75, 78, 130

CODES = {
    0: "done",
    NO: "the answer is no (not listed, nothing found, does not hold)",
    USAGE: "wrong usage",
    DATA: "bad data, or refused: nothing was changed",
    NO_INPUT: "a file that was named is missing or can't be read",
    SOFTWARE: "our own records are wrong",
    IO: "something can't be read or written",
    LATER: "not now, try again",
    CONFIG: "there is no configuration, or it is wrong",
    INTERRUPTED: "interrupted",
}
_MISSING = "path.missing"


class NoInput(BadInput):
    """A file that the operator named is missing or can't be read."""

    code = "input.unreadable"

    def __init__(self, path: Path, why: str | None) -> None:
        super().__init__(f"{path}: can't be read ({why or 'unknown error'})")


class Failure(NamedTuple):
    """How a command failed."""

    exit: int
    code: str
    """For programs, stable: an import's or rule's reason, else the error's code."""
    message: str


def failure(error: ColloqueError | OSError | KeyboardInterrupt) -> Failure:
    """What an error that leaves a command means."""
    match error:
        case ConfigError():
            return Failure(CONFIG, error.code, "\n".join(str(problem) for problem in error.problems))
        case ImportRefused() | Refused():
            return Failure(NO_INPUT if error.reason == _MISSING else DATA, error.reason, str(error))
        case NoInput():
            return Failure(NO_INPUT, error.code, str(error))
        case BadInput():
            return Failure(DATA, error.code, str(error))
        case NotFound():
            return Failure(NO, error.code, str(error))
        case Temporary():
            return Failure(LATER, error.code, str(error))
        case ColloqueError():
            return Failure(SOFTWARE, error.code, str(error))
        case OSError():
            where = error.filename or "input/output"
            return Failure(IO, "os", f"{where}: {error.strerror or type(error).__name__}")
    return Failure(INTERRUPTED, "interrupted", "interrupted")
