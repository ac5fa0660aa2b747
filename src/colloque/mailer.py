"""Mails of our services, which leave from their own mailbox: queued in the bridge's outbox, over its socket."""

from __future__ import annotations

from colloque.identity import MssanteAddress
from colloque.sockets import Client


class BridgeMailer:
    """Everything raises Refused (`recipient_unknown`, `recipient_not_listed`), Temporary."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        """Queue a mail; idempotent by `key`."""
        await self._client.call("send", key=key, to=to.value, subject=subject, text=text)
