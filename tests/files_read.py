"""What the files below a folder hold, while the services that own them run."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every regular file below `root` that is no symbolic link, with what it holds; without what is gone by then.

    A file can go at any time between its folder being read and itself: a journal of SQLite lives as long as a write.
    """
    assert root.is_dir(), f"nothing is proven by looking through {root}, which is no folder"
    for folder, _, names in os.walk(root, onerror=_unless_gone):
        for name in names:
            file = Path(folder, name)
            try:
                if not stat.S_ISREG(file.lstat().st_mode):
                    continue
                data = file.read_bytes()
            except FileNotFoundError:
                continue
            yield file, data


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
