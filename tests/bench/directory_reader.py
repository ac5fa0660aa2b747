"""`python -m tests.bench.directory_reader DIRECTORY PEOPLE`: asks for people by RPPS until its input ends.

Prints a line once it is ready, and in the end when it asked (monotonic seconds) and how long each answer took.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from itertools import islice
from pathlib import Path

from colloque.clock import monotonic
from colloque.directory.file import DirectoryFile
from colloque.identity import Rpps

ASKED = 5_000
PAUSE_S = 0.002
"""Between questions: some 400 a second."""


def main() -> None:
    """See above."""
    directory = DirectoryFile(Path(sys.argv[1]))
    with Path(sys.argv[2]).open(encoding="utf-8") as lines:
        rows = (line.split("|", 2) for line in islice(lines, 1, None, 400))
        numbers = [Rpps(row[1]) for row in islice(rows, ASKED) if row[0] == "8"]
    chance = random.Random(1)
    took: list[tuple[float, float]] = []
    directory.freshness()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        number = chance.choice(numbers)
        began = time.perf_counter()
        directory.by_rpps(number)
        took.append((monotonic(), time.perf_counter() - began))
        time.sleep(PAUSE_S)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
