"""Re-verification on a real store, journal and directory, with days that pass: a fixture, `house`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Method
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.directory import settle
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import AgeRules
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, Rpps, UserId
from colloque.matrix.admin import Session
from colloque.policy.presence import Grace, State
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.partners import Partners
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.directory.presence import Verification
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.store.presence import Presences
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.extracts import boxes, people_file, person, rpps, whitelist_xml
from tests.servers.databases import Opener
from tests.servers.dispatch import Recorder

KEY = b"k" * 32
BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PEOPLE = 40
ADMIN = UserId("@admin:h.test")


def user(number: int) -> UserId:
    return UserId(f"@p{number}:h.test")


class Server(Recorder):
    """Home rooms, display names, sessions and evictions, written down."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[UserId, str] = {}
        self.nobody: set[UserId] = set()
        self.acts: list[tuple[str, UserId]] = []
        self.open_sessions = True
        self.stuck = 0

    async def ensure(self, who: UserId) -> RoomId:
        return RoomId(f"!{who}")

    async def lock(self, who: UserId, *, locked: bool) -> None:
        self.acts.append(("lock" if locked else "unlock", who))

    async def sessions(self, who: UserId) -> tuple[Session, ...]:
        return (Session("PHONE", "téléphone", None),) if self.open_sessions else ()

    async def close_sessions(self, who: UserId, devices: Sequence[str]) -> None:
        self.acts.append(("close", who))
        self.open_sessions = False

    async def evict(self, who: UserId, reason: str) -> int:
        self.acts.append((f"evict {reason}", who))
        return self.stuck

    def is_person(self, who: UserId) -> bool:
        return True

    async def set_display_name(self, who: UserId, name: str) -> None:
        if who in self.nobody:
            raise HomeRefused(404, "M_NOT_FOUND")
        self.names[who] = name

    def told(self, number: int) -> list[str]:
        return [c["body"] for room, c in self.sent.values() if room == f"!{user(number)}"]


class House:
    """The service's parts, and days that pass."""

    def __init__(self, tmp: Path, db: Database) -> None:
        self.tmp = tmp
        self.clock = FrozenClock(BEGIN)
        self.target = tmp / "directory.sqlite"
        self.directory = DirectoryFile(self.target, self.clock)
        self.people, self.presences, self.endings = People(db), Presences(db), Endings(db)
        self.incidents = Incidents(db, self.clock)
        self.server = Server()
        self.fhir: dict[str, settle.Word] = {}
        self.asked: list[str] = []
        self.rows = {n: person(n) for n in range(PEOPLE)}
        self.grace_days = 7
        self.start()

    def start(self) -> None:
        """As the service does at start; the old process was killed."""
        self.journal = Journal.open(self.tmp / "journal.jsonl", self.clock)
        self.publication = Publication(
            people=self.people, names=self.server, clock=self.clock, path=self.tmp / "snapshot", key=KEY
        )
        self.closing = Closing(
            people=self.people,
            endings=self.endings,
            directory=self.directory,
            publication=self.publication,
            server=self.server,
            rooms=self.server,
            partners=Partners(
                endings=self.endings,
                book=AttestationBook(self.tmp / "snapshot", KEY),
                home=self.server,
                homes=self.server,  # type: ignore[arg-type]
            ),
            home=self.server,
            homes=self.server,  # type: ignore[arg-type]
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
        )
        self.verification = Verification(
            people=self.people,
            presences=self.presences,
            directory=self.directory,
            publication=self.publication,
            journal=self.journal,
            incidents=self.incidents,
            home=self.server,
            homes=self.server,  # type: ignore[arg-type]
            clock=self.clock,
            ages=AgeRules(),
            grace=Grace(min(3, self.grace_days), self.grace_days),
            end=self.closing.end,
            bar_of=self.closing.bar_of,
            ask=self.ask,
        )

    async def restart(self) -> None:
        self.journal.close()
        self.start()
        await self.closing.settle()
        await self.verification.settle()

    async def ask(self, number: Rpps) -> settle.Word:
        self.asked.append(number.value)
        return self.fhir.get(number.value, settle.Silent("fhir.unavailable"))

    async def attest(self, *numbers: int) -> None:
        for n in numbers:
            held = Attestation(
                user(n),
                Rpps(rpps(n)),
                f"Dr Hélène NOM{n} · médecin · NANCY",
                Method.MAILBOX_CODE,
                self.clock.now(),
                self.clock.now() + timedelta(days=365),
            )
            await self.people.attest(held, EventId(f"$a{n}"))
            await self.people.name_set(user(n))

    def bring(self, *, without: tuple[int, ...] = ()) -> None:
        """Import today's extraction."""
        day = self.clock.now().strftime("%Y%m%d")
        folder = self.tmp / f"in-{day}-{len(list(self.tmp.iterdir()))}"
        folder.mkdir()
        (folder / "list.xml").write_text(whitelist_xml("x.test"), encoding="utf-8")
        people_file(folder, [row for n, row in self.rows.items() if n not in without], stamp=f"{day}0630")
        boxes(folder, PEOPLE, stamp=f"{day}0630")
        import_files([folder], self.target, self.clock, force=True)

    async def day(self, *, without: tuple[int, ...] = ()) -> None:
        """Tomorrow, with its extraction."""
        self.clock.advance(days=1)
        self.bring(without=without)
        await self.verification.run_once()

    async def state(self, number: int) -> State:
        kept = (await self.presences.all()).get(user(number))
        return kept.presence.state if kept else State.PRESENT

    def snapshot(self) -> dict[UserId, Attestation]:
        book = AttestationBook(self.tmp / "snapshot", KEY)
        book.refresh()
        assert book.problem == ""
        return book.state.by_user

    def acts(self, kind: str) -> list[tuple[str, str]]:
        lines = (self.tmp / "journal.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return [(e["phase"], e["outcome"]) for e in entries if e["kind"] == kind]

    async def incidents_open(self) -> list[str]:
        return [key.partition(".")[2] for key in await self.incidents.current() if key.startswith("presence.")]


@pytest.fixture(name="house")
async def a_house(tmp_path: Path, opened: Opener) -> House:
    house = House(tmp_path, await opened(annuaire_upgrades(), "colloque_annuaire"))
    house.bring()
    await house.attest(*range(30))
    await house.publication.snapshot()
    await house.verification.run_once()
    return house
