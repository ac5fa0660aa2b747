"""What the bridge's soak counts as one: a mail that stands twice in a mailbox is two, a queue id is one."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, cast

import pytest

from colloque_mssante import texts
from tests.soak.bridge_people import Clinician, Shelf, _as_events, _as_mail
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


def test_a_message_left_as_often_as_the_operator_took_it() -> None:
    sign = {"body": None, "content": {}, "relates": {"event_id": "$e", "key": texts.SENT}}
    other = {"body": None, "content": {}, "relates": {"event_id": "$other", "key": texts.SENT}}
    assert _as_mail(clinician(Session(other), theirs=2, copies=1), REPLY)[:2] == [2, 1]
    assert _as_mail(clinician(Session(other), theirs=2, copies=2, queue="Q"), REPLY) == [1, 2, 0]
    assert _as_mail(clinician(Session(sign, sign), theirs=1, copies=1), REPLY) == [1, 1, 1]
