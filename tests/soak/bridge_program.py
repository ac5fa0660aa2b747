"""The bridge as the soak starts it: `python -m tests.soak.bridge_program --config FILE`.

Told from the product's own program by two things only: a mail in doubt is shown to its writer after seconds, not after
a quarter of an hour; and the process dies at the boundary that `COLLOQUE_SOAK_DIE_AT` names, or is frozen (SIGSTOP) at
the one that `COLLOQUE_SOAK_STOP_AT` names, if they are set.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

from colloque_mssante.__main__ import run
from colloque_mssante.mailboxes import sender
from tests.soak import steps

DIE_AT = "COLLOQUE_SOAK_DIE_AT"
STOP_AT = "COLLOQUE_SOAK_STOP_AT"
DOUBT = timedelta(seconds=20)
"""More than a report takes with everything up again: what is told then is a doubt indeed."""


if __name__ == "__main__":
    sender.DOUBT = DOUBT
    if where := os.environ.get(DIE_AT):
        steps.arm(where)
    if where := os.environ.get(STOP_AT):
        steps.arm(where, signal.SIGSTOP)
    sys.exit(run())
