"""What a mail that is forwarded adds, and how long it is kept for that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Refused, Temporary
from colloque.identity import EventId
from colloque.mail.message import Party
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.forwarding import forwarded
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target, follow, forward
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.originals import Original, Originals
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, SINCE, db  # noqa: F401

RAW = b"""From: "Dr B" <b@cabinet.mssante.test>\r
To: a@x.mssante.test, c@x.mssante.test\r
Cc: d@x.mssante.test\r
Bcc: secret@x.mssante.test\r
Date: Mon, 2 Mar 2026 10:00:00 +0100\r
Subject: XDM/1.0/DDM+Avis\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: text/plain; charset=utf-8\r
\r
Votre avis ?\r
--x\r
Content-Type: application/pdf; name=cr.pdf\r
Content-Disposition: attachment; filename=cr.pdf\r
\r
%PDF\r
--x--\r
"""
MAIL = StoredMail("m1", BOX, ANNE, "<1@x>", ("<0@x>",), "Fwd: Avis", Party("B", "b@x"), ROOM, "t1")
TO = Party("", "e@x.mssante.test")


def test_its_words_stand_below_and_its_files_beside() -> None:
    words, files = forwarded(RAW)
    assert words.splitlines()[0] == "---------- Message transféré ----------"
    for part in ("De : Dr B <b@cabinet.mssante.test>", "02/03/2026 à 10:00", "À : a@x", "Copie : d@x", "Votre avis ?"):
        assert part in words
    assert "secret" not in words
    assert [(item.name, item.mime) for item in files] == [("cr.pdf", "application/pdf")]


def test_it_is_a_new_mail_from_the_address_that_got_it() -> None:
    target = forward(MAIL, TO, listed=True)
    assert (target.sender, target.to, target.thread, target.in_reply_to) == (BOX, (TO,), "", None)
    assert (target.subject, target.forwards) == ("TR: Avis", "m1")
    assert Target.load(target.dump()) == target
    assert not target.goes_with(Target(BOX, (TO,)))
    assert follow(target, "<2@x>", "t2").forwards == ""


async def test_it_is_kept_until_its_draft_has_ended(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    originals, drafts = Originals(db), Drafts(db, clock)
    place = Place(Cursor(BOX, ANNE, SINCE, 7, 9, ""), 7, 9)
    await Mails(db, clock).put(MAIL, place, "r1", [EventId("$1")])
    later = clock.now() + timedelta(hours=1)
    one, two = (Draft(key, ROOM, ANNE, states.OPEN, forward(MAIL, TO, listed=True), next_at=later) for key in "ab")
    for draft in (one, two):
        await drafts.begin(draft, Line(EventId(f"${draft.id}"), "mot"))
        await originals.ask(draft.id, MAIL.id)
        await originals.ask(draft.id, MAIL.id)
    asked = await originals.asked()
    assert {each.draft for each in asked} == {"a", "b"}
    assert {(each.mailbox, each.owner, each.uidvalidity, each.uid) for each in asked} == {(BOX, ANNE, 7, 9)}
    assert await originals.of("a") == Original(None, gone=False)
    await originals.found("a", RAW)
    await originals.found("b", None)
    assert await originals.asked() == []
    assert await originals.of("b") == Original(None, gone=True)
    await drafts.end(one, states.GONE)
    await originals.sweep()
    assert await originals.of("a") is None
    assert await originals.of("b") is not None
    await drafts.change(two, state=states.WAITING)
    await drafts.strike(EventId("$b"))
    await originals.sweep()
    assert await originals.of("b") is None


async def test_a_mail_leaves_with_what_it_forwards_or_not_at_all(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    originals, composer = Originals(db), object.__new__(Composer)
    composer._originals = originals
    draft = Draft("a", ROOM, ANNE, states.WAITING, forward(MAIL, TO, listed=True), next_at=clock.now())
    with pytest.raises(Refused, match="n'est plus dans votre boîte"):
        await composer._forwarded(draft)
    await originals.ask("a", MAIL.id)
    with pytest.raises(Temporary):
        await composer._forwarded(draft)
    with pytest.raises(Refused, match="n'a pas pu être relu"):
        await composer._forwarded(replace(draft, tries=1000))
    await originals.found("a", RAW)
    words, files = await composer._forwarded(replace(draft, tries=1000))
    assert ("Votre avis ?" in words, len(files)) == (True, 1)
    await originals.found("a", None)
    with pytest.raises(Refused, match="n'est plus dans votre boîte"):
        await composer._forwarded(draft)
