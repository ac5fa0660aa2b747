"""The directory's age: incidents, health, metrics, and what enrolment makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database
from prometheus_client import CollectorRegistry, generate_latest

from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import Age, AgeRules, Freshness
from colloque.identity import EventId, MssanteAddress, Rpps, UserId
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.directory.freshness import Gauges, Watch, believable
from colloque_annuaire.proving.attesting import Attesting, Validity
from colloque_annuaire.proving.flow import Enrolment, Rules
from colloque_annuaire.rules.enrol import code_for
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proofs
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.extracts import STAMP, boxes, people, people_file, person, rpps, whitelist_xml
from tests.servers.databases import Opener

MADE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
"""`STAMP`, half past six in Paris."""
ANNE = UserId("@anne:h.test")
SECRET = b"s" * 32


@pytest.fixture
async def db(opened: Opener) -> Database:
    return await opened(annuaire_upgrades(), "colloque_annuaire")


class House:
    def __init__(self, tmp: Path, db: Database) -> None:
        self.tmp, self.db = tmp, db
        self.clock = FrozenClock(MADE + timedelta(hours=3))
        self.target = tmp / "directory.sqlite"
        self.directory = DirectoryFile(self.target, self.clock)
        self.incidents = Incidents(db, self.clock)
        self.registry = CollectorRegistry()
        self.people = People(db)
        self.watch = Watch(
            directory=self.directory,
            incidents=self.incidents,
            clock=self.clock,
            ages=AgeRules(),
            gauges=Gauges(self.registry),
        )

    def bring(self, stamp: str = STAMP, *, until: str = "2026-04-01T00:00:00+02:00") -> None:
        folder = self.tmp / f"in-{stamp}"
        folder.mkdir()
        people(folder, 40, stamp), boxes(folder, 40, stamp)
        (folder / "list.xml").write_text(whitelist_xml("x.test", end=until), encoding="utf-8")
        import_files([folder], self.target, self.clock)

    async def after(self, **passed: float) -> tuple[str, str, list[str]]:
        """Time passes: health's two answers and the open incidents."""
        self.clock.advance(**passed)
        await self.watch.look()
        return self.watch.problem(), self.watch.whitelist_problem(), await self.incidents.current()

    def metric(self, name: str) -> float:
        for line in generate_latest(self.registry).decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(name)


@pytest.fixture
def house(tmp_path: Path, db: Database) -> House:
    return House(tmp_path, db)


async def test_no_directory_then_one(house: House) -> None:
    assert await house.after() == ("directory.missing", "", ["directory.missing"])
    assert house.watch.age is None
    house.bring()
    assert await house.after() == ("", "", [])
    assert house.metric("colloque_directory_people") == 40
    assert house.metric("colloque_directory_mailboxes") == 40
    assert house.metric("colloque_directory_age_seconds") == 3 * 3600


async def test_the_ten_days_stall(house: House) -> None:
    """30 July to 8 August 2026, as it was: late on the third day, stale on the eighth, all well with the next one."""
    house.bring()
    assert await house.after(hours=45) == ("", "", [])
    assert await house.after(hours=1) == ("", "", ["directory.late"])
    assert house.watch.age is Age.LATE
    assert await house.after(days=5) == ("directory.stale", "", ["directory.stale"])
    assert await house.after(days=3) == ("directory.stale", "", ["directory.stale"])
    posted = [i.text for i in await house.incidents.unposted()]
    assert sum("périmé" in text for text in posted) == 1
    house.bring("202603110630")
    assert await house.after() == ("", "", [])


async def test_a_directory_that_breaks_is_told_and_no_panic(house: House) -> None:
    house.bring()
    await house.after()
    (house.tmp / "aside").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    (house.tmp / "aside").replace(house.target)
    assert await house.after() == ("directory.unreadable", "", ["directory.unreadable"])


async def test_the_white_list_is_told_before_and_after_it_ends(house: House) -> None:
    house.bring(until="2026-03-05T00:00:00+01:00")
    assert await house.after() == ("", "", [])
    assert await house.after(days=2) == ("", "", ["directory.late", "whitelist.ending"])
    assert await house.after(days=2) == ("", "whitelist.over", ["directory.late", "whitelist.over"])
    assert not house.directory.whitelisted("x.test")


@pytest.mark.parametrize(("hours", "answer"), [(-25, False), (-23, True), (0, True), (48, True), (49, False)])
def test_absence_is_believed_of_a_fresh_directory_that_is_not_of_the_future(hours: int, answer: bool) -> None:
    fresh = Freshness(MADE, MADE, 1, 1)
    assert believable(fresh, MADE + timedelta(hours=hours), AgeRules()) is answer


class Mails:
    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        self.sent.setdefault(key, text)

    async def set_display_name(self, user: UserId, name: str) -> None:
        pass


def enrolment(house: House, mails: Mails) -> Enrolment:
    publication = Publication(
        people=house.people, names=mails, clock=house.clock, path=house.tmp / "snapshot", key=b"k" * 32
    )
    journal = Journal.open(house.tmp / "journal.jsonl", house.clock)
    attesting = Attesting(
        people=house.people,
        proofs=Proofs(house.db),
        directory=house.directory,
        publication=publication,
        journal=journal,
        clock=house.clock,
        ages=AgeRules(),
        validity=Validity(timedelta(days=365), timedelta(days=90)),
        barred=Endings(house.db).barred,
    )
    return Enrolment(
        people=house.people,
        directory=house.directory,
        mailer=mails,
        attesting=attesting,
        journal=journal,
        clock=house.clock,
        rules=Rules(code_life=timedelta(days=30), tries=3, per_day=5, ages=AgeRules()),
        secret=SECRET,
    )


async def test_nobody_new_is_admitted_on_the_word_of_a_stale_directory(house: House) -> None:
    house.bring()
    mails = Mails()
    flow, number = enrolment(house, mails), Rpps(rpps(3))
    right = code_for(SECRET, EventId("$1"), number, MssanteAddress("a3@x.test"))
    assert "Un code à 6 chiffres part" in await flow.ask(ANNE, number, EventId("$1"), None)
    house.clock.advance(days=8)
    assert "L'inscription est suspendue" in await flow.answer(ANNE, right, EventId("$2"))
    assert "date du 01/03/2026" in await flow.ask(ANNE, number, EventId("$3"), None)
    assert len(mails.sent) == 1
    code = await house.people.newest_code(ANNE)
    assert code is not None
    assert (code.state, code.tries) == ("open", 0), "no try was counted"
    house.bring("202603090630")
    assert "Identité vérifiée" in await flow.answer(ANNE, right, EventId("$4"))
    house.clock.advance(days=30)
    assert "Identité vérifiée" in await flow.answer(ANNE, right, EventId("$4")), "asked again after a crash"


async def test_a_profession_that_is_in_no_list_is_not_admitted(house: House) -> None:
    house.bring()
    folder = house.tmp / "odd"
    folder.mkdir()
    odd = person(7, profession="Astrologue") | {"Code profession": "999"}
    rows = [odd if n == 7 else person(n) for n in range(40)]
    people_file(folder, rows, stamp="202603010730")
    import_files([folder], house.target, house.clock)
    flow = enrolment(house, Mails())
    said = await flow.ask(ANNE, Rpps(rpps(7)), EventId("$1"), None)
    assert "n'est pas de celles qui sont admises" in said
    assert "Astrologue" in said
