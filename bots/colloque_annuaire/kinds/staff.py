"""Administrators: the first two by the operator's hand, the others by two of them. They are in no patient room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.attestation import NO_RPPS, Attestation, Kind, Method
from colloque.audit import SYSTEM
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.calls import JsonDict
from colloque.clock import Clock, to_millis
from colloque.commands import Call, fold
from colloque.errors import BadIdentifier, BadInput, Refused
from colloque.identity import EventId, UserId, digest, parse_user_id
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque.policy.staff import VALID, NoStaff, may_confirm, may_remove, read_name, shown
from colloque.rights import Rights
from colloque.sockets import Verb
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.coming_in import ComingIn
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.rules.results import says_yes
from colloque_annuaire.store.people import People
from colloque_annuaire.store.staff import StaffRows
from colloque_annuaire.texts import staff as texts

LINK_LIFE = timedelta(hours=24)
EXISTS, UNKNOWN = "admin.exists", "admin.unknown"
"""Reasons: there are administrators already; that account does not administer."""
_FIRST = 2
_ADD, _REMOVE = "staff.add", "staff.remove"


@dataclass(frozen=True, slots=True)
class Around:
    """What the making of administrators stands on."""

    people: People
    coming_in: ComingIn
    closing: Closing
    publication: Publication
    homes: Homes
    book: AttestationBook
    rights: Rights
    incidents: Incidents
    journal: Journal
    clock: Clock


class Staff:
    """One instance a service; one change at a time, so that two can't remove each other."""

    def __init__(self, around: Around, rows: StaffRows) -> None:
        self._at = around
        self._rows = rows
        self._lock = asyncio.Lock()

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {
            "administrateurs": self.show,
            "administrateur ajouter": self.add,
            "administrateur retirer": self.remove,
        }

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """What the `colloque` command may ask."""
        return {"admin_bootstrap": self.bootstrap, "admin_access": self.access, "admin_list": self.listed}

    async def bootstrap(self, names: object) -> JsonDict:
        """The first two. Asked again with the same names after a failure, it goes on.

        Raises Refused (`admin.exists`), BadInput, Temporary.
        """
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadInput("names: a list")
        parsed = [read_name(name) for name in names]
        keys = [_key(*each) for each in parsed]
        if len(set(keys)) != _FIRST or len(keys) != _FIRST:
            raise BadInput("two administrators are made, of two names")
        async with self._lock:
            first = await self._rows.first()
            if first is not None and (first.done or list(first.names) != keys):
                raise Refused(EXISTS, "the first administrators were made, or begun, before")
            if first is None and self._at.rights.administrators():
                raise Refused(EXISTS, "there are administrators already; they add others in their room")
            await self._rows.begin_first(keys)
            made = []
            for (given, family), key in zip(parsed, keys, strict=True):
                user = await self._make(given, family, EventId(f"staff-first-{digest(key)}"), by=SYSTEM)
                made.append({"user": user, **await self._way_in(user)})
            await self._rows.first_done()
        return {"accounts": made}

    async def access(self, user: str) -> JsonDict:
        """A new way in for an administrator. Raises Refused (`admin.unknown`)."""
        try:
            known = parse_user_id(user)
        except BadIdentifier:
            known = UserId("")
        if not self._at.rights.administers(known):
            raise Refused(UNKNOWN, "that account does not administer")
        now = self._at.clock.now()
        self._at.journal.note("staff.access", actor=SYSTEM, ref=digest(known))
        key = f"admin.access.{digest(known)}.{to_millis(now)}"
        await self._at.incidents.open(key, texts.ACCESS_GIVEN)
        await self._at.incidents.close(key)
        return {"accounts": [{"user": known, **await self._way_in(known)}]}

    async def listed(self) -> JsonDict:
        """Who administers."""
        return {"accounts": [{"user": user, "name": name, "named": named} for user, name, named in self._all()]}

    async def show(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!administrateurs`."""
        await reply(texts.listing(self._all()))

    async def add(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!administrateur ajouter prenom.nom`; by a second one, with `oui`."""
        yes = bool(call.words) and says_yes(call.words[-1])
        try:
            given, family = read_name(" ".join(call.words[:-1] if yes else call.words))
        except BadInput:
            await reply(texts.WHO_TO_ADD)
            return
        async with self._lock:
            if yes:
                await reply(await self._confirm(given, family, message))
            elif any(fold(name) == fold(shown(given, family)) for _, name, _ in self._all()):
                await reply(texts.may_not(NoStaff.ALREADY))
            else:
                await self._rows.ask(_key(given, family), message.sender, self._at.clock.now())
                self._at.journal.note("staff.asked", actor=message.sender)
                await reply(texts.asked(f"{given}.{family}" if " " not in family else f"{given} {family}"))

    async def _confirm(self, given: str, family: str, message: Incoming) -> str:
        key = _key(given, family)
        asked = await self._rows.asked(key)
        if asked is None or asked.event != message.event:
            used = asked is None or asked.event is not None
            no = may_confirm(None if used or asked is None else (asked.by, asked.at), message.sender, self._now())
            if no is not None:
                return texts.may_not(no)
            await self._rows.confirm(key, message.event)
        user = await self._make(given, family, EventId(f"staff-{message.event}"), by=message.sender)
        return texts.added(user, (await self._way_in(user, only_link=True)).get("link", ""))

    async def remove(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!administrateur retirer @account`."""
        try:
            user = parse_user_id(call.words[0] if call.words else "")
        except BadIdentifier:
            await reply(texts.WHO_TO_REMOVE)
            return
        async with self._lock:
            everybody = self._at.rights.administrators()
            no = may_remove(user, everybody, [each for each in everybody if self._at.rights.is_named(each)])
            if no is not None:
                await reply(texts.may_not(no))
                return
            act = self._at.journal.begin(_REMOVE, actor=message.sender, ref=digest(user))
            await self._at.closing.end(user, End.STAFF)
            self._at.journal.end(act, "removed")
        await reply(texts.removed(user))

    async def settle(self) -> None:
        """At start: what was interrupted is asked or heard again."""
        for intent in self._at.journal.open_intents():
            if intent.kind in {_ADD, _REMOVE}:
                self._at.journal.end(intent.act, "interrupted")

    async def _make(self, given: str, family: str, ref: EventId, *, by: str) -> UserId:
        """Account, attestation, room; whatever was done before stays."""
        name = shown(given, family)
        act = self._at.journal.begin(_ADD, actor=by, ref=digest(ref))
        user = await self._at.coming_in.accounts.of(f"staff {_key(given, family)}", given, family, name)
        await self._at.people.saw_account(user)
        if await self._at.people.attested_by_event(ref) is None:
            now = self._now()
            held = Attestation(user, NO_RPPS, name, Method.BOOTSTRAP, now, now + VALID, kind=Kind.STAFF)
            await self._at.people.attest(held, ref)
        await self._at.publication.snapshot()
        await self._at.publication.name(user)
        await self._at.homes.let_into_admin(user)
        self._at.journal.end(act, "added", user=digest(user))
        return user

    async def _way_in(self, user: UserId, *, only_link: bool = False) -> dict[str, str]:
        """A link that serves once; where there is no page, a password of ten minutes."""
        try:
            return {"link": await self._at.coming_in.link(user, LINK_LIFE)}
        except Refused:
            return {} if only_link else {"password": await self._at.coming_in.passes.make(user, self._now())}

    def _all(self) -> list[tuple[UserId, str, bool]]:
        rights, now = self._at.rights, self._now()
        found = []
        for user in sorted(rights.administrators()):
            held = self._at.book.of(user, now)
            found.append((user, held.name if held is not None else "", rights.is_named(user)))
        return found

    def _now(self) -> datetime:
        return self._at.clock.now()


def _key(given: str, family: str) -> str:
    """By which an administrator is known: their folded name."""
    return fold(f"{given}.{family}")
