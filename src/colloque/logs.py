"""Logs: one line a record, an event name and ids, never personal data.

    2026-03-02T09:00:00.123Z INFO annuaire colloque_annuaire.proving.flow code.sent key=9f2c

Our own code logs only event names and ids; this module is the second belt. Every line is redacted; of errors that
are not ours only the type and the places are shown, and of what a library says only its template and place:
their words may hold anything (a subject, a text, an address).
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from colloque.errors import ColloqueError
from colloque.identity import contains_ins

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from threading import ExceptHookArgs

MESSAGE_MAX = 300
"""Characters of a message; longer ones are texts, and texts don't belong here."""
VALUE_MAX = 80
"""Characters of one id."""
CAUSES_MAX = 3
FRAMES_MAX = 12

_SECRETS = (
    (re.compile(r"mxc(?:://|%3A%2F%2F)[^\s\"'<>]+", re.IGNORECASE), "‹mxc›"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+"), r"\1‹token›"),
    (
        re.compile(r"(?i)\b([\w-]*(?:token|password|passwd|secret|pickle|authorization)[\"']?\s*[=:]\s*)[^\s&,;)]+"),
        r"\1‹secret›",
    ),
    (re.compile(r"(?i)\b(code[\"']?\s*[=:]\s*)[\"']?\d{4,}"), r"\1‹secret›"),
    (re.compile(r"\bsy[ta]_[A-Za-z0-9_=-]+|\beyJ[A-Za-z0-9_.=-]+"), "‹token›"),
    (re.compile(r"(?:%40|@)[a-z0-9._=/+-]+(?::|%3A)[\w.-]+(?::\d+)?", re.IGNORECASE), "‹user›"),
    (re.compile(r"[\w.!#$&'*+/=?^`{|}~-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*"), "‹address›"),
    (re.compile(r"(?:!|%21)[\w+/=-]{8,}(?:(?::|%3A)[\w.-]+(?::\d+)?)?"), "‹room›"),
    (re.compile(r"(?:\$|%24)[\w+/=-]{8,}(?:(?::|%3A)[\w.-]+(?::\d+)?)?"), "‹event›"),
    (re.compile(r"(?:#|%23)[^\s:]+(?::|%3A)[\w.-]+\.[\w-]+"), "‹alias›"),
    (re.compile(r"(?<!\d)\d(?:[\s.-]?\d){10,}(?!\d)"), "‹number›"),
    (re.compile(r"(?<![\w+=-])(?=[A-Za-z_+=-]*\d)[\w+=-]{24,}"), "‹opaque›"),
)


def redact(text: str, limit: int = MESSAGE_MAX) -> str:
    """`text` on one line without what looks like an identifier of a person, a room, an event, a file or a secret."""
    if contains_ins(text):
        return "‹refused: looks like an INS›"
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit] + "‹cut›"


def event(logger: logging.Logger, name: str, /, *, level: int = logging.INFO, **ids: object) -> None:
    """Log that something happened: `name` in dotted words, ids that mean nothing outside our own stores."""
    if logger.isEnabledFor(level):
        pairs = [f"{key}={'_'.join(redact(str(value), VALUE_MAX).split())}" for key, value in ids.items()]
        logger.log(level, "%s", " ".join([name, *pairs]), stacklevel=2)


def reference() -> str:
    """A short word that stands both in the log and in what somebody is told, so that an administrator finds it."""
    return secrets.token_hex(4)


def setup(service: str, level: int | str = logging.INFO) -> None:
    """Send this process's logs to stderr, redacted; ours from `level`, libraries' from WARNING.

    Errors that nobody caught take the same way, instead of Python's own traceback with its words.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("colloque", "colloque_annuaire", "colloque_salles", "colloque_mssante", "colloque_demo"):
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


class Redacting(logging.Formatter):
    """The line of a record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """One line; never raises, never shows what it could not redact."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {record.levelname} {self._service} {record.name} {_message(record)}"
        error = record.exc_info[1] if record.exc_info else None
        return line if error is None else f"{line} | {describe(error)}"


def describe(error: BaseException) -> str:
    """An error and its causes: types, codes, places; the words only of our own errors (redacted)."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < CAUSES_MAX:
        if isinstance(current, ColloqueError):
            said = f"{type(current).__name__} {current.code}: {redact(str(current), 200)}"
        elif isinstance(current, OSError) and current.strerror:
            said = f"{type(current).__name__}: {redact(current.strerror, 80)}"
        else:
            said = type(current).__name__
        frames = traceback.extract_tb(current.__traceback__)[-FRAMES_MAX:]
        places = " > ".join(f"{_place(f.filename)}:{f.lineno} {f.name}" for f in frames)
        parts.append(f"{said} at {places}" if places else said)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return " <- ".join(parts)


def _message(record: logging.LogRecord) -> str:
    try:
        if record.name.partition(".")[0].startswith("colloque"):
            return redact(record.getMessage())
        template = redact(str(record.msg), 120) if record.args else "‹words left out›"
    except Exception:  # noqa: BLE001  a record that can't be formatted must still leave a line
        template = "‹can't be formatted›"
    return f"{template} at {_place(record.pathname)}:{record.lineno}"


def _place(filename: str) -> str:
    return "/".join(Path(filename).parts[-2:])


def _uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    logging.getLogger("colloque").critical("error.uncaught", exc_info=error)


def _unraisable(args: UnraisableHookArgs) -> None:
    logging.getLogger("colloque").error("error.unraisable", exc_info=args.exc_value)


def _uncaught_in_thread(args: ExceptHookArgs) -> None:
    logging.getLogger("colloque").error("error.uncaught_in_thread", exc_info=args.exc_value)
