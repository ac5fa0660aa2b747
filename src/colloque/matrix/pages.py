"""Reading `/messages` page by page, in either direction, to the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from colloque.matrix.api import JsonDict


async def pages(ask: Callable[[str | None], Awaitable[JsonDict]], begin: str | None = None) -> AsyncIterator[JsonDict]:
    """`ask(token)` answers one page. Raises what it raises.

    The end is where the server names no further page, or one that was read already: an empty page may stand before a
    full one, for what the server does not show is left out of it (Synapse, `GetMessagesResult`).
    """
    token, read = begin, {begin}
    while True:
        page = await ask(token)
        yield page
        token = page.get("end")
        if token is None or token in read:
            return
        read.add(token)
