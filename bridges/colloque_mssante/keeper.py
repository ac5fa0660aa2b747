"""`python -m colloque_mssante.keeper --config FILE`: the process that alone holds people's Pro Santé Connect tokens.

The bridge may die, be upgraded or be started again: the tokens stay, and nobody is asked anything. When this one ends
they are gone; people are asked again. It writes nothing to disk, listens on its Unix socket only, and dumps no core.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import logging
import os
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import aiohttp

from colloque import logs
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.errors import ConfigError, Problem
from colloque.process import close_up, run, stop_on_signals
from colloque.psc.http_provider import Provider
from colloque.sockets import Server, Verb
from colloque_mssante.access.token_keeper import KEEPER, LOOK_S, TokenKeeper

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE = 1, 2
"""Linux: prctl(2), mlockall(2)."""

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code (78 when the configuration is wrong, 1 when another keeper runs)."""
    parser = argparse.ArgumentParser(prog="colloque_mssante.keeper")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-level", default="INFO", choices=["INFO", "WARNING", "ERROR"])
    args = parser.parse_args(argv)
    locked = close_memory()
    return run(args.config, partial(_serve, args.log_level, locked))


def close_memory() -> bool:
    """No core dump, no look from outside (ptrace, /proc), nothing swapped out: False when the last can't be had."""
    close_up()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # Under a limit, what is allocated later would fail instead of being swapped: locked wholly or not at all.
    unlimited = os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    return unlimited and libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0


async def _serve(level: str, locked: bool, config: Config) -> int:
    logs.setup("mssante-keeper", level)
    if not locked:
        logs.event(logger, "keeper.swappable", level=logging.WARNING)
    psc = config.mssante.psc
    if psc is None:
        raise ConfigError([Problem("mssante.psc", "is missing: there is nothing to keep")])
    stop, clock = stop_on_signals(), SystemClock()
    async with aiohttp.ClientSession() as http:
        keeper = TokenKeeper(Provider(http, psc, clock, test=config.test), clock, test=config.test)
        verbs: dict[str, Verb] = {"ask": keeper.ask, "state": keeper.state, "token": keeper.token, "drop": keeper.drop}
        server = Server(config.socket(KEEPER), config.sockets.uids, {"mssante": verbs})
        await server.start()
        logs.event(logger, "keeper.started")
        working = asyncio.create_task(_work(keeper))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            await server.stop()
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
            logs.event(logger, "keeper.stopped")
    return 0


async def _work(keeper: TokenKeeper) -> None:
    while True:
        await keeper.once()
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    sys.exit(main())
