"""What the bridge's soak counts as one: a mail that stands twice in a mailbox is two, a queue id is one."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, cast

import pytest

from colloque_mssante.texts import mails as texts
from tests.soak.bridge_people import Clinician, Shelf, _as_events, _as_mail, _is_doubted
from tests.soak.plan import Act, Kind

MAIL, FILE, REPLY = (Act("k1y", kind, 0, 0.0) for kind in (Kind.MAIL, Kind.FILE, Kind.REPLY))


class Session:
    """What a session told."""

    user = "@a:x"

    def __init__(self, *reports: dict[str, Any]) -> None:
        self.reports = [{"event": "message", "from": "@g:x", "room": "!r", "relates": None} | r for r in reports]


def mail(received: str, text: str = "voici k1y, bien") -> EmailMessage:
    made = EmailMessage()
    made["Received"] = received
    made.set_content(text)
    return made


def clinician(session: Session, *, theirs: int = 0, inbox: int = 0, copies: int = 0, queue: str = "") -> Clinician:
    shelves = []
    for count in (theirs, inbox, copies):
        shelf = Shelf(cast("Any", None), "INBOX")
        shelf.mails = [mail(f"by x (Postfix) with ESMTPSA id {queue or n}A; {n}") for n in range(count)]
        shelves.append(shelf)
    made = Clinician(cast("Any", session), "a@x", cast("Any", None), *shelves, room="!r")
    made.sent["k1y"] = "$e"
    return made


def text(body: str = "voici k1y") -> dict[str, Any]:
    return {"body": body, "content": {}}


@pytest.mark.parametrize(
    ("copies", "events", "expected"), [(1, 1, 1), (1, 0, 0), (1, 2, 2), (2, 2, 1), (2, 1, 0), (0, 0, 0)]
)
def test_a_mail_is_shown_as_often_as_it_stands_in_the_mailbox(copies: int, events: int, expected: int) -> None:
    assert _as_events(clinician(Session(*[text()] * events), inbox=copies), MAIL) == [expected]


def test_a_file_is_counted_apart_from_its_mail() -> None:
    file = {"body": "Document", "content": {"filename": "k1y.pdf"}}
    assert _as_events(clinician(Session(text(), file), inbox=1), FILE) == [1, 1]
    assert _as_events(clinician(Session(text()), inbox=1), FILE) == [1, 0]


def sign(event: str) -> dict[str, Any]:
    return {"body": None, "content": {}, "relates": {"event_id": event, "key": texts.SENT}}


def test_a_message_left_as_often_as_the_operator_took_it() -> None:
    assert _as_mail(clinician(Session(sign("$other")), theirs=2, copies=1), REPLY) == [2, 1, 0]
    assert _as_mail(clinician(Session(sign("$other")), theirs=2, copies=2, queue="Q"), REPLY) == [1, 2, 0]
    assert _as_mail(clinician(Session(sign("$e"), sign("$e")), theirs=1, copies=1), REPLY) == [1, 1, 1]


def doubt(event: str) -> dict[str, Any]:
    return {"body": texts.doubtful(), "content": {}, "relates": {"m.in_reply_to": {"event_id": event}}}


def own(event: str) -> dict[str, Any]:
    return {"from": "@a:x", "id": event, "body": "", "content": {}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([doubt("$e")], True),
        ([doubt("$later")], True),
        ([sign("$e"), doubt("$later")], False),
        ([sign("$later")], False),
        ([doubt("$before")], False),
        ([], False),
    ],
)
def test_a_doubt_under_the_last_message_of_a_mail_is_one_of_all_in_it(
    told: list[dict[str, Any]], expected: object
) -> None:
    reports = [own("$before"), own("$e"), own("$later"), *told]
    assert _is_doubted(clinician(Session(*reports)), "k1y") is expected


def test_of_a_mail_that_came_its_own_messages_tell() -> None:
    person = clinician(Session(own("$e"), own("$later"), doubt("$later")), theirs=1)
    person.sent["k2y"] = "$later"
    assert not _is_doubted(person, "k1y")
    person.theirs.mails[0] = mail("by x (Postfix) with ESMTPSA id 0A; 0", "voici k1y, bien\nk2y")
    assert _is_doubted(person, "k1y")
