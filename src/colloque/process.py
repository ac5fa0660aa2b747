"""How each of our processes runs: what it may leave behind, its configuration, and how its end is told."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from colloque import logs
from colloque.config import Config
from colloque.config_load import load
from colloque.errors import ColloqueError, ConfigError


def close_up() -> None:
    """Files are the owner's alone, and there is no core dump: it would hold keys and texts."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set from now on, while the running loop runs."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def run(path: Path, work: Callable[[Config], Coroutine[Any, Any, int]]) -> int:
    """Read the configuration at `path` and do `work` with it; the exit code.

    That of the work; 78 when the configuration is wrong, 1 when the process cannot work. Both are told on stderr.
    """
    try:
        return asyncio.run(work(load(path)))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return ConfigError.exit_code
    except ColloqueError as error:
        sys.stderr.write(f"{logs.describe(error)}\n")
        return 1
