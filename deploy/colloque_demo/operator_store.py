"""What the sandbox operator keeps: accounts in a private JSON file, one maildir a mailbox."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from colloque.clock import SystemClock
from colloque.errors import ConfigError, Problem


class Accounts:
    """`{address: {"password": …, "token": …}}`, read again whenever the file was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._accounts: dict[str, dict[str, str]] = {}
        self.read()

    def read(self) -> None:
        """Raises ConfigError when the file is missing, malformed, or readable by others."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return
            raw = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError([Problem(str(self._path), f"can't be read ({type(error).__name__})")]) from None
        if found.st_mode & 0o077:
            raise ConfigError([Problem(str(self._path), "must be readable by its owner only (0600)")])
        if not isinstance(raw, dict) or not all(isinstance(v, dict) for v in raw.values()):
            raise ConfigError([Problem(str(self._path), "must be {address: {password, token}}")])
        self._accounts = {str(address).lower(): value for address, value in raw.items()}
        self._stamp = stamp

    def exists(self, address: str) -> bool:
        """True for a mailbox of ours."""
        self.read()
        return address.lower() in self._accounts

    def admits(self, address: str, *, kind: str, secret: str) -> bool:
        """True when `secret` is that mailbox's `kind` ("password" or "token"). Takes the same time either way."""
        self.read()
        expected = self._accounts.get(address.lower(), {}).get(kind, "")
        same = hmac.compare_digest(str(expected).encode(), secret.encode("utf-8", "surrogateescape"))
        return same and bool(expected)


class Maildirs:
    """One maildir a mailbox. A message is there whole, on disk, or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._order = itertools.count()
        self._arrivals: Counter[str] = Counter()
        self.on_arrival: Callable[[str], None] = lambda _: None
        """Told the folder of every message delivered."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in (*root.glob("*/tmp/*"), *root.rglob("*.lock")):
            left.unlink()  # a process that was killed left them; we hold the folder's lock

    def folder(self, address: str) -> Path:
        """Its maildir, made when new."""
        path = self._root / hashlib.sha256(address.lower().encode()).hexdigest()[:32]
        for name in ("tmp", "new", "cur"):
            (path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def deliver(self, address: str, raw: bytes) -> None:
        """Put a message in the mailbox. It is on disk when this returns, and seen whole or not at all before."""
        folder = self.folder(address)
        micros = round(SystemClock().now().timestamp() * 1e6)
        # Names sort by arrival, so that UIDs do too; no two are alike, even across processes.
        name = f"{micros:017d}.{next(self._order):09d}.{secrets.token_hex(6)}"
        aside = folder / "tmp" / name
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        aside.rename(folder / "new" / name)
        for touched in (folder / "new", folder):
            descriptor = os.open(touched, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._arrivals[str(folder)] += 1
        self.on_arrival(str(folder))

    def arrivals(self, folder: str) -> int:
        """How many messages this process put in that folder."""
        return self._arrivals[folder]
