"""The bridge as its benches start it: `python -m tests.bench.bridge_program --config FILE`.

Told from the product's own program by two things: it writes down, in the file that `COLLOQUE_BENCH_TIMES` names, when
(CLOCK_MONOTONIC, one for all processes) it has read a notification, heard a message, and seen a mail taken; and it
passes over the peer's bare events, which it could only look for keys for that nobody has.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from colloque.clock import monotonic
from colloque.identity import RoomId
from colloque.mail import smtp
from colloque.mail.imap import ImapClient
from colloque.matrix.api import JsonDict
from colloque.matrix.nio_sync import SyncLoop
from colloque.service import main
from colloque_mssante.app import MssanteService
from colloque_mssante.leaving.outbound import Outbound

TIMES = "COLLOQUE_BENCH_TIMES"
BARE = "fr.colloque.bench"
"""A key in the content of bare events. Their type is that of ours: Synapse counts and announces no unknown one."""


def _timed(
    real: Callable[..., Awaitable[Any]], place: Path, name: str, *, before: bool = False
) -> Callable[..., Awaitable[Any]]:
    def note(at: float) -> None:
        with place.open("a", encoding="ascii") as out:
            out.write(f"{name} {at}\n")

    @functools.wraps(real)
    async def timed(*args: Any, **more: Any) -> Any:
        began = monotonic()
        answer = await real(*args, **more)
        note(began if before else monotonic())
        return answer

    return timed


def pass_over_bare() -> None:
    """Have this process's accounts receive bare events and do nothing about them."""
    real = SyncLoop._event

    async def event(self: SyncLoop, room: RoomId, source: JsonDict, batch: Any) -> None:
        if BARE not in source.get("content", {}):
            await real(self, room, source, batch)

    setattr(SyncLoop, "_event", event)  # noqa: B010 - a method, which mypy has no assignment for


if __name__ == "__main__":
    pass_over_bare()
    where = Path(os.environ[TIMES])
    for owner, method, what, before in (
        (ImapClient, "wait", "notified", False),
        (Outbound, "hear", "heard", True),
        (smtp, "_text", "taken", False),
    ):
        setattr(owner, method, _timed(getattr(owner, method), where, what, before=before))
    sys.exit(main(None, MssanteService))
