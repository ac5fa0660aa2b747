"""The sandbox operator's IMAP side: pymap on maildirs.

What pymap lacks is added: XOAUTH2, no login before TLS even from localhost, IDLE woken by deliveries, and messages
given back byte for byte as they were delivered.
"""

from __future__ import annotations

import asyncio
import ssl
from argparse import Namespace
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from mailbox import MaildirMessage
from pathlib import Path

from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.sock import SocketInfo
from proxyprotocol.version import ProxyProtocolVersion
from pymap.backend.maildir import Config, FilterSet, Identity, Login, Session
from pymap.backend.maildir.layout import MaildirLayout
from pymap.backend.maildir.mailbox import MailboxData, MailboxSet, Maildir
from pymap.backend.maildir.uidlist import UidList
from pymap.concurrent import Event, Subsystem
from pymap.context import connection_exit
from pymap.exceptions import AuthorizationFailure, InvalidAuth
from pymap.imap import IMAPConnection
from pymap.imap.state import ConnectionState
from pymap.interfaces.login import IdentityInterface
from pymap.parsing.response import CommandResponse, ResponseOk
from pymap.parsing.specials import ObjectId
from pymap.selected import SelectedMailbox
from pysasl import SASLAuth
from pysasl.creds.external import ExternalCredentials, ExternalVerificationRequired
from pysasl.creds.plain import PlainCredentials
from pysasl.creds.server import ServerCredentials
from pysasl.mechanism.oauth import OAuth2Mechanism
from pysasl.mechanism.plain import PlainMechanism

from colloque_demo.operator_store import Accounts, Maildirs

SIZE_LIMIT = 40_000_000
"""Bytes of one message, as the national operators' order of magnitude."""
_LOOK_S = 1.0
"""Between two looks at a mailbox during IDLE, for changes that no delivery of ours announced."""


async def serve(accounts: Accounts, maildirs: Maildirs, root: Path, tls: ssl.SSLContext, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1."""
    bell = _Bell(maildirs)
    config = _Config(tls, root)
    config.apply_context()
    talk = _Talk(_Login(config, accounts, maildirs, bell), config)
    callback = ProxyProtocolReader(ProxyProtocolVersion.get(None)).get_callback(talk)
    return await asyncio.start_server(callback, "127.0.0.1", port)


class _Bell:
    """Wakes the IDLEs of a mailbox when a message was delivered to it."""

    def __init__(self, maildirs: Maildirs) -> None:
        self.arrivals = maildirs.arrivals
        self._pulses: defaultdict[str, Event] = defaultdict(Event.for_asyncio)
        maildirs.on_arrival = self._ring

    def _ring(self, folder: str) -> None:
        self._pulses[folder].set()
        self._pulses[folder].clear()

    async def wait(self, folder: str, known: int, stop: Event) -> None:
        """Until something came after the `known` first arrivals, or `stop`, or it is time to look."""
        if self.arrivals(folder) == known and not stop.is_set():
            await stop.or_event(self._pulses[folder]).wait(timeout=_LOOK_S)


class _Config(Config):
    def __init__(self, tls: ssl.SSLContext, root: Path) -> None:
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            base_dir=str(root),
            layout="++",
            colon=None,
            host="127.0.0.1",
            port=0,
            ssl_context=tls,
            subsystem=Subsystem.for_asyncio(),
            cpu_subsystem=Subsystem.for_asyncio(),
            reject_dnsbl=False,
            max_append_len=SIZE_LIMIT,
        )

    @property
    def tls_auth(self) -> SASLAuth:
        return SASLAuth([PlainMechanism(), OAuth2Mechanism()])

    @property
    def greeting(self) -> bytes:
        return b"Colloque sandbox operator"


class _Talk:
    """One call a connection."""

    def __init__(self, login: _Login, config: _Config) -> None:
        self._login = login
        self._config = config

    async def __call__(self, reader: StreamReader, writer: StreamWriter, peer: SocketInfo) -> None:
        connection = IMAPConnection(self._config.commands, self._config, reader, writer, peer)
        state = _State(self._login, self._config)
        async with AsyncExitStack() as stack:
            connection_exit.set(stack)
            stack.enter_context(closing(connection))
            await connection.run(state)


class _State(ConnectionState):
    async def do_greeting(self) -> CommandResponse:
        """Without pymap's exception for localhost, which would let clients log in in clear."""
        return ResponseOk(b"*", self.config.greeting, self.capability)


class _Login(Login):
    def __init__(self, config: _Config, accounts: Accounts, maildirs: Maildirs, bell: _Bell) -> None:
        super().__init__(config)
        self._accounts = accounts
        self._maildirs = maildirs
        self._bell = bell

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        kind, address, secret = _read(credentials)
        if not self._accounts.admits(address, kind=kind, secret=secret):
            raise InvalidAuth
        return _Identity(self, address.lower(), self._maildirs.folder(address), self._bell)

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> Identity:
        if not isinstance(authenticated, _Identity) or authzid.lower() != authenticated.name:
            raise AuthorizationFailure
        return authenticated


def _read(credentials: ServerCredentials) -> tuple[str, str, str]:
    """`(kind, address, secret)` of what a client showed."""
    if isinstance(credentials, PlainCredentials):
        seen = _Seen()
        credentials.verify(seen)
        return "password", credentials.authcid, seen.secret
    if isinstance(credentials, ExternalCredentials):
        try:
            credentials.verify(None)
        except ExternalVerificationRequired as required:
            return "token", credentials.authzid, required.token or ""
    raise InvalidAuth


class _Seen:
    """pysasl gives a password only to whoever compares it: this one looks."""

    authcid = ""
    secret = ""

    def compare_authcid(self, authcid: str) -> bool:
        del authcid
        return True

    def compare_secret(self, secret: str) -> bool:
        self.secret = secret
        return False

    def get_clear_secret(self) -> None:
        return None


class _Identity(Identity):
    def __init__(self, login: _Login, name: str, folder: Path, bell: _Bell) -> None:
        super().__init__(login.config, login.tokens, name, None, frozenset())
        self._folder = folder
        self._bell = bell

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        path = str(self._folder)
        maildir = _ExactMaildir(path, create=False)
        layout = MaildirLayout.get(path, self.config.layout, Maildir)
        boxes = _Boxes(maildir, layout, self._bell)
        yield Session(self.name, self.config, boxes, FilterSet(path))


class _ExactMaildir(Maildir):
    def get_message(self, key: str) -> MaildirMessage:
        """The file as it is, where the standard library would parse it and write it anew."""
        return _ExactMessage(Path(self._join(self._lookup(key))).read_bytes())


class _ExactMessage(MaildirMessage):
    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")

    def __bytes__(self) -> bytes:
        return self._raw


class _Boxes(MailboxSet):
    def __init__(self, maildir: Maildir, layout: MaildirLayout[Maildir], bell: _Bell) -> None:
        super().__init__(maildir, layout)
        self._bell = bell

    async def get_mailbox(self, name: str) -> MailboxData:
        if name == "INBOX" and name not in self._cache:
            async with UidList.with_init(self._path) as uids:
                self._cache[name] = _Inbox(ObjectId(uids.global_uid), self._inbox_maildir, self._path, self._bell)
        return await super().get_mailbox(name)


class _Inbox(MailboxData):
    def __init__(self, mailbox_id: ObjectId, maildir: Maildir, path: str, bell: _Bell) -> None:
        super().__init__(mailbox_id, maildir, path)
        self._bell = bell
        self._told = 0
        """Arrivals that this session was told of."""

    async def update_selected(self, selected: SelectedMailbox, *, wait_on: Event | None = None) -> SelectedMailbox:
        if wait_on is not None:
            await self._bell.wait(self._path, self._told, wait_on)
        arrivals = self._bell.arrivals(self._path)
        await self.reset()
        self._told = arrivals
        return await super().update_selected(selected)

    async def _get_keys(self) -> dict[str, str]:
        """In order of arrival, which is then the order of their UIDs."""
        return dict(sorted((await super()._get_keys()).items()))
