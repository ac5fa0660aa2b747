"""What becomes of a mail's files after their verdicts; who is told, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from mautrix.util.async_db import Database

from colloque.audit import read_line
from colloque.clock import FrozenClock
from colloque.config_load import load
from colloque.errors import AntivirusUnavailable, Refused
from colloque.identity import EventId, UserId
from colloque.mail.clamd import Clamd, Clean, Infected, Unscanned, Verdict, Version
from colloque.mail.message import Attachment, Party
from colloque.mail.parse import parse_mail
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.arriving.scanning import INFECTED, Scanned, Scanning
from colloque_mssante.mapping import mapping
from colloque_mssante.mapping.mapping import Draft, Head
from colloque_mssante.mapping.targets import Answers
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import scanning as texts_scanning
from tests.clinical import PDF, archive, cda, n1_body
from tests.configured import SAMPLE

BOX = "a@medecin.mssante.test"
ANNE = UserId("@anne:h.test")
REF = "0123456789abcdef0123"
CONFIG = load(SAMPLE).mssante.antivirus


@dataclass
class Saying:
    """Stands for the wire (its contract suite runs the real clamd): a verdict by content, or a failure."""

    verdicts: dict[bytes, Verdict] = field(default_factory=dict)
    fails: AntivirusUnavailable | None = None
    asked: list[bytes] = field(default_factory=list)
    made: Version = field(default_factory=lambda: Version("1.4.6", None))

    async def scan(self, data: bytes) -> Verdict:
        self.asked.append(data)
        if self.fails is not None:
            raise self.fails
        return self.verdicts.get(data, Clean())

    async def version(self) -> Version:
        if self.fails is not None:
            raise self.fails
        return self.made


@dataclass
class Desk:
    scanning: Scanning
    clamd: Saying
    incidents: Incidents
    journal: Journal
    file: Path
    clock: FrozenClock

    def lines(self) -> list[tuple[str, str, str]]:
        entries = [read_line(line) for line in self.file.read_bytes().splitlines(keepends=True)]
        return [(e.kind, str(e.phase), e.outcome) for e in entries]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:{tmp_path}/b.db", new_upgrades(), "colloque_mssante")
    yield opened
    await opened.stop()


@pytest.fixture
def desk(db: Database, clock: FrozenClock, tmp_path: Path) -> Desk:
    incidents = Incidents(db, clock)
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    scanning = Scanning(CONFIG, incidents=incidents, journal=journal, clock=clock)
    clamd = Saying()
    scanning._clamd = cast("Clamd", clamd)
    return Desk(scanning, clamd, incidents, journal, tmp_path / "journal.jsonl", clock)


def drafts_of(scanned: Scanned, *, root: EventId | None = None, body: str = "voici") -> list[Draft]:
    """As the bridge makes them."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "b@cabinet.mssante.test", BOX, "Avis"
    mail.set_content(body)
    for item in scanned.files:
        main, _, sub = item.mime.partition("/")
        mail.add_attachment(item.data, maintype=main, subtype=sub, filename=item.name)
    party = Party("B", "b@cabinet.mssante.test")
    drafts = mapping.to_drafts(
        parse_mail(mail.as_bytes()),
        head=Head("Dr B", "", 1, Answers(party, followed=False, ignored=False)),
        root=root,
        answered=None,
        cards=scanned.cards,
    )
    return scanned.shown(drafts, BOX)


async def scanned(desk: Desk, *files: tuple[str, bytes, Verdict], mime: str = "application/octet-stream") -> Scanned:
    desk.clamd.verdicts |= {data: verdict for _, data, verdict in files}
    return await desk.scanning.scan([Attachment(name, mime, data) for name, data, _ in files])


async def test_a_withheld_file_keeps_its_rank_and_its_thread(desk: Desk) -> None:
    found = await scanned(
        desk, ("avant.bin", b"un", Clean()), ("DUPONT.exe", b"deux", Infected("Sig.A")), ("z.bin", b"trois", Clean())
    )
    assert (found.infected, found.cards) == (1, ())
    root = EventId("$root")
    clean = drafts_of(Scanned(found.files, (Clean(), Clean(), Clean())), root=root)
    drafts = drafts_of(found, root=root)
    assert [d.rank for d in drafts] == [d.rank for d in clean] == [0, 1, 2, 3]
    assert [d.file.data if d.file else b"" for d in drafts] == [b"", b"un", b"", b"trois"]
    body = drafts[2].content["body"]
    assert body.splitlines()[0] == texts_scanning.WITHHELD_TITLE
    assert all(part in body for part in ("« DUPONT.exe »", "(Sig.A)", BOX, "ne l'ouvrez pas"))
    assert drafts[2].content["msgtype"] == "m.text"
    assert drafts[2].content["m.relates_to"] == clean[2].content["m.relates_to"]
    assert (drafts[1], drafts[3]) == (clean[1], clean[3])


async def test_an_unscanned_file_says_so(desk: Desk) -> None:
    found = await scanned(desk, ("gros.bin", b"un", Unscanned("too-big")), ("petit.bin", b"deux", Clean()))
    _, big, small = drafts_of(found)
    assert big.file is not None
    content = mapping.file_content(big.file, {}) | big.content
    assert content["filename"] == "gros.bin"
    assert content["body"].splitlines()[0] == texts.FILE_TITLE
    assert f"{texts_scanning.UNSCANNED} : elle est trop volumineuse" in content["body"]
    assert "body" not in small.content
    assert found.infected == 0


async def test_the_whole_text_as_a_file_is_ours(desk: Desk) -> None:
    found = await scanned(desk, ("a.bin", b"un", Infected("Sig.A")))
    drafts = drafts_of(found, body="mot " * 20_000)
    assert [d.file.name if d.file else "" for d in drafts] == ["", "", "message.txt"]


@pytest.mark.parametrize("verdict", [Infected("Sig.A"), Unscanned("too-big")])
async def test_documents_are_opened_all_or_none(desk: Desk, verdict: Verdict) -> None:
    data = archive()
    clean = await scanned(desk, ("IHE_XDM.ZIP", data, Clean()), ("b.bin", b"deux", Clean()), mime="application/zip")
    assert any(d.rank >= 10_000 for d in drafts_of(clean))
    doubtful = await scanned(desk, ("IHE_XDM.ZIP", data, Clean()), ("b.bin", b"deux", verdict), mime="application/zip")
    assert [d.rank for d in drafts_of(doubtful)] == [0, 1, 2]


@pytest.mark.parametrize("first", [Clean(), Infected("Sig.A"), Unscanned("limits")])
@pytest.mark.parametrize("then", [Clean(), Infected("Sig.A"), Unscanned("limits")])
async def test_a_verdict_that_changes_between_two_attempts_loses_nothing(
    desk: Desk, first: Verdict, then: Verdict
) -> None:
    """The homeserver answers a transaction id that it knows with the event that it has."""
    one, other = archive(), archive(cda(n1_body(b"%PDF-1.4\n% another\n%%EOF\n")))
    files = tuple(Attachment(name, "application/zip", data) for name, data in (("1.ZIP", one), ("2.ZIP", other)))
    found = [await scanned(desk, (files[0].name, one, v), ("2.ZIP", other, Clean())) for v in (Clean(), first, then)]
    whole = [d for d in drafts_of(found[0]) if d.rank >= 10_000]
    assert len(whole) == 4
    attempts = [drafts_of(each) for each in found[1:]]
    for cut in range(len(attempts[0]) + 1):
        room: dict[str, Draft] = {}
        for draft in (*attempts[0][:cut], *attempts[1]):
            room.setdefault(mapping.txn(BOX, "digest", draft.rank), draft)
        shown = sorted(room.values(), key=lambda draft: draft.rank)
        assert [d.rank for d in shown if d.rank < 10_000] == [0, 1, 2]
        assert shown[2].file is not None
        assert shown[2].file.data == other
        assert shown[1].file is None or shown[1].file.data == one
        cards = [d for d in shown if d.rank >= 10_000]
        assert cards in [whole[:end] for end in range(len(whole) + 1)]
        assert then != Clean() or cards == whole


async def test_what_a_document_holds_encoded_condemns_it(desk: Desk) -> None:
    desk.clamd.verdicts[PDF] = Infected("Sig.B")
    found = await scanned(desk, ("IHE_XDM.ZIP", archive(), Clean()), ("note.bin", b"un", Clean()))
    assert found.verdicts == (Infected("Sig.B"), Clean())
    assert found.cards == ()


async def test_without_configuration_everything_passes(desk: Desk) -> None:
    off = Scanning(None, incidents=desk.incidents, journal=desk.journal, clock=desk.clock)
    files = (await scanned(desk, ("a.bin", b"un", Infected("Sig.A")))).files
    found = await off.scan(files)
    assert (found.files, found.infected) == (files, 0)
    assert [d.rank for d in drafts_of(found)] == [0, 1]
    await off.check(files)
    assert await off.problem() == ""
    assert await off.tell(found, actor=ANNE, room="", ref=REF) == ""


async def test_told_once_whatever_comes_between(desk: Desk) -> None:
    found = await scanned(desk, ("a.bin", b"un", Infected("Sig.A")), ("b.bin", b"deux", Infected("Sig.B")))
    first = await desk.scanning.tell(found, actor=ANNE, room=REF, ref=REF)
    [incident] = await desk.incidents.unposted()
    await desk.incidents.posted(incident.key)
    desk.journal.close()  # a crash, and the mail comes again
    journal = Journal.open(desk.file, desk.clock)
    scanning = Scanning(CONFIG, incidents=desk.incidents, journal=journal, clock=desk.clock)
    assert await scanning.tell(found, actor=ANNE, room=REF, ref=REF) == first
    await scanning.told(first, REF)
    assert await desk.incidents.unposted() == []
    assert await desk.incidents.current() == []
    assert desk.lines() == [(INFECTED, "intent", ""), (INFECTED, "result", "withheld")]
    assert incident.text == texts_scanning.INCIDENT_INFECTED
    journal.close()


async def test_clamd_away_makes_the_mail_wait_for_ever(desk: Desk) -> None:
    desk.clamd.fails = AntivirusUnavailable("away", received=False)
    for _ in range(10):
        with pytest.raises(AntivirusUnavailable):
            await scanned(desk, ("a.bin", b"un", Clean()))
    assert await desk.scanning.problem() == "antivirus.unreachable"
    desk.clamd.fails = None
    assert (await scanned(desk, ("a.bin", b"un", Clean()))).verdicts == (Clean(),)
    assert await desk.scanning.problem() == ""


async def test_a_file_that_breaks_clamd_holds_nothing_up(desk: Desk) -> None:
    desk.clamd.fails = AntivirusUnavailable("broken", received=True)
    for _ in range(2):
        with pytest.raises(AntivirusUnavailable):
            await desk.scanning.check([Attachment("a.bin", "application/octet-stream", b"bad")])
    with pytest.raises(AntivirusUnavailable):
        await desk.scanning.check([Attachment("a.bin", "application/octet-stream", b"another")])
    assert (await scanned(desk, ("bad.bin", b"bad", Clean()))).verdicts == (Unscanned("failed"),)


async def test_an_infected_file_does_not_leave(desk: Desk) -> None:
    desk.clamd.verdicts = {b"bad": Infected("Sig.A"), b"big": Unscanned("too-big")}
    await desk.scanning.check([Attachment("a.bin", "application/octet-stream", b"good")])
    await desk.scanning.check([Attachment("a.bin", "application/octet-stream", b"big")])
    with pytest.raises(Refused) as caught:
        await desk.scanning.check([Attachment("a.bin", "application/octet-stream", b"bad")])
    assert (caught.value.reason, str(caught.value)) == ("infected", texts_scanning.NOT_SENT)
    desk.clamd.verdicts[PDF] = Infected("Sig.B")
    with pytest.raises(Refused):
        await desk.scanning.check([Attachment("IHE_XDM.ZIP", "application/zip", archive())])


async def test_old_signatures_are_told_once_and_taken_back(desk: Desk) -> None:
    for age, open_ in ((6, []), (8, ["mssante.antivirus.old"]), (9, ["mssante.antivirus.old"]), (0, [])):
        desk.clamd.made = Version("1.4.6", desk.clock.now() - timedelta(days=age))
        assert await desk.scanning.problem() == ""
        assert await desk.incidents.current() == open_
    assert texts.incident("mssante.antivirus.old") != "mssante.antivirus.old"
    assert texts.incident(f"mssante.infected.{REF}") == "pièce jointe infectée retenue"


async def test_files_are_named_nowhere_but_in_events(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    found = await scanned(desk, ("DUPONT.exe", b"un", Infected("Sig.A")), ("MARTIN", b"deux", Unscanned("encrypted")))
    await desk.scanning.told(await desk.scanning.tell(found, actor=ANNE, room=REF, ref=REF), REF)
    assert "attachment.unscanned reason=encrypted" in caplog.text
    said = [caplog.text, desk.file.read_text(), str(await desk.incidents.unposted())]
    assert not any(word in where for where in said for word in ("DUPONT", "MARTIN", "Sig.A", BOX))
    assert "DUPONT" not in repr(found)
