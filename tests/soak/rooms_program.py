"""@salles as the soak starts it: `python -m tests.soak.rooms_program --config FILE`.

Told from the product's own program by one thing only: the process dies at the boundary that `COLLOQUE_SOAK_DIE_AT`
names, if it is set.
"""

from __future__ import annotations

import os
import sys

from colloque.service import main
from colloque_salles.app import SallesService
from tests.soak.bridge_program import DIE_AT
from tests.soak.rooms_steps import ROOM_STEPS
from tests.soak.steps import arm

if __name__ == "__main__":
    if where := os.environ.get(DIE_AT):
        arm(where, steps=ROOM_STEPS)
    sys.exit(main(None, SallesService))
