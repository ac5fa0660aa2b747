"""`!equipe` for administrators, `!absence` for whoever shares a mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock, start_of_day_in_paris
from colloque.commands import Call
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, NotFound, Temporary
from colloque.identity import MssanteAddress, Rpps, UserId, digest, parse_user_id, server_of
from colloque.matrix.home import Incoming
from colloque.numbers import day_in_paris
from colloque.rights import Rights
from colloque.sockets import Client
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.access.authors import SHARABLE, Authors
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.notices import Notices
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.absences import Absence, Absences
from colloque_mssante.texts import teams as texts

_LONGEST = timedelta(days=190)
"""How long somebody may be replaced for."""


class TeamCommands:
    """Handlers by command name. `annuaire` knows what the numbers of `!chercher` mean."""

    def __init__(
        self,
        *,
        teams: Teams,
        absences: Absences,
        authors: Authors,
        book: AttestationBook,
        directory: Directory,
        credentials: Credentials,
        rights: Rights,
        annuaire: Client,
        notices: Notices,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._teams = teams
        self._absences = absences
        self._authors = authors
        self._book = book
        self._directory = directory
        self._credentials = credentials
        self._rights = rights
        self._annuaire = annuaire
        self._notices = notices
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self.table: Mapping[str, Handler] = {
            "equipe": self.show,
            "equipe ajouter": self.add,
            "equipe retirer": self.remove,
            "absence": self.away,
            "absence fin": self.back,
        }

    async def show(self, call: Call, _said: Incoming, reply: Reply) -> None:
        """`!equipe [adresse]`."""
        wanted = [word for word in call.rest.split() if "@" in word]
        found = [m for m in self._teams.mailboxes() if not wanted or m.value == wanted[0].casefold()]
        await reply("\n\n".join(self._team(mailbox) for mailbox in found) or texts.TEAM_NONE)

    async def add(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!equipe ajouter adresse @compte`."""
        asked = _mailbox_and_user(call.rest)
        if asked is None:
            await reply(texts.TEAM_HOW)
            return
        mailbox, user = asked
        try:
            box = self._directory.by_mssante(mailbox)
        except NotFound:
            await reply(texts.LATER)
            return
        if box is None or box.kind not in SHARABLE:
            await reply(texts.TEAM_NOT_SHARED)
        elif not self._may_join(user, said):
            await reply(texts.TEAM_NOT_VERIFIED)
        else:
            await self._teams.add(mailbox, user)
            self._journal.note("team.added", actor=said.sender, ref=digest(f"{mailbox} {user}"))
            words = [texts.added(mailbox.value, user)]
            await reply("\n".join([*words, *([] if self._credentials.of(mailbox) else [texts.NO_CREDENTIAL])]))

    async def remove(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!equipe retirer adresse @compte`."""
        asked = _mailbox_and_user(call.rest)
        if asked is None:
            await reply(texts.TEAM_HOW)
            return
        mailbox, user = asked
        if not await self._teams.remove(mailbox, user):
            await reply(texts.TEAM_NOT_IN)
            return
        self._journal.note("team.removed", actor=said.sender, ref=digest(f"{mailbox} {user}"))
        await reply(texts.removed(mailbox.value, user, last=not self._teams.listed(mailbox)))

    async def away(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!absence <jour> <numéro|@compte>`: the day named is the last one."""
        *day, whom = call.rest.split() or [""]
        until = self._until(" ".join(day))
        if until is None:
            await reply(texts.AWAY_HOW)
            return
        try:
            by = await self._account(whom, said.sender)
        except (NotFound, Temporary):
            await reply(texts.LATER)
            return
        if by is None or not self._may_join(by, said):
            await reply(texts.AWAY_UNVERIFIED)
        elif by == said.sender:
            await reply(texts.AWAY_SELF)
        else:
            mailboxes = await self._teams.replace(said.sender, by, until)
            await self._absences.put(Absence(said.sender, by, until))
            self._journal.note("team.away", actor=said.sender, ref=digest(f"{said.sender} {by}"))
            names, absent = [m.value for m in mailboxes], self._authors.name(said.sender)
            await self._notices.add(f"stands-in-{digest(said.event)}", by, texts.stands_in(absent, until, names))
            told = f"mssante.away.{digest(said.event)}"
            await self._incidents.open(told, texts.told_admins(said.sender, by, until, names))
            await self._incidents.close(told)  # told once: there is nothing to wait for
            await reply(texts.away(self._authors.name(by), until, names))

    async def back(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!absence fin`."""
        away = await self._absences.end(said.sender)
        if await self._teams.back(said.sender) or away:
            self._journal.note("team.back", actor=said.sender)
            await reply(texts.AWAY_BACK)
        else:
            await reply(texts.AWAY_NOBODY)

    def _may_join(self, user: UserId, said: Incoming) -> bool:
        """Verified, and of this server: mail rooms are not shared with others."""
        return server_of(user) == server_of(said.sender) and self._rights.is_verified(user)

    def _team(self, mailbox: MssanteAddress) -> str:
        lines = [
            (m.user, m.stands_in or "", m.until, self._teams.has(mailbox, m.user)) for m in self._teams.listed(mailbox)
        ]
        words = texts.team(mailbox.value, lines)
        return words if self._credentials.of(mailbox) else f"{words}\n{texts.NO_CREDENTIAL}"

    def _until(self, day: str) -> datetime | None:
        """The end of the last day."""
        now = self._clock.now()
        # Today counts as well, as a date and in "3 jours".
        last = day_in_paris(day, start_of_day_in_paris(now) - timedelta(seconds=1), ahead=True) if day else None
        if last is None or not now - timedelta(days=1) <= last <= now + _LONGEST:
            return None
        return start_of_day_in_paris(last + timedelta(hours=36))

    async def _account(self, whom: str, asker: UserId) -> UserId | None:
        if whom.isdecimal() and len(whom) < 5:
            found = await self._annuaire.call("result", user=asker, n=int(whom))
            rpps = found.get("rpps")
            held = self._book.of_rpps(Rpps(rpps), self._clock.now()) if isinstance(rpps, str) else None
            return held.user if held is not None else None
        try:
            return parse_user_id(whom)
        except BadIdentifier:
            return None


def _mailbox_and_user(rest: str) -> tuple[MssanteAddress, UserId] | None:
    words = rest.split()
    if len(words) != 2:
        return None
    try:
        return MssanteAddress.parse(words[0]), parse_user_id(words[1])
    except BadIdentifier:
        return None
