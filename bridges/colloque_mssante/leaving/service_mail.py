"""Our services' own mails (one-time codes, archives of rooms): verbs of the bridge's socket."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.config import MssanteConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadInput, HomeRefused, NotFound, Refused, Tampered, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.compose import compose, envid, message_id
from colloque.mail.message import Attachment, Outgoing, Party
from colloque.sockets import Verb
from colloque_mssante.mapping.enclosing import Enclosed, announced
from colloque_mssante.rules.sends import Send, queued, withdrawn
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import mails as texts

_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")


class ServiceMail:
    """One instance a process. `whitelisted` says whether a domain belongs to MSSanté.

    `fetch` opens a file that is stored in Matrix (`colloque.matrix.nio_home.NioHome.download`), `scan` refuses infected
    ones.
    """

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
        fetch: Callable[[JsonDict], Awaitable[bytes]],
        scan: Callable[[Sequence[Attachment]], Awaitable[None]],
    ) -> None:
        self._config = config
        self._directory = directory
        self._whitelisted = whitelisted
        self._outbox = outbox
        self._clock = clock
        self._secret = secret
        self._wake = wake
        self._fetch = fetch
        self._scan = scan

    def verbs(self, caller: str) -> dict[str, Verb]:
        """What that service may ask."""
        mine = (("send", self.send), ("states", self.states), ("withdraw", self.withdraw))
        return {name: partial(verb, caller) for name, verb in mine}

    async def send(
        self,
        caller: str,
        *,
        key: str,
        to: str,
        subject: str,
        text: str,
        files: Sequence[object] = (),
        documents: bool = False,
    ) -> JsonDict:
        """Queue a mail durably: `{"state": …}`. The same `key` is never queued twice, whatever else is said with it,
        and not at all once it was withdrawn: then it is `refused`.

        Only mailboxes that the directory lists, in white-listed domains, are written to. `files`: stored and encrypted
        in Matrix, `{"name", "mime", "file"}` each. `documents`: the service made an IHE_XDM archive of a patient's
        documents, which names the mail and marks it (see `enclosing.announced`); files of people are not looked into.
        Raises BadInput, Refused (`recipient_unknown`, `recipient_not_listed`, `too_big`, `file_gone`, `infected`, what
        `announced` refuses), Temporary.
        """
        if not all(isinstance(value, str) for value in (key, to, subject, text)) or not _KEY.match(key):
            raise BadInput("a send needs key, to, subject and text")
        if not isinstance(documents, bool):
            raise BadInput("documents are said by true or false")
        queued_before = await self._outbox.get(_seed(caller, key))
        if queued_before is not None:
            return {"state": queued_before.state}
        address = MssanteAddress.parse(to)
        try:
            if self._directory.by_mssante(address) is None:
                raise Refused("recipient_unknown")
            if not self._whitelisted(address.domain):
                raise Refused("recipient_not_listed")
        except NotFound:
            raise Temporary("the directory was not imported yet") from None
        attached = [await self._file(file) for file in files]
        if attached:
            await self._scan(attached)
        enclosed = await asyncio.to_thread(announced, attached) if documents else Enclosed(tuple(attached))
        if documents and not enclosed.subject:
            raise Refused("archive_bad")
        send = service_send(
            config=self._config,
            secret=self._secret,
            clock=self._clock,
            caller=caller,
            key=key,
            to=address,
            subject=enclosed.subject or subject,
            words=text,
            files=enclosed.files,
            extra=enclosed.extra,
        )
        if send.raw is not None and len(send.raw) > self._config.size_limit:
            raise Refused("too_big")
        kept = await self._outbox.put(send)
        self._wake()
        return {"state": kept.state}

    async def states(self, caller: str, *, keys: Sequence[object]) -> JsonDict:
        """How far each of the caller's mails got: `{"states": {key: state}}`; none for one that was never queued."""
        found = {key: await self._outbox.get(_seed(caller, key)) for key in _known_keys(keys)}
        return {"states": {key: send.state for key, send in found.items() if send is not None}}

    async def withdraw(self, caller: str, *, keys: Sequence[object]) -> JsonDict:
        """What of the caller's has not left does not leave any more; nothing of their text is kept. Safe to repeat.

        Nor does what is not queued yet: its files may be on their way to us.
        """
        for key in _known_keys(keys):
            if _KEY.match(key):
                await self._outbox.withdraw(self._withdrawn(caller, key))
        return {}

    def _withdrawn(self, caller: str, key: str) -> Send:
        """With the ids that the mail itself would bear: they stand once in the outbox."""
        seed = _seed(caller, key)
        return withdrawn(
            key=seed,
            caller=caller,
            sender=self._config.sender,
            message_id=message_id(self._secret, seed, self._config.sender.domain),
            envid=envid(self._secret, seed),
            ref=_ref(self._secret, seed),
            at=self._clock.now(),
        )

    async def _file(self, file: object) -> Attachment:
        if not isinstance(file, dict) or not all(isinstance(file.get(name), str) for name in ("name", "mime")):
            raise BadInput("a file needs name, mime and file")
        try:
            data = await self._fetch({"file": file.get("file")})
        except (BadInput, Tampered, HomeRefused):
            raise Refused("file_gone") from None
        return Attachment(file["name"], file["mime"], data)


def _seed(caller: str, key: str) -> str:
    """Under which the outbox keeps it: two services share no key."""
    return f"{caller}:{key}"


def _ref(secret: bytes, seed: str) -> str:
    return hashlib.sha256(secret + seed.encode()).hexdigest()[:20]


def _known_keys(keys: Sequence[object]) -> list[str]:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise BadInput("keys are a list of texts")
    return keys


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
    files: Sequence[Attachment] = (),
    extra: Mapping[str, str] | None = None,
) -> Send:
    """A service's own mail, from the service's mailbox. `caller` and `key` decide its Message-ID and ENVID."""
    seed, now = _seed(caller, key), clock.now()
    outgoing = Outgoing(
        message_id=message_id(secret, seed, config.sender.domain),
        sender=Party(texts.SERVICE_LABEL, config.sender.value),
        to=(Party("", to.value),),
        subject=subject,
        text=words,
        date=now,
        nil=config.nil,
        attachments=tuple(files),
        extra={"Auto-Submitted": "auto-generated", **(extra or {})},
    )
    return queued(
        outgoing,
        compose(outgoing),
        key=seed,
        caller=caller,
        sender=config.sender,
        envid=envid(secret, seed),
        ref=_ref(secret, seed),
    )
