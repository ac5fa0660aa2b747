"""One import in a process of its own: the service's loop stays quick, and its memory small.

Reads one job from standard input (a line of JSON: paths, where, cache, force, test), writes lines of JSON to standard
output: `{"read", "total"}` while it runs, then `{"report"}`, `{"refused", "message"}` or `{"failed", "message"}`.
When the service that started it is gone, its next line can't be written and the import is abandoned.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from colloque.clock import SystemClock, monotonic
from colloque.directory.extract import ImportRefused
from colloque.directory.open import import_directory
from colloque.errors import ColloqueError
from colloque.logs import describe

NICENESS = 10
"""Chat goes first."""
_EVERY_S = 0.5
_IGNORED_MAX = 50
"""Names of files not read that the answer holds; there may be any number in a folder."""


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _run(job: dict[str, Any]) -> None:
    told_at = 0.0

    def progress(read: int, total: int) -> None:
        nonlocal told_at
        if monotonic() - told_at > _EVERY_S or read >= total:
            told_at = monotonic()
            _say({"read": read, "total": total})

    try:
        report = import_directory(
            [Path(p) for p in job["paths"]],
            job["where"],
            SystemClock(),
            cache=Path(job["cache"]),
            force=job["force"],
            test=job["test"],
            progress=progress,
        )
    except ImportRefused as refused:
        _say({"refused": refused.reason, "message": str(refused)})
    except ColloqueError as error:
        _say({"failed": error.code, "message": str(error)})
    except BrokenPipeError:
        raise
    except OSError as error:
        _say({"failed": "import.os", "message": f"{error.strerror}: {Path(error.filename or '').name}"})
    except Exception as error:  # noqa: BLE001 - the service must hear why, without anything of the data
        _say({"failed": "import.crash", "message": describe(error)})
    else:
        told = asdict(report)
        told["ignored"] = told["ignored"][:_IGNORED_MAX]
        _say({"report": told})


if __name__ == "__main__":
    os.nice(NICENESS)
    os.umask(0o077)
    _run(json.loads(sys.stdin.readline()))
