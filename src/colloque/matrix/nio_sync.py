"""The sync loop of a nio account: every event of every batch is handled before the position is saved.

After a kill the events of the last batch come again: handlers must be idempotent. A message whose key has not come
is kept in the store; when the key comes it is handled, when it does not come in time it is reported once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from colloque import logs
from colloque.clock import monotonic
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.home import Echo, Handler, Unreadable
from colloque.matrix.nio_device import Device
from colloque.matrix.nio_machine import Decrypted
from colloque.matrix.nio_store import Waiting
from colloque.matrix.pages import pages
from colloque.matrix.roster import Roster
from colloque.matrix.sync_events import incoming, member_change, receipts_of, sent_at, sync_filter
from colloque.patience import patiently

POLL_S = 30.0
KEY_WAIT_S = 15.0
"""How long a message may wait for its key before it is reported as unreadable."""
PATIENCE_S = 60.0
BACK_OFF_S = (0.25, 15.0)
BACKFILL_MAX = 5000
"""Missed events fetched for one room, at most; what is older is reported in the log and left."""
_PAGE = 500
logger = logging.getLogger(__name__)


class Position(Protocol):
    """Where the reading stands, kept by the service (`colloque.store.handled.Handled`)."""

    async def position(self) -> str | None:
        """The last saved position; None before the first."""
        ...

    async def save_position(self, token: str) -> None:
        """Save it, durably."""
        ...


DevicesChanged = Callable[[list[UserId] | None], Awaitable[None]]
"""Told whose devices or identities changed before their messages are handed on; None: anybody's may have."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one sync answer is read with."""

    handler: Handler
    since: str | None


class SyncLoop:
    """Reads, decrypts and hands on. `problem` says how the last try went."""

    def __init__(self, device: Device, roster: Roster) -> None:
        self._api = device.api
        self._user = device.user
        self._roster = roster
        self._keys = device.keys
        self._machine = device.machine
        self._store = device.store
        self._deadlines: dict[EventId, float] = {}
        self._filter = sync_filter(receipts=False)
        self.on_devices_changed: DevicesChanged | None = None
        self.problem = "home.starting"
        """Empty while syncing works, else a stable code."""
        self.caught_up = -math.inf
        """Everything that the server had at this moment (monotonic seconds) was handled."""
        self._wanted = -math.inf
        self._hurry = asyncio.Event()

    def want(self, until: float) -> None:
        """Somebody waits for what the server had at that moment (monotonic seconds): it is asked for at once."""
        if until > self._wanted:
            self._wanted = until
            self._hurry.set()

    async def run(self, handler: Handler, stop: asyncio.Event, position: Position, *, receipts: bool = False) -> None:
        """Until `stop` is set. Raises what a handler raises, and HomeRefused (401, 403) when the account is refused."""
        self._filter = sync_filter(receipts=receipts)
        since = await position.position()
        self._deadlines = {w.event: monotonic() + KEY_WAIT_S for w in self._store.waiting()}
        pause = BACK_OFF_S[0]
        while not stop.is_set():
            asked = monotonic()
            try:
                answer = await self._next(since, stop)
                if answer is None:
                    if stop.is_set():
                        return
                    continue
                self.problem = ""
                await self._take(answer, _Batch(handler, since))
            except HomeUnavailable as error:
                self.problem = error.code
                # Changes are only announced to those who listen.
                self._keys.devices_uncertain()
                self._roster.forget_all()
                await self._tell_devices(None)
                await _wait(stop, max(pause, error.retry_after_s or 0.0))
                pause = min(pause * 2, BACK_OFF_S[1])
                continue
            pause = BACK_OFF_S[0]
            since = str(answer["next_batch"])
            await position.save_position(since)
            self.caught_up = asked

    async def _next(self, since: str | None, stop: asyncio.Event) -> JsonDict | None:
        """The next batch; None when told to stop, or to ask without waiting, meanwhile."""
        soonest = min(self._deadlines.values(), default=None)
        wait = POLL_S if soonest is None else min(POLL_S, max(0.0, soonest - monotonic()) + 0.05)
        if self.problem or self.caught_up < self._wanted:
            wait = 0.0
        self._hurry.clear()
        query = {"timeout": str(int(wait * 1000)), "filter": self._filter, "set_presence": "offline"}
        query |= {} if since is None else {"since": since}
        asking = asyncio.ensure_future(
            self._api.call("GET", path(CLIENT, "sync"), query=query, timeout_s=wait + PATIENCE_S)
        )
        others = [asyncio.ensure_future(stop.wait())]
        if wait:
            others.append(asyncio.ensure_future(self._hurry.wait()))
        try:
            await asyncio.wait({asking, *others}, return_when=asyncio.FIRST_COMPLETED)
            return await asking if asking.done() else None
        except HomeRefused as error:
            if error.status in {401, 403}:
                raise
            # A /sync that meets a room while it is being deleted is answered 404: Synapse misses a row.
            raise HomeUnavailable(f"the homeserver can't tell what is new ({error.status})") from None
        finally:
            for future in (asking, *others):
                future.cancel()
            await asyncio.gather(asking, *others, return_exceptions=True)

    async def _take(self, answer: JsonDict, batch: _Batch) -> None:
        lists = answer.get("device_lists", {})
        changed = [*lists.get("changed", []), *lists.get("left", [])]
        self._keys.devices_changed(changed)
        await self._tell_devices([UserId(user) for user in changed])
        await self._keys.receive(answer.get("to_device", {}).get("events", []))
        await patiently(self._keys.heal, for_s=PATIENCE_S)
        left = int(answer.get("device_one_time_keys_count", {}).get("signed_curve25519", 0))
        fallback = "signed_curve25519" not in answer.get("device_unused_fallback_key_types", [])
        await patiently(lambda: self._keys.publish(left, fallback=fallback), for_s=PATIENCE_S)
        await self._settle(batch)
        rooms = answer.get("rooms", {})
        for room, value in rooms.get("invite", {}).items():
            await self._invited(RoomId(room), value, batch)
        async with asyncio.TaskGroup() as group:
            for room, value in [*rooms.get("join", {}).items(), *rooms.get("leave", {}).items()]:
                group.create_task(self._room(RoomId(room), value, batch))

    async def _tell_devices(self, users: list[UserId] | None) -> None:
        if self.on_devices_changed is not None and users != []:
            await self.on_devices_changed(users)

    async def _room(self, room: RoomId, value: JsonDict, batch: _Batch) -> None:
        timeline = value.get("timeline", {})
        events: list[JsonDict] = timeline.get("events", [])
        if timeline.get("limited"):
            self._roster.forget(room)
            if batch.since is not None:
                events = await self._missed(room, timeline["prev_batch"], batch.since) + events
        if any(event.get("type") == "m.room.member" for event in events):
            self._roster.forget(room)
        for event in events:
            await self._event(room, event, batch)
        for event in value.get("ephemeral", {}).get("events", []):
            for read in receipts_of(room, event):
                await batch.handler(read)

    async def _missed(self, room: RoomId, before: str, since: str) -> list[JsonDict]:
        """The events that the server left out of a batch, oldest first."""
        found: list[JsonDict] = []

        async def ask(token: str | None) -> JsonDict:
            return await patiently(partial(self._page, room, token or before, since), for_s=PATIENCE_S)

        try:
            async for page in pages(ask, before):
                found += page["chunk"]
                if len(found) >= BACKFILL_MAX:
                    logs.event(logger, "backfill.cut", level=logging.ERROR, events=len(found))
                    break
        except HomeRefused as error:
            logs.event(logger, "backfill.refused", level=logging.WARNING, errcode=error.errcode)
        return found[::-1]

    async def _page(self, room: RoomId, before: str, since: str) -> JsonDict:
        query = {"dir": "b", "from": before, "to": since, "limit": str(_PAGE)}
        return await self._api.call("GET", path(CLIENT, "rooms", room, "messages"), query=query)

    async def _event(self, room: RoomId, event: JsonDict, batch: _Batch) -> None:
        if "state_key" in event:
            if event["type"] == "m.room.member":
                await batch.handler(member_change(room, event))
            return
        if event["sender"] == self._user:
            await batch.handler(Echo(room, EventId(event["event_id"])))
            return
        if event["type"] == "m.room.redaction":
            self._withdrawn(event)
        if not event.get("content"):
            return
        if event["type"] != "m.room.encrypted":
            await batch.handler(incoming(room, event, event["type"], event["content"]))
            return
        said = self._machine.decrypt_room_event(room, event)
        if said is not None and not self._is_early(event):
            await self._readable(room, event, said, batch)
        elif batch.since is not None:
            # Before the first position there is only history: nobody waits for an answer to it.
            self._store.keep_waiting(Waiting(room, EventId(event["event_id"]), event))
            self._deadlines.setdefault(EventId(event["event_id"]), monotonic() + KEY_WAIT_S)

    def _withdrawn(self, redaction: JsonDict) -> None:
        """A message that still waits for its key, and that its author withdraws, is handed on to nobody."""
        what = redaction.get("redacts") or redaction.get("content", {}).get("redacts")
        for waiting in self._store.waiting():
            if (waiting.event, waiting.source["sender"]) == (what, redaction["sender"]):
                self._store.settle(waiting.event)
                self._deadlines.pop(waiting.event, None)

    def _is_early(self, event: JsonDict) -> bool:
        """An edit of what still waits for its key: handed on before, it would change nothing."""
        match event["content"].get("m.relates_to"):
            case {"rel_type": "m.replace", "event_id": str(edited)}:
                return EventId(edited) in self._deadlines
        return False

    async def _readable(self, room: RoomId, event: JsonDict, said: Decrypted, batch: _Batch) -> None:
        sender = UserId(event["sender"])
        signed = await patiently(lambda: self._keys.is_signed(sender, said), for_s=PATIENCE_S)
        device = self._keys.device_of(sender, said)
        await batch.handler(
            incoming(room, event, said.type, said.content, encrypted=True, device_signed=signed, device=device)
        )

    async def _settle(self, batch: _Batch) -> None:
        """Messages that waited: handled when their key has come, reported when it did not come in time."""
        if not self._deadlines:
            return
        now = monotonic()
        for waiting in self._store.waiting():
            said = self._machine.decrypt_room_event(waiting.room, waiting.source)
            if said is not None and not self._is_early(waiting.source):
                await self._readable(waiting.room, waiting.source, said, batch)
            elif self._deadlines.get(waiting.event, now) <= now:
                sender, at = UserId(waiting.source["sender"]), sent_at(waiting.source.get("origin_server_ts"))
                await batch.handler(Unreadable(waiting.room, waiting.event, sender, at))
            else:
                continue
            self._store.settle(waiting.event)
            self._deadlines.pop(waiting.event, None)

    async def _invited(self, room: RoomId, value: JsonDict, batch: _Batch) -> None:
        shown = value.get("invite_state", {}).get("events", [])
        for event in shown:
            if event.get("type") == "m.room.member" and event.get("state_key") == self._user:
                change = replace(member_change(room, event), shown=tuple(shown))
                await batch.handler(change)
                if change.sender in self._roster.rooms.bots:
                    await self._join(room)

    async def _join(self, room: RoomId) -> None:
        try:
            await patiently(lambda: self._roster.rooms.join(room), for_s=PATIENCE_S)
        except HomeRefused as error:
            logs.event(logger, "invite.gone", level=logging.WARNING, errcode=error.errcode)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
