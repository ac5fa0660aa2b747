"""What the system lets a process of ours use."""

from __future__ import annotations

import resource


def raise_file_limit() -> None:
    """Open as many files as the system lets us: the usual soft limit, 1024, is less than an operator's mailboxes."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
