"""Synapse's media folder, from outside: names every file in it, and removes copies of other servers' files. Blocking.

Source: Synapse 1.163, `media/filepath.py`: an identifier's first four letters are two folders, the rest a name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from colloque.errors import Temporary


def names(media: Path) -> Iterator[str]:
    """Each file's place, by what it is known by: the folders of its identifier joined again, and as it stands.

    Raises Temporary when a folder can't be read: a look that missed one would prove nothing.
    """
    if not media.is_dir():
        raise Temporary("the media folder can't be read")

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a folder that Synapse has just removed
            raise Temporary(f"a media folder can't be read ({type(error).__name__})") from None

    for folder, _, files in os.walk(media, onerror=failed):
        parts = Path(folder).relative_to(media).parts
        for name in files:
            whole = (*parts, name)
            yield " ".join([*_joined(whole), *whole])


def _joined(parts: tuple[str, ...]) -> Iterator[str]:
    """`local_content/ab/cd/rest`, `remote_thumbnail/server/ab/cd/rest/32-32…`: wherever the two folders may stand."""
    for at in range(len(parts) - 2):
        if len(parts[at]) == 2 and len(parts[at + 1]) == 2:
            yield parts[at] + parts[at + 1] + parts[at + 2]


def remove_remote(media: Path, server: str, stored: str) -> None:
    """Remove the copy of another server's file, which Synapse stores under a name of its own, and its thumbnails.

    No error when it is gone. Raises Temporary when it can't be removed, ValueError for what is no name.
    """
    for part in (server, stored):
        if not part or part.startswith(".") or "/" in part or "\0" in part:
            raise ValueError("not the name of a stored file")
    place = (server, stored[:2], stored[2:4], stored[4:])
    try:
        (media / "remote_content").joinpath(*place).unlink(missing_ok=True)
        thumbnails = (media / "remote_thumbnail").joinpath(*place)
        if thumbnails.is_dir():
            shutil.rmtree(thumbnails)
    except OSError as error:
        raise Temporary(f"a stored copy can't be removed ({type(error).__name__})") from None
