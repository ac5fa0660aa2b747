"""`!ecrire`, `!transferer`, `!objet`, `!repondre-tous`: mails that answer none, their subject, answers to everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from colloque.bot import Handler, Reply
from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.commands import Call
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, NotFound, Refused, Temporary
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.mail.message import Party
from colloque.matrix.home import Incoming
from colloque.professional import Professional
from colloque.sockets import Client
from colloque_mssante.access.authors import Authors
from colloque_mssante.leaving.outbound import Outbound
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import showing
from colloque_mssante.mapping.drafts import Draft, Option
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Whitelisted, forward, listed_address
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import Ghosts, correspondent
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.originals import Originals
from colloque_mssante.texts import teams as texts_teams
from colloque_mssante.texts import writing as texts


class WritingCommands:
    """Handlers by command name. `annuaire` knows what the numbers of `!chercher` mean; `wake`: a draft changed."""

    def __init__(
        self,
        *,
        annuaire: Client,
        directory: Directory,
        whitelisted: Whitelisted,
        authors: Authors,
        teams: Teams,
        conversations: Conversations,
        ghosts: Ghosts,
        drafts: Drafts,
        mails: Mails,
        originals: Originals,
        where_to: WhereTo,
        outbound: Outbound,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._annuaire = annuaire
        self._directory = directory
        self._whitelisted = whitelisted
        self._authors = authors
        self._teams = teams
        self._conversations = conversations
        self._ghosts = ghosts
        self._drafts = drafts
        self._mails = mails
        self._originals = originals
        self._where_to = where_to
        self._outbound = outbound
        self._clock = clock
        self._wake = wake
        self.table: Mapping[str, Handler] = {
            "ecrire": self.write,
            "transferer": self.forward,
            "objet": self.subject,
            "repondre tous": self.answer_all,
            "sans reponse": self.last,
        }

    async def write(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!ecrire <adresse|numéro>`: the correspondent's room, with a draft in it."""
        try:
            address, homonyms = await self._address(call, said)
            team = await self._team(said)
            mine = (team,) if team else self._authors.mailboxes(said.sender)
            if not mine:
                raise Refused("no_mailbox", texts.WRITE_NO_MAILBOX)
            if address in mine:
                raise Refused("self", texts.WRITE_SELF)
        except Refused as refusal:
            await reply(str(refusal))
            return
        except (NotFound, Temporary):
            await reply(texts.WRITE_LATER)
            return
        who = await self._ghosts.settled(correspondent(address.value, self._directory))
        room, _ = await self._conversations.ensure(SHARED if team else said.sender, who, team=team)
        pairs = await self._where_to.pairs(room, said.sender, address.value if "@" in call.rest else "")
        await self._begin(replace(said, room=room), pairs, "")
        await reply(texts.opened(who.label, homonyms, f"https://matrix.to/#/{room}"))

    async def forward(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!transferer <adresse|numéro>`, as a reply to a mail: the correspondent's room, a draft in it."""
        if said.reply_to is not None:
            await self._mails.linked(said.room, said.reply_to)
        try:
            mail = await self._mails.shown_by(said.reply_to) if said.reply_to is not None else None
            if mail is None or mail.room != said.room or not mail.came_to(said.sender):
                raise Refused("what", texts.FORWARD_WHAT)
            address, homonyms = await self._address(call, said, how=texts.FORWARD_WHAT)
            self._authors.sender(said.sender, mail.mailbox)
            if address == mail.mailbox:
                raise Refused("self", texts.WRITE_SELF)
        except Refused as refusal:
            await reply(str(refusal))
            return
        except (NotFound, Temporary):
            await reply(texts.WRITE_LATER)
            return
        who = await self._ghosts.settled(correspondent(address.value, self._directory))
        team = mail.mailbox if mail.owner == SHARED else None
        room, _ = await self._conversations.ensure(mail.owner, who, team=team)
        target = forward(mail, Party("", address.value), listed=who.verified)
        async with self._drafts.whole():
            await self._begin(replace(said, room=room), (Option("", target),), "")
            await self._originals.ask(said.event, mail.id)
        await reply(texts.opened(who.label, homonyms, f"https://matrix.to/#/{room}"))

    async def subject(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!objet <texte>`: of the new mail that is being written, or of one that begins here."""
        title = " ".join(call.rest.split())
        if not title:
            await reply(texts.SUBJECT_HOW)
            return
        for draft in await self._drafts.live(said.room, said.sender):
            if draft.loose and (draft.target is None or not draft.target.thread):
                await self._drafts.change(draft, subject=title)
                self._wake()
                await reply(texts.SUBJECT_DONE)
                return
        try:
            pairs = await self._where_to.pairs(said.room, said.sender)
        except Refused as refusal:
            await reply(str(refusal))
            return
        if not pairs:
            await reply(texts.NO_ADDRESS)
            return
        await self._begin(said, pairs, title)

    async def last(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!sans-reponse`: of the mail to a patient that is being written."""
        for draft in await self._drafts.live(said.room, said.sender):
            if draft.target is not None and draft.target.to_patients:
                await self._drafts.change(draft, target=replace(draft.target, last=True))
                self._wake()
                await reply(texts.LAST_DONE)
                return
        await reply(texts.LAST_HOW)

    async def answer_all(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!repondre-tous`, as a reply to a mail."""
        if said.reply_to is None:
            await reply(texts.NOT_IN_A_MAIL)
            return
        try:
            await self._outbound.answer_all(said, said.reply_to)
        except Refused as refusal:
            await reply(str(refusal))

    async def _team(self, said: Incoming) -> MssanteAddress | None:
        """The shared mailbox that a mail is to leave from: the one whose room it is, or the only one they have."""
        here = await self._conversations.team_of(said.room)
        shared = self._teams.of(said.sender)
        if here in shared:
            return here
        if not shared or self._authors.mailboxes(said.sender):
            return None
        if len(shared) > 1:
            raise Refused("which_team", texts_teams.WRITE_WHERE)
        return shared[0]

    async def _begin(self, said: Incoming, pairs: tuple[Option, ...], title: str) -> None:
        """A draft without a word yet; with several addresses on either side it asks which, once."""
        only = pairs[0] if len(pairs) == 1 else None
        await self._drafts.begin(
            Draft(
                id=said.event,
                room=said.room,
                owner=said.sender,
                state=states.OPEN if only else states.ASKING,
                target=only.target if only else None,
                options=() if only else pairs,
                subject=title,
                loose=True,
                next_at=self._clock.now() + showing.PATIENCE,
            ),
            None,
        )
        self._wake()

    async def _address(self, call: Call, said: Incoming, *, how: str = texts.WRITE_HOW) -> tuple[MssanteAddress, int]:
        """An address of whoever is meant, and how many in the list bore their name. Raises Refused, Temporary."""
        if "@" in call.rest:
            try:
                address = MssanteAddress.parse(call.rest.strip(" <>.,;"))
            except BadIdentifier:
                raise Refused("how", how) from None
            if listed_address(address.value, self._whitelisted) is None:
                raise Refused("not_listed", texts.WRITE_NOT_LISTED)
            return address, 0
        if len(call.words) != 1 or not call.words[0].isdecimal():
            raise Refused("how", how)
        found = await self._annuaire.call("result", user=said.sender, n=int(call.words[0]))
        person = self._person(found)
        if person is None:
            raise Refused("unknown_result", texts.WRITE_UNKNOWN_RESULT)
        box = next((m for m in person.mailboxes if listed_address(m.address.value, self._whitelisted)), None)
        if box is None:
            raise Refused("no_address", texts.WRITE_NO_ADDRESS)
        return box.address, int(found["homonyms"])

    def _person(self, found: JsonDict) -> Professional | None:
        match found:
            case {"rpps": str(rpps)}:
                return self._directory.by_rpps(Rpps(rpps))
            case {"adeli": str(adeli)}:
                return self._directory.by_adeli(Adeli(adeli))
        return None
