"""The boundaries between the steps of the bridge's trips, in both directions, and a way to die at any one of them.

The bridge knows nothing of this: `bridge_program` wraps these methods before it starts the bridge.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiosmtplib.protocol import SMTPProtocol

from colloque.mail import smtp
from colloque.mail.imap import ImapClient
from colloque.mail.imap_filing import FilingClient
from colloque.matrix.api import MatrixApi
from colloque.store.handled import Handled
from colloque_mssante.arriving.inbound import Inbound
from colloque_mssante.leaving.leaving import Leaving
from colloque_mssante.leaving.outbound import Outbound
from colloque_mssante.mailboxes.sender import Sender
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.crypto import Account
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mails import Mails, Uploads
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.untold import Untold


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the bridge: the boundary lies behind it, or in front of it."""

    owner: object
    method: str
    before: bool = False
    only: Callable[..., bool] = lambda *_args, **_more: True
    """Which of its calls, by their arguments."""


def _state(state: str) -> Callable[..., bool]:
    return lambda _self, _key, moved_to, **_more: bool(moved_to == state)


STEPS = {
    # a mail comes in
    "mail-fetched": Step(ImapClient, "fetch"),
    "mail-in-transaction": Step(Inbox, "store"),
    "mail-stored": Step(Watcher, "_store"),
    "room-ready": Step(Conversations, "ensure"),
    "arrival-begun": Step(Mails, "begin"),
    "media-reserved": Step(MatrixApi, "reserve_media"),
    "upload-begun": Step(Uploads, "begin"),
    "file-uploaded": Step(MatrixApi, "upload"),
    "upload-noted": Step(Uploads, "done"),
    "event-sent": Step(Account, "send"),
    "link-to-write": Step(Inbound, "_link", before=True),
    "link-in-transaction": Step(Mails, "put"),
    "link-written": Step(Inbound, "_link"),
    # a message goes out
    "message-heard": Step(Outbound, "hear", before=True),
    "draft-written": Step(Drafts, "begin"),
    "message-taken": Step(Outbound, "hear"),
    "position-saved": Step(Handled, "save_position"),
    "row-in-transaction": Step(Outbox, "put"),
    "row-queued": Step(Leaving, "_leave"),
    "data-to-note": Step(Sender, "_leave", before=True),
    "data-noted": Step(Sender, "_leave"),
    "text-sent": Step(SMTPProtocol, "write", only=lambda _self, data: bool(data.endswith(b"\r\n.\r\n"))),
    "answer-seen": Step(smtp, "_text"),
    "row-settled": Step(Outbox, "move", only=_state("sent")),
    "sign-shown": Step(Untold, "told", before=True),
    "sign-noted": Step(Untold, "told"),
    "copy-filed": Step(FilingClient, "file"),
    "copy-noted": Step(Outbox, "filed"),
    "report-taken": Step(Outbox, "report"),
}
ANY = "any"
"""`any:N`: the N-th boundary that the process comes to, whichever that is."""


def arm(where: str, blow: signal.Signals = signal.SIGKILL, *, steps: Mapping[str, Step] | None = None) -> None:
    """This process dies (or gets that signal) when it first comes to `where`: a name of `steps`, or `any:N`.

    `steps`: the bridge's, where nothing else is said.
    """
    steps = STEPS if steps is None else steps
    name, _, count = where.partition(":")
    left = int(count or 1)

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), blow)

    for step in steps.values() if name == ANY else [steps[name]]:
        setattr(step.owner, step.method, _watched(getattr(step.owner, step.method), step, reached))


def _watched(real: Callable[..., Any], step: Step, reached: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(real)
    def plain(*args: Any, **more: Any) -> Any:
        counts = step.only(*args, **more)
        if counts and step.before:
            reached()
        answer = real(*args, **more)
        if counts and not step.before:
            reached()
        return answer

    @functools.wraps(real)
    async def awaited(*args: Any, **more: Any) -> Any:
        counts = step.only(*args, **more)
        if counts and step.before:
            reached()
        answer = await real(*args, **more)
        if counts and not step.before:
            reached()
        return answer

    return awaited if inspect.iscoroutinefunction(real) else plain
