"""The bridge as its benches start it: `python -m tests.bench.bridge_program --config FILE`.

Told from the product's own program by one thing: it writes down, in the file that `COLLOQUE_BENCH_TIMES` names, when
(CLOCK_MONOTONIC, one for all processes) it has read a notification, heard a message, and seen a mail taken.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from colloque.clock import monotonic
from colloque.mail import smtp
from colloque.mail.imap import ImapClient
from colloque.service import main
from colloque_mssante.app import MssanteService
from colloque_mssante.leaving.outbound import Outbound

TIMES = "COLLOQUE_BENCH_TIMES"


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


if __name__ == "__main__":
    where = Path(os.environ[TIMES])
    for owner, method, what, before in (
        (ImapClient, "wait", "notified", False),
        (Outbound, "hear", "heard", True),
        (smtp, "_text", "taken", False),
    ):
        setattr(owner, method, _timed(getattr(owner, method), where, what, before=before))
    sys.exit(main(None, MssanteService))
