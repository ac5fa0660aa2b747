"""The credentials of mailboxes: one YAML file, mode 0600, `address: …` with what opens it.

`{password: …}`, `{xoauth2: …}`, or `{certificate: path, key: path}` (PEM, whole paths, the key's mode 0600). Personal
mailboxes that the file does not name may open by their holders' Pro Santé Connect sessions (`sessions`).
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colloque.config import MailServerConfig
from colloque.errors import BadIdentifier, ConfigError, LoginRefused, Problem
from colloque.identity import MssanteAddress, UserId
from colloque.mail.access import Auth, ClientCertificate, Password, Way, XOAuth2
from colloque.mail.imap import ImapClient
from colloque.mail.revocation_check import Revocation
from colloque_mssante.access.sessions import OnApproval, Sessions

T = TypeVar("T")
C = TypeVar("C", bound=ImapClient)
Credential = Auth | OnApproval
"""What opens a mailbox: something to show, or the word of its holder, which gives something to show at each login."""

_Mark = tuple[int, int, int, int]


class Credentials:
    """Read again when the file, or one that it names, is replaced.

    While it can't be used, the last good one counts and `problem` says so.
    """

    def __init__(self, path: Path, revocation: Revocation | None = None, sessions: Sessions | None = None) -> None:
        """Raises ConfigError when the file can't be used from the start.

        `revocation` is asked about every server before it is shown a credential.
        """
        self.revocation = revocation
        self.sessions = sessions
        self._path = path
        self._seen: dict[Path, _Mark] = {}
        self._known: dict[MssanteAddress, Auth] = {}
        self.problem = ""
        self._version = 0
        self._known = self._read()

    @property
    def version(self) -> int:
        """Grows with every change taken in."""
        return self._version + (self.sessions.version if self.sessions is not None else 0)

    def refresh(self) -> None:
        """Take in a replaced file."""
        try:
            if {path: self._mark(path) for path in self._seen} != self._seen:
                self._known = self._read()
            self.problem = ""
        except ConfigError:
            self.problem = "credentials.unusable"

    def of(self, address: MssanteAddress, user: UserId | None = None) -> Credential | None:
        """What opens that mailbox; None when we have nothing. Raises Temporary (see `Sessions.opens`).

        `user`: for whose act; a session is its holder's alone.
        """
        found = self._known.get(address)
        return found if found is not None or self.sessions is None else self.sessions.opens(address, user)

    def waits(self, address: MssanteAddress) -> bool:
        """True while that mailbox's holder must approve first: there is nothing to show. Raises as `of`."""
        found = self.of(address)
        return isinstance(found, OnApproval) and found.session == ""

    async def login(self, credential: Credential, connect: Callable[[Auth], Awaitable[T]]) -> T:
        """`connect` with what there is to show. A token that a server refuses is renewed once: it may have ended early.

        Raises what `connect` raises, and MailboxClosed.
        """
        if not isinstance(credential, OnApproval):
            return await connect(credential)
        assert self.sessions is not None
        token = await self.sessions.token(credential)
        try:
            return await connect(token)
        except LoginRefused:
            return await connect(await self.sessions.token(credential, refused=token))

    async def open(
        self,
        kind: type[C],
        server: MailServerConfig | Way,
        address: MssanteAddress,
        credential: Credential,
        *,
        timeout_s: float,
    ) -> C:
        """A connection to a mailbox. Raises as `login`."""

        async def connect(auth: Auth) -> C:
            return await kind.connect(server, address.value, auth, timeout_s=timeout_s, revocation=self.revocation)

        return await self.login(credential, connect)

    def _mark(self, path: Path) -> _Mark:
        try:
            info = path.stat()
        except OSError as error:
            raise ConfigError([Problem("mssante.mailboxes", f"can't be read ({error.strerror})")]) from None
        if path == self._path and stat.S_IMODE(info.st_mode) & 0o077:
            raise ConfigError([Problem("mssante.mailboxes", "is readable by others: its mode must be 0600")])
        return info.st_ino, info.st_mtime_ns, info.st_ctime_ns, info.st_size

    def _read(self) -> dict[MssanteAddress, Auth]:
        marks = {self._path: self._mark(self._path)}
        try:
            raw = YAML(typ="safe").load(io.BytesIO(self._path.read_bytes()))
        except (OSError, YAMLError, UnicodeDecodeError):
            raise ConfigError([Problem("mssante.mailboxes", "is not YAML")]) from None
        if not isinstance(raw, dict):
            raise ConfigError([Problem("mssante.mailboxes", "must be a section (address: …)")])
        # Marked before they are read: what is replaced meanwhile is read again.
        marks |= {path: self._mark(path) for value in raw.values() for path in _files(value)}
        found = dict(_entry(str(address), value) for address, value in raw.items())
        self._seen = marks
        self._version += 1
        return found


def fingerprint(auth: Credential) -> str:
    """Tells one credential from another; tells nothing of it."""
    match auth:
        case OnApproval():
            told = f"{auth.rpps} {auth.session}".encode()
        case ClientCertificate():
            told = auth.digest
        case _:
            told = auth.initial("")
    return hashlib.sha256(f"{auth.mechanism}\0".encode() + told).hexdigest()[:16]


def _files(value: object) -> list[Path]:
    """The two that an entry names."""
    match value:
        case {"certificate": str(certificate), "key": str(key), **rest} if not rest:
            return [Path(certificate), Path(key)]
    return []


def _entry(address: str, value: object) -> tuple[MssanteAddress, Auth]:
    try:
        parsed = MssanteAddress.parse(address)
    except BadIdentifier:
        raise ConfigError([Problem("mssante.mailboxes", "holds a malformed address")]) from None
    match value:
        case {"password": str(secret), **rest} if secret and not rest:
            return parsed, Password(secret)
        case {"xoauth2": str(token), **rest} if token and not rest:
            return parsed, XOAuth2(token)
    if (files := _files(value)) and all(file.is_absolute() for file in files):
        try:
            return parsed, ClientCertificate.read(*files)
        except OSError:  # what OpenSSL refuses too
            problem = Problem("mssante.mailboxes", "names a certificate and a key (0600) that can't be used together")
            raise ConfigError([problem]) from None
    raise ConfigError([Problem("mssante.mailboxes", "each address needs password, xoauth2, or certificate and key")])
