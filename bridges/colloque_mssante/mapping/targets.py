"""Where a mail is to go: from which mailbox, to whom, in which thread. A wrong recipient is the worst harm there is.

An answer leaves from the address the mail came to and goes to its author alone; everything else is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from colloque.errors import BadIdentifier, Refused
from colloque.identity import MssanteAddress
from colloque.mail.message import Party
from colloque.mail.threading import forward_subject, reply_headers, reply_subject
from colloque_mssante.store.mails import StoredMail
from colloque_mssante.texts import mails as texts


@dataclass(frozen=True, slots=True)
class Target:
    """Everything about a mail but its words. Names in it come from mails or the directory; addresses decide."""

    sender: MssanteAddress
    to: tuple[Party, ...]
    cc: tuple[Party, ...] = ()
    thread: str = ""
    """Empty: it begins a thread of its own."""
    subject: str = field(default="", repr=False)
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    listed: bool = False
    """The directory listed its first recipient when it was chosen: the mail stops if it no longer does, or if it gives
    that address to somebody else."""
    who: str = field(default="", repr=False)
    """That recipient's key as a correspondent (`ghosts.Correspondent`); empty: whom its room is for."""
    everyone: bool = False
    """An answer to all who got a mail."""
    left_out: tuple[str, ...] = ()
    """Addresses of the answered mail that get nothing: they are not MSSanté's."""
    replaces: int = 0
    """When the mail that it replaces left, in milliseconds since the epoch; 0: it replaces none."""
    last: bool = False
    """The patient who gets it can't answer."""
    forwards: str = ""
    """The mail that goes with it (`mapping.mail_key`); empty: none."""

    @property
    def recipients(self) -> tuple[Party, ...]:
        """Whoever gets it."""
        return (*self.to, *self.cc)

    @property
    def to_patients(self) -> bool:
        """Patients get it, and nobody else."""
        return bool(self.recipients) and all(is_patient(party.address) for party in self.recipients)

    def goes_with(self, other: Target) -> bool:
        """Whether messages for both go into one mail: same ends, same thread."""
        return (self.sender, self.recipients, self.thread, self.everyone, self.replaces, self.forwards) == (
            other.sender,
            other.recipients,
            other.thread,
            other.everyone,
            other.replaces,
            other.forwards,
        )

    def dump(self) -> str:
        """As JSON, for the store."""
        return json.dumps(
            {
                "sender": self.sender.value,
                "to": [(p.name, p.address) for p in self.to],
                "cc": [(p.name, p.address) for p in self.cc],
                "thread": self.thread,
                "subject": self.subject,
                "in_reply_to": self.in_reply_to,
                "references": self.references,
                "listed": self.listed,
                "who": self.who,
                "everyone": self.everyone,
                "left_out": self.left_out,
                "replaces": self.replaces,
                "last": self.last,
                "forwards": self.forwards,
            }
        )

    @classmethod
    def load(cls, text: str) -> Target | None:
        """What `dump` wrote; None for the empty text."""
        if not text:
            return None
        raw: dict[str, Any] = json.loads(text)
        return cls(
            **raw
            | {
                "sender": MssanteAddress(raw["sender"]),
                "to": tuple(Party(*p) for p in raw["to"]),
                "cc": tuple(Party(*p) for p in raw["cc"]),
                "references": tuple(raw["references"]),
                "left_out": tuple(raw["left_out"]),
            }
        )


def shown(party: Party) -> str:
    """A name and an address, for encrypted events."""
    return f"{party.name} <{party.address}>" if party.name else party.address or "(adresse illisible)"


def is_patient(address: str) -> bool:
    """Whether a patient reads what is sent there."""
    try:
        return MssanteAddress.parse(address).is_patient
    except BadIdentifier:
        return False


Whitelisted = Callable[[str], bool]
"""Whether a domain belongs to MSSanté."""


def listed_address(address: str, whitelisted: Whitelisted) -> MssanteAddress | None:
    """The address when it is one of MSSanté's."""
    try:
        parsed = MssanteAddress.parse(address)
    except BadIdentifier:
        return None
    return parsed if whitelisted(parsed.domain) else None


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers to a mail go, and what must be said of it."""

    to: Party
    followed: bool = False
    """Its author asked for another address, which is one of MSSanté's: answers go there."""
    ignored: tuple[str, ...] = ()
    """Addresses that its author asked for and that are not followed."""


def answers_to(author: Party, reply_to: tuple[Party, ...], whitelisted: Whitelisted) -> Answers:
    """A Reply-To is followed only when it names one address, of MSSanté's."""
    others = tuple(dict.fromkeys(p.address for p in reply_to if p.address != author.address))
    if not others:
        return Answers(author)
    if len(others) == 1 and listed_address(others[0], whitelisted) is not None:
        return Answers(next(p for p in reply_to if p.address == others[0]), followed=True)
    return Answers(author, ignored=others)


def answer(mail: StoredMail, whitelisted: Whitelisted) -> Target:
    """An answer to one mail, to its author alone."""
    answers = answers_to(mail.author, mail.reply_to, whitelisted)
    in_reply_to, references = reply_headers(mail.message_id, mail.references)
    return Target(
        sender=mail.mailbox,
        to=(answers.to,),
        thread=mail.thread,
        subject=reply_subject(mail.subject),
        in_reply_to=in_reply_to,
        references=references,
        listed=mail.listed and not answers.followed,
        who="" if answers.followed else mail.who,
    )


def answer_all(mail: StoredMail, whitelisted: Whitelisted) -> Target:
    """An answer to everybody the mail names, its own mailbox apart, as far as they are MSSanté's."""
    one = answer(mail, whitelisted)
    seen = {mail.mailbox.value, one.to[0].address}
    lists: dict[str, list[Party]] = {"to": [*one.to], "cc": []}
    left_out: list[str] = []
    for use, parties in (("to", mail.to), ("cc", mail.cc)):
        for party in parties:
            if party.address in seen:
                continue
            seen.add(party.address)
            if listed_address(party.address, whitelisted) is None:
                left_out.append(party.address or party.name)
            else:
                lists[use].append(party)
    return Target(
        sender=one.sender,
        to=tuple(lists["to"]),
        cc=tuple(lists["cc"]),
        thread=one.thread,
        subject=one.subject,
        in_reply_to=one.in_reply_to,
        references=one.references,
        listed=one.listed,
        who=one.who,
        everyone=True,
        left_out=tuple(left_out),
    )


def after_own(mail: StoredMail) -> Target:
    """One more mail after one that its writer sent from elsewhere, and that stands here as the other got it."""
    in_reply_to, references = reply_headers(mail.message_id, mail.references)
    sender = listed_address(mail.author.address, lambda _domain: True)
    if sender is None:
        raise Refused("no_author", texts.NO_AUTHOR)
    return Target(
        sender=sender,
        to=(Party("", mail.mailbox.value),),
        thread=mail.thread,
        subject=reply_subject(mail.subject),
        in_reply_to=in_reply_to,
        references=references,
        listed=True,
    )


def answer_to_ours(sent: Target, message_id: str, thread: str, mine: MssanteAddress) -> Target:
    """An answer to a mail that left from here, to its sender alone, by whoever got it at `mine`."""
    in_reply_to, references = reply_headers(message_id, sent.references)
    return Target(
        sender=mine,
        to=(Party("", sent.sender.value),),
        thread=thread,
        subject=reply_subject(sent.subject),
        in_reply_to=in_reply_to,
        references=references,
        listed=True,
    )


def forward(mail: StoredMail, to: Party, *, listed: bool) -> Target:
    """A new mail that takes another one along, from the address that got it."""
    return Target(sender=mail.mailbox, to=(to,), subject=forward_subject(mail.subject), listed=listed, forwards=mail.id)


def follow(before: Target, message_id: str, thread: str) -> Target:
    """One more mail after one of ours, to the same people."""
    in_reply_to, references = reply_headers(message_id, before.references)
    return replace(
        before,
        thread=thread,
        subject=reply_subject(before.subject) if before.subject else "",
        in_reply_to=in_reply_to,
        references=references,
        left_out=(),
        replaces=0,
        last=False,
        forwards="",
    )
