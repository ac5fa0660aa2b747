"""Our services' own mails (one-time codes): the `send` verb of the bridge's socket."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.config import MssanteConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.compose import compose, envid, message_id
from colloque.mail.message import Outgoing, Party
from colloque_mssante import texts
from colloque_mssante.outbox import Outbox
from colloque_mssante.sends import Send, queued

_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")


class ServiceMail:
    """One instance a process. `whitelisted` says whether a domain belongs to MSSanté."""

    def __init__(
        self,
        *,
        config: MssanteConfig,
        directory: Directory,
        whitelisted: Callable[[str], bool],
        outbox: Outbox,
        clock: Clock,
        secret: bytes,
        wake: Callable[[], None],
    ) -> None:
        self._config = config
        self._directory = directory
        self._whitelisted = whitelisted
        self._outbox = outbox
        self._clock = clock
        self._secret = secret
        self._wake = wake

    async def send(self, caller: str, *, key: str, to: str, subject: str, text: str) -> JsonDict:
        """Queue a mail durably: `{"state": …}`. The same `key` is never queued twice, whatever else is said with it.

        Only mailboxes that the directory lists, in white-listed domains, are written to.
        Raises BadInput, Refused (`recipient_unknown`, `recipient_not_listed`), Temporary.
        """
        if not all(isinstance(value, str) for value in (key, to, subject, text)) or not _KEY.match(key):
            raise BadInput("a send needs key, to, subject and text")
        address = MssanteAddress.parse(to)
        try:
            if self._directory.by_mssante(address) is None:
                raise Refused("recipient_unknown")
            if not self._whitelisted(address.domain):
                raise Refused("recipient_not_listed")
        except NotFound:
            raise Temporary("the directory was not imported yet") from None
        send = service_send(
            config=self._config,
            secret=self._secret,
            clock=self._clock,
            caller=caller,
            key=key,
            to=address,
            subject=subject,
            words=text,
        )
        kept = await self._outbox.put(send)
        self._wake()
        return {"state": kept.state}


def service_send(
    *,
    config: MssanteConfig,
    secret: bytes,
    clock: Clock,
    caller: str,
    key: str,
    to: MssanteAddress,
    subject: str,
    words: str,
) -> Send:
    """A service's own mail (a code), from the service's mailbox. `caller` and `key` decide its Message-ID and ENVID."""
    seed, now = f"{caller}:{key}", clock.now()
    outgoing = Outgoing(
        message_id=message_id(secret, seed, config.sender.domain),
        sender=Party(texts.SERVICE_LABEL, config.sender.value),
        to=(Party("", to.value),),
        subject=subject,
        text=words,
        date=now,
        nil=config.nil,
        extra={"Auto-Submitted": "auto-generated"},
    )
    return queued(
        outgoing,
        compose(outgoing),
        key=seed,
        caller=caller,
        sender=config.sender,
        envid=envid(secret, seed),
        ref=hashlib.sha256(secret + seed.encode()).hexdigest()[:20],
    )
