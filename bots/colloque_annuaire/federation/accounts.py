"""One professional, one account in the whole federation: who asks whom, and how an account moves.

A question holds no RPPS number but its HMAC, under a key that the two servers derive from their listed keys (X25519),
the direction and the day, and never send. So what proxies, logs or a thief of either may keep of a question can't be
searched for the number behind it, nor compared with another day's or another pair's. The server asked is not kept from
learning whom the question is about: it can try every number of the public directory. It learns that this professional
enrols at the other server, no more; the server that asks learns yes or no, and never which account.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from colloque.attestation import Kind
from colloque.clock import Clock
from colloque.errors import BadInput, ColloqueError, NotFound, Refused, Temporary
from colloque.federation.ed25519 import PrivateKey
from colloque.federation.http_client import Peers
from colloque.federation.keeper import Keeper
from colloque.identity import Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.policy.exchange import Signer
from colloque.policy.federation import Entry, Use
from colloque.store.journal import Journal
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.people import People

log = logging.getLogger(__name__)

ASK_WITHIN_S = 15.0
"""How long an enrolment waits for all other servers together."""
AT_ONCE = 8


def account_key(shared: bytes, asker: str, asked: str, day: date) -> bytes:
    """The key of one pair's one day, one way."""
    label = f"fr.colloque.account v1\0{asker}\0{asked}\0{day.isoformat()}".encode()
    return hmac.new(shared, label, hashlib.sha256).digest()


def account_digest(key: bytes, rpps: Rpps) -> str:
    """What stands for the number in a question."""
    return hmac.new(key, rpps.value.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the other servers said."""

    holders: tuple[Entry, ...]
    """Where the professional has an account."""
    silent: tuple[Entry, ...]
    """Who did not answer in time."""


class Accounts:
    """One instance a service."""

    def __init__(
        self,
        *,
        us: Signer,
        key: PrivateKey,
        keeper: Keeper,
        peers: Peers,
        crossing: Crossing,
        own: OwnAbroad,
        people: People,
        journal: Journal,
        clock: Clock,
        closed: Callable[[UserId, str], Awaitable[None]],
    ) -> None:
        """`closed(user, organisation)` tells whom it concerns that an account of ours moved there."""
        self._us = us
        self._key = key
        self._keeper = keeper
        self._peers = peers
        self._crossing = crossing
        self._own = own
        self._people = people
        self._journal = journal
        self._clock = clock
        self._closed = closed

    async def settle(self) -> None:
        """At start: end the journal's moves that a crash cut short; who asked for one asks again."""
        for intent in self._journal.open_intents():
            if intent.kind in {"person.move", "person.move_here"}:
                self._journal.end(intent.act, "interrupted")

    # what others ask

    async def holds(self, asker: str, day: date, *, asker_kid: str, asked_kid: str, digest: str) -> bool:
        """Whether one of our attested people is behind that digest. Raises BadInput on keys that are not listed."""
        theirs = self._keeper.key_of(asker, asker_kid)
        if theirs is None or asked_kid != self._us.kid:
            raise BadInput("the question is made with another key")
        key = account_key(self._key.shared(theirs), asker, self._us.server, day)
        _, attestations = await self._people.all_attestations()
        now = self._clock.now()
        numbers = [a.rpps for a in attestations if a.is_valid(now) and a.kind is Kind.PROFESSIONAL]
        return await asyncio.to_thread(_any, key, numbers, digest)

    async def moved_away(self, passport: str, server: str) -> UserId:
        """Close the account of somebody who has proved themselves at `server`; that account, told there.

        Raises NotFound when nobody here is that professional, and as `Crossing.check`.
        """
        checked = await self._crossing.check(passport, server, moving=True)
        user = await self._people.holder_of(checked.passport.rpps)
        held = await self._people.attestation_of(user) if user is not None else None
        if user is None or held is None or not held.is_valid(self._clock.now()):
            # Also when a crash cut the move short after it was done: asked again, it is done.
            await self._crossing.take(checked)
            raise NotFound("nobody here is that professional")
        act = self._journal.begin("person.move", actor=user, ref=digest(checked.passport.user))
        await self._own.close_own(user)
        await self._crossing.take(checked)
        entry = self._keeper.entry(server)
        await self._closed(user, entry.organisation if entry is not None else server)
        self._journal.end(act, "closed")
        return user

    # what we ask

    async def elsewhere(self, rpps: Rpps, only: Collection[str] | None = None) -> Elsewhere:
        """Ask every other server at once, or `only` these, whether that professional has an account there.

        Never raises. Servers that are no longer listed are not asked.
        """
        listed = self._keeper.current
        others = [e for e in listed.servers.values() if e.server != self._us.server] if listed is not None else []
        if only is not None:
            others = [e for e in others if e.server in only]
        slots = asyncio.Semaphore(AT_ONCE)
        answers: dict[str, bool] = {}

        async def ask(peer: Entry) -> None:
            async with slots:
                try:
                    answers[peer.server] = await self._held_at(peer, rpps)
                except ColloqueError as error:
                    log_event(log, "federation.account_unasked", server=peer.server, code=error.code)

        tasks = [asyncio.create_task(ask(peer)) for peer in others]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=ASK_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Elsewhere(
            holders=tuple(e for e in others if answers.get(e.server)),
            silent=tuple(e for e in others if e.server not in answers),
        )

    async def _held_at(self, peer: Entry, rpps: Rpps) -> bool:
        now = self._clock.now()
        theirs = next((k for k in peer.keys if k.use is Use.ATTESTATION and k.not_before <= now < k.not_after), None)
        if theirs is None:
            raise Temporary("the other server has no key today")
        key = account_key(self._key.shared(theirs.key), self._us.server, peer.server, now.date())
        told = await self._peers.ask(
            peer,
            "account",
            {
                "day": now.date().isoformat(),
                "asker_kid": self._us.kid,
                "asked_kid": theirs.kid,
                "digest": account_digest(key, rpps),
            },
        )
        return told.get("account") is True

    async def move_here(self, user: UserId, peer: Entry) -> None:
        """Have the account that the same professional has at `peer` closed: `user` is theirs from now on.

        The person must be attested here already. Raises Temporary, Refused, BadInput; asked again it goes on: the other
        side having closed the account already is no error.
        """
        passport = await self._crossing.present(user, peer.server)
        act = self._journal.begin("person.move_here", actor=user, ref=digest(f"{user} {peer.server}"))
        try:
            await self._peers.ask(peer, "move", {"attestation": passport})
            outcome = "moved"
        except NotFound:
            outcome = "nothing_there"
        except ColloqueError as error:
            self._journal.end(act, error.reason if isinstance(error, Refused) else error.code)
            raise
        self._journal.end(act, outcome)


def _any(key: bytes, numbers: Sequence[Rpps], wanted: str) -> bool:
    return any(hmac.compare_digest(account_digest(key, rpps), wanted) for rpps in numbers)
