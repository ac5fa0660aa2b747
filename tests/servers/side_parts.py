"""What stands around an annuaire service in `sides`: the list, a directory, and rooms that are only written down."""

from __future__ import annotations

from datetime import timedelta

from colloque.attestation import Attestation
from colloque.clock import FrozenClock
from colloque.directory.lookup import Freshness
from colloque.federation.http_list import Fetched, ListUnavailable
from colloque.identity import EventId, RoomId, UserId, server_of
from colloque.policy.federation import FederationList
from colloque_annuaire.finding.direct import Opened
from tests.federation import Authority
from tests.servers.annuaire import Shelf, doctor
from tests.servers.dispatch import Recorder


class Press:
    """Where every side fetches the list."""

    def __init__(self) -> None:
        self.authority = Authority()
        self.text: bytes | None = None

    def issue(self, listed: FederationList) -> None:
        self.text = self.authority.sign(listed)

    async def fetch(self, version: int, etag: str) -> Fetched | None:
        if self.text is None:
            raise ListUnavailable("away")
        return Fetched(self.text, "")


class Fresh(Shelf):
    """A directory imported just now."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(*(doctor(n, f"NOM{n}", "Anne") for n in range(1, 8)))
        self.clock = clock
        self.old = timedelta(0)

    def freshness(self) -> Freshness:
        at = self.clock.now() - self.old
        return Freshness(at, at, len(self.people), 0)


class Rooms(Recorder):
    """Home rooms, direct rooms and evictions, written down."""

    keep = timedelta(days=90)

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server = server
        self.opened: list[tuple[UserId, UserId]] = []
        self.evicted: list[tuple[UserId, str]] = []
        self.partners_told: list[tuple[UserId, str]] = []
        self.stuck = 0

    def is_person(self, user: UserId) -> bool:
        return server_of(user) == self.server

    async def ensure(self, user: UserId) -> RoomId:
        return RoomId(f"!home-{user}")

    async def open(self, asker: Attestation, other: Attestation, event: EventId) -> Opened:
        self.opened.append((asker.user, other.user))
        return Opened(RoomId("!direct"), fresh=True, members={})

    async def evict(self, user: UserId, reason: str) -> int:
        self.evicted.append((user, reason))
        return self.stuck

    async def tell(self, user: UserId, ref: str) -> None:
        self.partners_told.append((user, ref))

    def told(self, user: UserId) -> list[str]:
        return [content["body"] for room, content in self.sent.values() if room == f"!home-{user}"]
