"""The bridge as the soak starts it: `python -m tests.soak.bridge_program --config FILE`.

Told from the product's own program by two things only: a mail in doubt is shown to its writer after seconds, not after
a quarter of an hour; and the process dies at the boundary that `COLLOQUE_SOAK_DIE_AT` names, if it is set.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from colloque.service import main
from colloque_mssante import sender
from colloque_mssante.app import MssanteService
from tests.soak import steps

DIE_AT = "COLLOQUE_SOAK_DIE_AT"
DOUBT = timedelta(seconds=20)
"""More than a report takes with everything up again: what is told then is a doubt indeed."""


if __name__ == "__main__":
    sender.DOUBT = DOUBT
    if where := os.environ.get(DIE_AT):
        steps.arm(where)
    sys.exit(main(None, MssanteService))
