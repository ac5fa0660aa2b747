"""Mails of our services, which leave from their own mailbox: queued in the bridge's outbox, over its socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from colloque.identity import MssanteAddress
from colloque.sockets import Client

WITH_FILES_S = 300.0
"""A mail with files is fetched, scanned and written before the call is answered."""


class BridgeMailer:
    """Everything raises Refused, Temporary."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(
        self,
        *,
        key: str,
        to: MssanteAddress,
        subject: str,
        text: str,
        files: Sequence[Mapping[str, Any]] = (),
        documents: bool = False,
    ) -> None:
        """Queue a mail; idempotent by `key`. `files`: `{"name", "mime", "file"}` each, stored and encrypted in Matrix.

        `documents`: they hold an IHE_XDM archive of ours. The mail is named and marked as the référentiel asks, with
        the documents as PDF beside it, and `subject` is not used.

        Raises also Refused: `recipient_unknown`, `recipient_not_listed`, `too_big`, `file_gone`, `infected`,
        `archive_bad`.
        """
        more: dict[str, Any] = {"files": [dict(file) for file in files]} if files else {}
        if documents:
            more["documents"] = True
        await self._client.call("send", key=key, to=to.value, subject=subject, text=text, **more)

    async def states(self, keys: Sequence[str]) -> Mapping[str, str]:
        """How far each mail got; one that was never queued is not in it."""
        answer = await self._client.call("states", keys=list(keys))
        found: dict[str, str] = answer["states"]
        return found

    async def withdraw(self, keys: Sequence[str]) -> None:
        """What has not left does not leave any more; nothing of their text is kept. Safe to repeat."""
        await self._client.call("withdraw", keys=list(keys))
