"""Correspondents: whoever is at the other end of mail, as one Matrix account ("ghost") each.

A person is one ghost whatever the address, and stays the same one when their national number changes from ADELI to
RPPS; an organisation's mailbox is one, and so is an address that nobody lists. A ghost's name comes from the directory
alone. Names of Matrix accounts and rooms are public on the server: they never
hold anything of a patient, nor the local part of an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

from mautrix.util.async_db import Database

from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, NotFound, Temporary
from colloque.identity import Adeli, MssanteAddress, Rpps, UserId, contains_ins
from colloque.matrix.admin import SynapseAdmin
from colloque.professional import Mailbox, MailboxKind, Professional
from colloque_mssante.people.crypto import Account, Accounts
from colloque_mssante.texts import mails as texts


@dataclass(frozen=True, slots=True)
class Correspondent:
    """One end of mail. `key` says who it is and stays inside this process; `name` is shown to everybody."""

    key: str
    name: str
    verified: bool
    """True when the directory lists the address."""
    label: str
    """How mails name them, inside encrypted events only."""
    patient: bool = False
    """It is a patient's own mailbox: its room says so, and holds nobody else."""
    others: tuple[str, ...] = ()
    """The keys of somebody who had several national numbers: theirs is the one they were first known by, else `key`."""

    @property
    def warning(self) -> str:
        """What is said above their mails, where the directory does not list them."""
        return "" if self.verified else texts.FROM_PATIENT if self.patient else texts.FROM_UNVERIFIED


def correspondent(address: str, directory: Directory) -> Correspondent:
    """Who writes from `address`, as the directory knows it. Display names of mails prove nothing and are not asked.

    Raises Temporary while no directory was imported.
    """
    if not address:
        return Correspondent("nobody", texts.GHOST_UNVERIFIED, verified=False, label="(adresse illisible)")
    try:
        parsed = MssanteAddress.parse(address)
    except BadIdentifier:
        return Correspondent(f"address:{address}", texts.GHOST_UNVERIFIED, verified=False, label=address)
    try:
        box = directory.by_mssante(parsed)
        person = _owner(box, directory)
    except NotFound:
        raise Temporary("the directory was not imported yet") from None
    if person is not None:
        keys = keys_of(person)
        before = [key for key in keys if key.startswith("adeli:")]
        return Correspondent(
            (before or keys)[0],
            person.display_name + texts.GHOST_SUFFIX,
            verified=True,
            label=f"{person.full_name} <{parsed}>",
            others=keys if before else (),
        )
    key = f"address:{parsed}"
    if parsed.is_patient:
        return Correspondent(key, texts.GHOST_PATIENT, verified=False, label=str(parsed), patient=True)
    if box is not None and box.structure:
        label = f"{box.structure} <{parsed}>"
        return Correspondent(key, box.structure + texts.GHOST_SUFFIX, verified=True, label=label)
    domain = "" if contains_ins(parsed.domain) else f" · {parsed.domain}"
    return Correspondent(key, texts.GHOST_UNVERIFIED + domain, verified=box is not None, label=str(parsed))


def still_of(who: str, address: MssanteAddress, directory: Directory) -> bool:
    """Whether the directory gives an address to the correspondent of that key today, whatever their numbers.

    Raises as `correspondent`.
    """
    now = correspondent(address.value, directory)
    if who in (now.key, *now.others):
        return True
    kind, _, number = who.partition(":")
    if kind not in {"rpps", "adeli"}:
        return False
    person = directory.by_rpps(Rpps(number)) if kind == "rpps" else directory.by_adeli(Adeli(number))
    boxes = person.mailboxes if person is not None else ()
    # Of a person's own two people may claim one; what is listed as a practice's is nobody's alone.
    return any(box.address == address and box.kind is not MailboxKind.PER for box in boxes)


def keys_of(person: Professional) -> tuple[str, ...]:
    """Every key under which somebody may be known as a correspondent: their number of today, then their former ones."""
    today = [f"rpps:{person.rpps.value}"] if person.rpps else []
    before = [f"adeli:{number.value}" for number in dict.fromkeys((person.adeli, *person.former)) if number]
    return (*today, *before)


def _owner(box: Mailbox | None, directory: Directory) -> Professional | None:
    """Whose own mailbox it is; None for an organisation's, and for one that two people claim."""
    if box is None or box.kind is not MailboxKind.PER:
        return None
    if box.rpps is not None:
        return directory.by_rpps(box.rpps)
    return directory.by_adeli(box.adeli) if box.adeli is not None else None


def operator(address: str) -> Correspondent:
    """Who brings reports about mails we don't know. The address they name proves nothing: it is shown."""
    label = f"{texts.GHOST_OPERATOR} <{address}>" if address else f"{texts.GHOST_OPERATOR} (adresse illisible)"
    return Correspondent("operator", texts.GHOST_OPERATOR, verified=True, label=label)


def opaque(secret: bytes, use: str, value: str) -> str:
    """16 characters that tell nothing of `value` and always are the same for it."""
    digest = hmac.new(secret, f"{use}|{value}".encode(), hashlib.sha256).digest()[:10]
    return base64.b32encode(digest).decode().lower()


class Ghosts:
    """Correspondents' accounts. Losing the table changes no ghost: its name on the server follows from the secret.

    One exception: whoever is known by more numbers than at first (an RPPS whose former ADELI number is told later, a
    second ADELI number) keeps their ghost because the table remembers it.
    """

    def __init__(
        self, db: Database, accounts: Accounts, admin: SynapseAdmin, secret: bytes, named: Callable[[str], UserId]
    ) -> None:
        """`named` makes a ghost's user id from its opaque name."""
        self._db = db
        self._accounts = accounts
        self._admin = admin
        self._secret = secret
        self._named = named

    async def settled(self, who: Correspondent) -> Correspondent:
        """The correspondent under the one key that is theirs: the number they were first known by.

        A ghost that exists never changes, whatever the directory learns of former numbers; without one it is `key`,
        which is the same before and after somebody's only ADELI number becomes an RPPS.
        """
        for key in who.others:
            if await self._shown(key) is not None:
                return replace(who, key=key, others=())
        return replace(who, others=())

    def user_of(self, who: Correspondent) -> UserId:
        """The Matrix account of a correspondent."""
        return self._named(opaque(self._secret, "ghost", who.key))

    async def ensure(self, who: Correspondent) -> Account:
        """The correspondent's account, under the name of today. Raises HomeUnavailable, HomeRefused."""
        user = self.user_of(who)
        account = await self._accounts.get(user)
        if await self._shown(who.key) != who.name:
            await self._admin.set_display_name(user, who.name)
            await self._db.execute(
                "INSERT INTO ghost (key, user_id, name) VALUES ($1, $2, $3) "
                "ON CONFLICT (key) DO UPDATE SET name = excluded.name",
                opaque(self._secret, "key", who.key),
                user,
                who.name,
            )
        return account

    async def _shown(self, key: str) -> str | None:
        """The name that the homeserver shows for the ghost of that key; None when there is no such ghost yet."""
        name: str | None = await self._db.fetchval(
            "SELECT name FROM ghost WHERE key = $1", opaque(self._secret, "key", key)
        )
        return name
