"""Where a message of a mail room may go: found from what it answers, or listed for its writer to choose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from colloque.clock import Clock
from colloque.errors import Refused, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Party
from colloque.taps import NUMBERS
from colloque_mssante.access.authors import Authors
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import targets
from colloque_mssante.mapping.drafts import Draft, Option
from colloque_mssante.mapping.targets import Target, Whitelisted, shown
from colloque_mssante.mapping.threads import Thread, Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.rules.crowds import CROWDS, from_one
from colloque_mssante.rules.sends import Send
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import documents as texts_documents
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as texts_writing

OPEN_FOR = timedelta(days=90)
"""A thread in which nothing was said for that long is no longer proposed; answering its mails still works."""
_THREADS = 5
_EVERYONE = 50
"""An answer to more could not be listed whole, and so not be confirmed."""


class WhereTo:
    """One instance a process. `named`, `options`, `pairs` and `everyone` raise Refused with words for the writer.

    In a room that both ends of mail share, one mail is received for the one and sent for the other.
    """

    def __init__(
        self,
        *,
        conversations: Conversations,
        composer: Composer,
        authors: Authors,
        mails: Mails,
        outbox: Outbox,
        threads: Threads,
        whitelisted: Whitelisted,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._composer = composer
        self._authors = authors
        self._mails = mails
        self._outbox = outbox
        self._threads = threads
        self._whitelisted = whitelisted
        self._clock = clock

    async def named(self, room: RoomId, user: UserId, answers: EventId | None, root: EventId | None) -> Target:
        """Where a message of `user` goes that answers an event, or stands in the Matrix thread of `root`."""
        if answers is not None:
            return await self._answer(room, user, answers)
        thread = await self._threads.of_root(root) if root is not None else None
        if thread is None:
            return await self._answer(room, user, root)  # a Matrix thread that somebody began under a single mail
        return await self._in_thread(room, user, thread)

    async def _answer(self, room: RoomId, user: UserId, event: EventId | None) -> Target:
        mail = await self._mails.shown_by(event) if event is not None else None
        if mail is not None and mail.room == room and mail.came_to(user):
            return targets.answer(mail, self._whitelisted)
        send = await self._outbox.of_event(event) if event is not None else None
        if send is not None and send.room == room and (found := self._after(send, user)) is not None:
            return found
        if mail is not None and mail.room == room:
            return targets.after_own(mail)
        if await self._mails.arriving(room):
            raise Temporary("what it answers is still being shown")
        raise Refused("not_its_mail", texts.NOT_ITS_MAIL)

    async def _in_thread(self, room: RoomId, user: UserId, thread: Thread) -> Target:
        if thread.room != room:
            raise Refused("not_its_mail", texts.NOT_ITS_MAIL)
        here = await self._conversations.of(room, user)
        if here is None or here.who in CROWDS:  # of several, the newest may be whoever named the other's mail
            authors = await self._threads.authors(thread)
            if authors and not from_one(authors):
                raise Refused("documents_room", texts_documents.ANSWER_ONE)
        mail = await self._mails.last_of(thread.id, user)
        if mail is not None and mail.came_to(user):
            return targets.answer(mail, self._whitelisted)
        send = await self._outbox.last_in(thread.id)
        if send is not None and (found := self._after(send, user)) is not None:
            return found
        if mail is not None:
            return targets.after_own(mail)
        raise Refused("not_its_mail", texts.NOT_ITS_MAIL)

    def _after(self, send: Send, user: UserId) -> Target | None:
        """One more mail after one of ours, or an answer to the other's; None where that is nothing to answer."""
        before = Target.load(send.target)
        if before is None:
            return None
        if not self._is_anothers(send, user):
            if before.everyone:
                raise Refused("own_to_all", texts_writing.OWN_TO_ALL)
            return self.after(before, send)
        mine = next((a for a in self._authors.mailboxes(user) if a.value in send.recipients), None)
        return targets.answer_to_ours(before, send.message_id, send.thread, mine) if mine is not None else None

    def _is_anothers(self, send: Send, user: UserId) -> bool:
        """True for what the other of two people wrote; colleagues of a team answer for each other."""
        return send.owner != user and not self._authors.shares(user, send.sender)

    def after(self, before: Target, send: Send) -> Target:
        """One more mail after one of ours, to the same people."""
        return targets.follow(before, send.message_id, send.thread)

    async def everyone(self, room: RoomId, user: UserId, event: EventId) -> Target:
        """An answer of `user` to all who got the mail that an event shows."""
        await self._mails.linked(room, event)
        mail = await self._mails.shown_by(event)
        if mail is None or mail.room != room or not mail.came_to(user):
            raise Refused("not_a_mail", texts_writing.NOT_IN_A_MAIL)
        target = targets.answer_all(mail, self._whitelisted)
        if len(target.recipients) < 2:
            raise Refused("nobody_else", texts_writing.NOBODY_ELSE)
        if len(target.recipients) > _EVERYONE:
            raise Refused("too_many", texts_writing.TOO_MANY)
        return target

    async def options(self, room: RoomId, owner: UserId, live: Sequence[Draft]) -> tuple[Option, ...]:
        """What a message that names nothing may be: part of a draft, an answer in a thread, or a new mail."""
        if await self._conversations.of(room, owner) is None:
            raise Refused("documents_room", texts_documents.ANSWER_ONE)  # many senders stand there
        found = [
            Option(texts_writing.option_join([shown(p) for p in d.target.recipients]), join=d.id)
            for d in live
            if d.state == states.WAITING and d.target is not None
        ][:2]
        for thread in await self._threads.recent(room, self._clock.now() - OPEN_FOR, _THREADS):
            try:
                target = await self._in_thread(room, owner, thread)
                self._composer.check(owner, target)
            except Refused:
                continue  # it can't be answered: it is no choice
            found.append(Option(texts_writing.option_thread(thread.number, thread.subject, thread.last_at), target))
        pairs = await self.pairs(room, owner)
        if len(pairs) == 1:
            found.append(Option(texts_writing.OPTION_NEW, pairs[0].target))
        elif pairs:
            found.append(Option(texts_writing.OPTION_NEW))
        return tuple(found)

    async def pairs(self, room: RoomId, owner: UserId, to: str = "") -> tuple[Option, ...]:
        """The addresses that a new mail may go from and to; one pair when its writer chose before.

        `to`: the one address its writer named; no other is proposed then.
        """
        conversation = await self._conversations.of(room, owner)
        if conversation is None:
            return ()
        mine = (conversation.team,) if conversation.team else self._authors.mailboxes(owner)
        theirs = self._conversations.addresses(conversation)
        if to:
            theirs = [p for p in theirs if p.address == to] or [Party("", to)]
        found = [self._pair(sender, party) for sender in mine for party in theirs]
        chosen = (conversation.sender, conversation.recipient)
        return tuple([o for o in found if o.target and _ends(o.target) == chosen] or found[: len(NUMBERS)])

    async def remember(self, room: RoomId, user: UserId, target: Target) -> None:
        """The addresses of this room's new mails by `user`, from now on."""
        await self._conversations.remember(room, user, target.sender, target.to[0].address)

    def _pair(self, sender: MssanteAddress, party: Party) -> Option:
        target = Target(sender=sender, to=(party,), listed=bool(party.name))
        return Option(texts_writing.option_pair(sender.value, shown(party)), target, remember=True)


def _ends(target: Target) -> tuple[str, str]:
    return target.sender.value, target.to[0].address
