"""What @annuaire does for each of its commands. Names, rights and parsing stand in `colloque.commands`."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.attestation import Kind
from colloque.bot import Handler, Reply
from colloque.clock import PARIS, Clock
from colloque.commands import Call, Right, commands_for, digits, fold
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, NotFound
from colloque.identity import Rpps
from colloque.matrix.home import Incoming
from colloque.rights import Rights
from colloque.rooms.mark import RoomKind
from colloque.store.rooms import Rooms
from colloque_annuaire.directory.upkeep import Upkeep
from colloque_annuaire.finding.desk import Desk
from colloque_annuaire.proving.proving import Proving
from colloque_annuaire.rules.enrol import CODE_DIGITS
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import proof as texts_proof

RPPS_DIGITS = 11
_BY_MAIL = frozenset({"boite", "code", "mail", "mailbox", "mssante"})
_BY_COLLEAGUES = frozenset({"garant", "garante", "garants", "garantes", "vouch", "vouchers"})


class Commands:
    """One method a command."""

    def __init__(
        self,
        *,
        config: Config,
        proving: Proving,
        people: People,
        rights: Rights,
        directory: Directory,
        rooms: Rooms,
        clock: Clock,
        desk: Desk,
        upkeep: Upkeep,
        more: Mapping[str, Handler],
    ) -> None:
        """`more`: handlers that stand elsewhere, by command name."""
        self._config = config
        self._proving = proving
        self._people = people
        self._allowed = rights
        self._directory = directory
        self._rooms = rooms
        self._clock = clock
        self._desk = desk
        self._upkeep = upkeep
        self._more = more

    @property
    def table(self) -> Mapping[str, Handler]:
        """By command name."""
        return {
            **self._more,
            "aide": self.help,
            "inscription": self.enrol,
            "code": self.code,
            "exercice": self.exercise,
            "demenager": self.move,
            "chercher": self.search,
            "suite": self.more,
            "qui": self.who,
            "contacter": self.contact,
            "etat": self.state,
            "annuaire confirmer": self.confirm,
        }

    async def help(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """What this person can type in this room."""
        verified = self._allowed.is_verified(message.sender)
        admin = await self._rooms.by_room(message.room)
        kind = admin.kind if admin is not None else RoomKind.HOME
        administers = self._allowed.administers(message.sender)
        rights = {Right.ATTESTED} if verified else set()
        if administers:
            rights.add(Right.ADMIN)
        held = await self._people.attestation_of(message.sender)
        under = held.name if verified and held is not None and held.kind is Kind.SUPERVISED else ""
        shown = commands_for(rights, kind)
        await reply(texts.help_text(shown, verified=verified or administers, under=under))

    async def enrol(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!inscription RPPS [n° de boîte | garants]`."""
        if not call.words:
            await reply(texts.NO_RPPS)
            return
        number, choice = _number_and_choice(call.words)
        try:
            rpps = Rpps.parse(number, test=self._config.test)
        except BadIdentifier:
            await reply(texts.BAD_RPPS)
            return
        try:
            self._directory.freshness()
        except NotFound:
            await reply(texts.DIRECTORY_EMPTY)
            return
        if any(fold(word) in _BY_COLLEAGUES for word in call.words):
            await reply(await self._proving.enrolment.claim(message.sender, rpps, message.event))
            return
        by_mail = choice is not None or any(fold(word) in _BY_MAIL for word in call.words)
        await reply(await self._proving.ask(message.sender, rpps, message.event, choice, by_mail=by_mail))

    async def code(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!code 123456`."""
        typed = _digits_of(call)
        if len(typed) != CODE_DIGITS:
            await reply(texts.BAD_CODE)
            return
        await reply(await self._proving.enrolment.answer(message.sender, typed, message.event))

    async def exercise(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!exercice N`."""
        typed = _digits_of(call)
        said = await self._proving.attesting.choose(message.sender, int(typed[:3] or 0))
        await reply(said or texts_proof.NOTHING_ASKED)

    async def move(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!demenager`."""
        await reply(await self._proving.attesting.move(message.sender) or texts_proof.NOTHING_TO_MOVE)

    async def search(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!chercher WORDS…`."""
        await self._desk.finding.search(call, message, reply)

    async def more(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!suite`."""
        await self._desk.finding.more(call, message, reply)

    async def who(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!qui ACCOUNT | ADDRESS | NUMBER | RESULT`."""
        await self._desk.finding.who(call, message, reply)

    async def contact(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!contacter N [oui]`."""
        await self._desk.contacting.contact(call, message, reply)

    async def confirm(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!annuaire confirmer` in the admin room."""
        await self._upkeep.confirm(call, message, reply)

    async def state(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!etat` in the admin room."""
        told = await self._upkeep.told()
        fresh = self._upkeep.watch.fresh
        if fresh is None:
            await reply(told)
            return
        _, attestations = await self._people.all_attestations()
        now = self._clock.now()
        counts = texts.state(
            people=fresh.people,
            mailboxes=fresh.mailboxes,
            made_at=f"{fresh.made_at.astimezone(PARIS):%d/%m/%Y %H:%M}",
            attested_count=sum(a.is_valid(now) for a in attestations),
            homes=len(await self._rooms.all(RoomKind.HOME)),
        )
        await reply(f"{counts}\n{told}")


def _digits_of(call: Call) -> str:
    """A code as typed, grouped, quoted or said in words; empty when it is none."""
    return digits(" ".join(call.words)) or ""


def _number_and_choice(words: tuple[str, ...]) -> tuple[str, int | None]:
    """An RPPS typed in groups ("1 0000 00000 0"), and the mailbox number that may follow it."""
    number = ""
    for word in words:
        if not any(char.isdecimal() for char in word):
            continue
        if len(number) >= RPPS_DIGITS:
            return number, int(word) if word.isascii() and word.isdecimal() else None
        number += word
    return number, None
