"""Run a program that dies with us: `python -I -S tied.py PARENT_PID PROGRAM ARGS…`.

The kernel kills the program (SIGKILL) the moment its parent ends, however that happens: a demo killed with
`kill -9` leaves no orphan. Run as a script, before the program itself, because the setting survives `exec` but must
be made in the child (Linux: prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(args: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    parent, program = int(args[0]), args[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit(1)  # the parent died before the tie was made
    os.execv(program[0], program)  # noqa: S606  without a shell is what is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
