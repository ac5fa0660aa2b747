"""`python -m colloque_salles.cleaner --config FILE`: the helper on Synapse's host, which erases what Synapse leaves.

Asked by @salles only, on its Unix socket. It deletes by the reviewed list (`colloque.rooms.leftovers`), for rooms that
Synapse no longer has, and looks for what is left. It has no token, and reaches no network but the database.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from colloque import logs
from colloque.config import Config
from colloque.errors import ConfigError, Problem
from colloque.process import close_up, run, stop_on_signals
from colloque.sockets import Server, Verb
from colloque_salles.cleaner.work import CLEANER, SLOW_S, Work

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code (78 when the configuration is wrong, 1 when another one runs)."""
    parser = argparse.ArgumentParser(prog="colloque_salles.cleaner")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-level", default="INFO", choices=["INFO", "WARNING", "ERROR"])
    args = parser.parse_args(argv)
    close_up()
    return run(args.config, partial(_serve, args.log_level))


async def _serve(level: str, config: Config) -> int:
    logs.setup("salles-cleaner", level)
    own = config.salles.cleaner
    if own is None:
        raise ConfigError([Problem("salles.cleaner", "is missing: there is nothing to clean")])
    stop = stop_on_signals()
    work = Work(own)
    verbs: dict[str, Verb] = {
        "note": work.note,
        "clean": work.clean,
        "look": work.look,
        "forget": work.forget,
        "note_messages": work.note_messages,
        "clean_messages": work.clean_messages,
    }
    slow = dict.fromkeys(("note", "clean", "note_messages", "clean_messages"), SLOW_S)
    server = Server(config.socket(CLEANER), config.sockets.uids, {"salles": verbs}, slow=slow)
    try:
        await server.start()
        logs.event(logger, "cleaner.started")
        await stop.wait()
    finally:
        await server.stop()
        await work.close()
        logs.event(logger, "cleaner.stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
