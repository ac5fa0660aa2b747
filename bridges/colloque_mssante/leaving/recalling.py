"""Second thoughts about a mail that stands in the outbox: taken back while it may be, replaced or corrected after.

Whoever takes one back is told by what follows the stored state: its notice, and `states` under their message.
"""

from __future__ import annotations

from dataclasses import replace

from colloque.clock import to_millis
from colloque.errors import Refused
from colloque_mssante.leaving.gathering import By, Gathering
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.rules.sends import Send
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import writing as texts


class Recalling:
    """One instance a process. Drafts are `gone`, and their room's lock is held. Raises Refused with words."""

    def __init__(self, *, drafts: Drafts, outbox: Outbox, where_to: WhereTo, gathering: Gathering) -> None:
        self._drafts = drafts
        self._outbox = outbox
        self._where_to = where_to
        self._gathering = gathering

    async def take_back(self, draft: Draft) -> None:
        """All of its mail is not to leave, whichever of its messages was withdrawn. Raises Refused where it is late."""
        if await self._taken_back(draft, quietly=False):
            return
        send = await self._outbox.get(draft.id)
        if send is not None:
            raise _never_left() if _stayed(send) else Refused("struck_after", texts.STRUCK_AFTER)

    async def change(self, draft: Draft, by: By, line: Line) -> None:
        """One of its messages says something else now: `line`. `by.event`, the edit, begins what leaves instead."""
        send = await self._outbox.get(draft.id)
        before = Target.load(send.target) if send is not None else None
        if send is None or before is None:
            return
        alone = line.file is None and not before.forwards and await self._drafts.is_one_text(draft)
        if not alone and send.state in {"queued", "deferred"}:
            raise Refused("edited_in_part", texts.EDITED_IN_PART)
        async with self._drafts.whole():
            if alone and await self._taken_back(draft, quietly=True):
                # The message is the new mail's from now on: changed or withdrawn again, that one is.
                target = replace(before, thread=send.thread)
                await self._drafts.begin_anew(self._gathering.draft(by, states.CONFIRMING, target), line)
                return
        now = await self._outbox.get(draft.id) or send
        if _stayed(now):
            raise _never_left()
        if not line.words.strip():
            raise Refused("struck_after", texts.STRUCK_AFTER)  # the caption of a file, gone: nothing corrects that
        await self._after(by, line, before, now, alone=alone)

    async def _after(self, by: By, line: Line, before: Target, send: Send, *, alone: bool) -> None:
        """It left, or may have: a replacement where the message was all of it, else a correction of that passage."""
        follows = self._where_to.after(before, send)
        subject = texts.replacing_subject(before.subject) if alone else before.subject
        target = replace(follows, replaces=to_millis(send.made_at), subject=subject, last=before.last)
        named = "" if alone else texts.correcting_subject(before.subject)
        begun = replace(self._gathering.draft(by, states.CONFIRMING, target), subject=named)
        await self._drafts.begin(begun, Line(by.event, line.words, html=line.html))

    async def _taken_back(self, draft: Draft, *, quietly: bool) -> bool:
        async with self._drafts.whole():
            state = await self._outbox.take_back(draft.id, quietly=quietly)
            if state == "refused":
                await self._drafts.recalled(draft)
        return state == "refused"


def _stayed(send: Send) -> bool:
    """None of its recipients has it, or will."""
    return send.state in {"refused", "failed"}


def _never_left() -> Refused:
    return Refused("never_left", texts.NEVER_LEFT)
