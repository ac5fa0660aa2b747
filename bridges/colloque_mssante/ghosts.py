"""Correspondents: whoever is at the other end of mail, as one Matrix account ("ghost") each.

A person is one ghost whatever the address, an organisation's mailbox is one, and so is an address that nobody lists.
A ghost's name comes from the directory alone. Names of Matrix accounts and rooms are public on the server: they never
hold anything of a patient, nor the local part of an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from mautrix.util.async_db import Database

from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier
from colloque.identity import MssanteAddress, UserId, contains_ins
from colloque.matrix.admin import SynapseAdmin
from colloque.professional import MailboxKind
from colloque_mssante import texts
from colloque_mssante.crypto import Account, Accounts


@dataclass(frozen=True, slots=True)
class Correspondent:
    """One end of mail. `key` says who it is and stays inside this process; `name` is shown to everybody."""

    key: str
    name: str
    verified: bool
    """True when the directory lists the address."""
    label: str
    """How mails name them, inside encrypted events only."""


def correspondent(address: str, directory: Directory) -> Correspondent:
    """Who writes from `address`, as the directory knows it. Display names of mails prove nothing and are not asked."""
    if not address:
        return Correspondent("nobody", texts.GHOST_UNVERIFIED, verified=False, label="(adresse illisible)")
    try:
        parsed = MssanteAddress.parse(address)
    except BadIdentifier:
        return Correspondent(f"address:{address}", texts.GHOST_UNVERIFIED, verified=False, label=address)
    box = directory.by_mssante(parsed)
    person = directory.by_rpps(box.rpps) if box and box.kind is MailboxKind.PER and box.rpps else None
    if person is not None:
        label = f"{person.full_name} <{parsed}>"
        return Correspondent(
            f"rpps:{person.rpps}", person.display_name + texts.GHOST_SUFFIX, verified=True, label=label
        )
    key = f"address:{parsed}"
    if parsed.is_patient:
        return Correspondent(key, texts.GHOST_PATIENT, verified=False, label=str(parsed))
    if box is not None and box.structure:
        label = f"{box.structure} <{parsed}>"
        return Correspondent(key, box.structure + texts.GHOST_SUFFIX, verified=True, label=label)
    domain = "" if contains_ins(parsed.domain) else f" · {parsed.domain}"
    return Correspondent(key, texts.GHOST_UNVERIFIED + domain, verified=box is not None, label=str(parsed))


OPERATOR = Correspondent("operator", texts.GHOST_OPERATOR, verified=True, label="Opérateur MSSanté")
"""Who brings reports about mails we don't know."""


def opaque(secret: bytes, use: str, value: str) -> str:
    """16 characters that tell nothing of `value` and always are the same for it."""
    digest = hmac.new(secret, f"{use}|{value}".encode(), hashlib.sha256).digest()[:10]
    return base64.b32encode(digest).decode().lower()


class Ghosts:
    """Correspondents' accounts. Losing the table changes no ghost: its name on the server follows from the secret."""

    def __init__(
        self, db: Database, accounts: Accounts, admin: SynapseAdmin, secret: bytes, named: Callable[[str], UserId]
    ) -> None:
        """`named` makes a ghost's user id from its opaque name."""
        self._db = db
        self._accounts = accounts
        self._admin = admin
        self._secret = secret
        self._named = named

    def user_of(self, who: Correspondent) -> UserId:
        """The Matrix account of a correspondent."""
        return self._named(opaque(self._secret, "ghost", who.key))

    async def ensure(self, who: Correspondent) -> Account:
        """The correspondent's account, under the name of today. Raises HomeUnavailable, HomeRefused."""
        user = self.user_of(who)
        account = await self._accounts.get(user)
        key = opaque(self._secret, "key", who.key)
        shown = await self._db.fetchval("SELECT name FROM ghost WHERE key = $1", key)
        if shown != who.name:
            await self._admin.set_display_name(user, who.name)
            await self._db.execute(
                "INSERT INTO ghost (key, user_id, name) VALUES ($1, $2, $3) "
                "ON CONFLICT (key) DO UPDATE SET name = excluded.name",
                key,
                user,
                who.name,
            )
        return account
