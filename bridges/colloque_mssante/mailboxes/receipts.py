"""Telling the author of a mail that it was read, if they asked (MDN, RFC 8098): once, and under no address."""

from __future__ import annotations

from colloque.clock import Clock
from colloque.config import MssanteConfig
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.identity import digest
from colloque.mail.compose import compose_receipt, envid, message_id
from colloque.mail.message import Outgoing, Party
from colloque_mssante.access.authors import Authors
from colloque_mssante.mapping.targets import Whitelisted, listed_address
from colloque_mssante.rules.sends import RECEIPTS, queued
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import ReadMail
from colloque_mssante.texts import writing as texts_writing

PRODUCT = "Colloque; colloque_mssante"
"""Reporting-UA."""


class Receipts:
    """One instance a process."""

    def __init__(
        self,
        *,
        config: MssanteConfig,
        authors: Authors,
        outbox: Outbox,
        whitelisted: Whitelisted,
        clock: Clock,
        secret: bytes,
    ) -> None:
        self._config = config
        self._authors = authors
        self._outbox = outbox
        self._whitelisted = whitelisted
        self._clock = clock
        self._secret = secret

    async def tell(self, mail: ReadMail) -> str:
        """Queue the receipt of a mail that was read; what came of it, as a code. The same mail is never told twice.

        Raises Temporary while the directory can't say who reads.
        """
        if not mail.receipt_to or mail.message_id is None:
            return "not_asked"
        if listed_address(mail.receipt_to, self._whitelisted) is None:
            return "not_listed"
        try:
            reader = self._authors.reader(mail.owner, mail.mailbox)
        except NotFound:
            raise Temporary("the directory was not imported yet") from None
        except Refused as refusal:
            return refusal.reason
        now, seed = self._clock.now(), f"{RECEIPTS}:{mail.id}"
        outgoing = Outgoing(
            message_id=message_id(self._secret, seed, mail.mailbox.domain),
            sender=reader,
            to=(Party("", mail.receipt_to),),
            subject=texts_writing.receipt_subject(mail.subject),
            text=texts_writing.receipt(mail.read_at),
            date=now,
            nil=self._config.nil,
            in_reply_to=mail.message_id,
            references=(mail.message_id,),
            extra={"Auto-Submitted": "auto-replied"},
        )
        try:
            raw = compose_receipt(outgoing, reader=mail.mailbox.value, product=PRODUCT)
        except BadInput:
            return "not_composable"
        await self._outbox.put(
            queued(
                outgoing,
                raw,
                key=seed,
                caller=RECEIPTS,
                sender=mail.mailbox,
                envid=envid(self._secret, seed),
                ref=digest(seed),
                owner=mail.owner,
            )
        )
        return "queued"
