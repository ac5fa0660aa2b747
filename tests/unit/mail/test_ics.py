"""A line of a calendar where it is clear; else the file alone."""

from __future__ import annotations

import time
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.clock import PARIS
from colloque.mail.ics import meeting
from colloque.mail.message import Meeting
from colloque.mail.parse import parse_mail

EVENT = ("UID:1", "DTSTART;TZID=Europe/Paris:20260302T090000", "DTEND;TZID=Europe/Paris:20260302T100000", "SUMMARY:RCP")
NINE, TEN = datetime(2026, 3, 2, 9, tzinfo=PARIS), datetime(2026, 3, 2, 10, tzinfo=PARIS)


def calendar(*event: str, method: str = "METHOD:REQUEST", more: str = "") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", method, "BEGIN:VEVENT", *event, "END:VEVENT", more, "END:VCALENDAR", ""]
    return "\r\n".join(line for line in lines if line).encode()


def read(*event: str, method: str = "METHOD:REQUEST", more: str = "") -> Meeting | None:
    return meeting(calendar(*event, method=method, more=more), None, "")


def test_an_invitation():
    found = read(*EVENT, "LOCATION:Salle 2\\, étage 1", "RRULE:FREQ=WEEKLY")
    assert found == Meeting("request", NINE, TEN, "RCP", "Salle 2, étage 1", repeated=True)


@pytest.mark.parametrize(
    ("start", "end", "read_start", "read_end"),
    [
        ("DTSTART:20260302T080000Z", "DTEND:20260302T090000Z", NINE, TEN),
        ('DTSTART;TZID="Romance Standard Time":20260302T090000', "DURATION:PT1H", NINE, TEN),
        ("DTSTART:20260302T080000Z", "X-A:b", NINE, None),
        ("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260303", date(2026, 3, 2), date(2026, 3, 2)),
        ("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260305", date(2026, 3, 2), date(2026, 3, 4)),
        ("DTSTART:20260302", "DURATION:P2D", date(2026, 3, 2), date(2026, 3, 3)),
        ("DTSTART:20260302", "DTEND:20260302", date(2026, 3, 2), date(2026, 3, 2)),
        (
            "DTSTART;TZID=Europe/Paris:20260328T230000",
            "DURATION:PT6H",
            datetime(2026, 3, 28, 23, tzinfo=PARIS),
            datetime(2026, 3, 29, 6, tzinfo=PARIS),
        ),
    ],
)
def test_days_and_moments(start: str, end: str, read_start: date, read_end: date | None):
    found = read("UID:1", start, end)
    assert found is not None
    assert (found.start, found.end) == (read_start, read_end)


@pytest.mark.parametrize(
    ("method", "status", "read_as"),
    [
        ("METHOD:REQUEST", "STATUS:CONFIRMED", "request"),
        ("METHOD:REQUEST", "STATUS:CANCELLED", "cancel"),
        ("METHOD:CANCEL", "X-A:b", "cancel"),
        ("METHOD:REPLY", "X-A:b", "reply"),
        ("", "X-A:b", "publish"),
    ],
)
def test_methods(method: str, status: str, read_as: str):
    found = read(*EVENT, status, method=method)
    assert found is not None
    assert found.method == read_as


def test_folded_lines_and_what_stands_in_an_alarm():
    alarm = ("BEGIN:VALARM", "SUMMARY:autre", "DURATION:PT5M", "END:VALARM")
    found = read(*EVENT[:3], "SUMMARY:Réunion de\r\n  concertation\\nà huit\u202e heures", *alarm)
    assert found is not None
    assert found.title == "Réunion de concertation à huit heures"


@pytest.mark.parametrize(
    "event",
    [
        (),
        ("UID:1",),
        ("UID:1", "DTSTART:20260302T090000"),
        ("UID:1", "DTSTART;TZID=America/New_York:20260302T090000"),
        ("UID:1", "DTSTART;TZID=Europe/Paris:20260302T090000Z"),
        ("UID:1", "DTSTART:20261302"),
        ("UID:1", "DTSTART:00000000"),
        ("UID:1", "DTSTART:20260302T250000Z"),
        ("UID:1", "DTSTART:20260302T080000Z", "DTEND:20260302T070000Z"),
        ("UID:1", "DTSTART:20260302T080000Z", "DTEND;VALUE=DATE:20260303"),
        ("UID:1", "DTSTART:20260302T080000Z", "DURATION:P"),
        ("UID:1", "DTSTART:99991231", "DURATION:P999W"),
        (*EVENT, "DTSTART:20260303"),
        (*EVENT, "SUMMARY:autre"),
        (*EVENT, "sans deux points"),
        (*EVENT, "END:VEVENT", "BEGIN:VEVENT", "UID:2", "DTSTART:20260303"),
        (*EVENT, "BEGIN:X"),
        (*EVENT, "END:VEVENT", "END:VCALENDAR", "BEGIN:VCALENDAR", "BEGIN:VEVENT"),
        (*EVENT, "X-A:" + "b" * 20_000),
    ],
    ids=range(19),
)
def test_what_is_not_clear_is_a_file_and_no_more(event: tuple[str, ...]):
    assert read(*event) is None


@pytest.mark.parametrize("method", ["METHOD:REFRESH", "METHOD:X", "METHOD:REQUEST\r\nMETHOD:CANCEL"])
def test_other_methods(method: str):
    assert read(*EVENT, method=method) is None


def test_two_headers_that_disagree_and_wrong_charsets():
    assert meeting(calendar(*EVENT), "utf-8", "CANCEL") is None
    assert meeting(calendar(*EVENT), "utf-8", "request") is not None
    assert meeting(calendar(*EVENT, "LOCATION:é"), "us-ascii", "") is not None
    assert meeting(calendar(*EVENT, "LOCATION:é"), "x-unknown", "") is None
    assert meeting(b"\xff" + calendar(*EVENT), "utf-8", "") is None


def test_an_exception_of_a_series_does_not_take_its_place():
    found = read("UID:1", "RECURRENCE-ID:20260309", "DTSTART:20260310", "END:VEVENT", "BEGIN:VEVENT", *EVENT)
    assert found is not None
    assert (found.start, found.repeated) == (NINE, True)


def test_the_file_stays():
    raw = b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\n" + calendar(*EVENT)
    mail = parse_mail(raw)
    assert [m.title for m in mail.meetings] == ["RCP"]
    assert [(a.name, a.data) for a in mail.attachments] == [("document-1.ics", calendar(*EVENT))]


LINES = st.sampled_from(
    [*EVENT, "BEGIN:VEVENT", "END:VEVENT", "END:VCALENDAR", "DURATION:PT1H", "RRULE:x", " suite", ""]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=10)), max_size=12))
def test_any_calendar(lines: list[str]):
    read(*lines)


@pytest.mark.parametrize(
    "line", ["A" + ";B=C" * 3_000 + "x", 'A;B="' * 2_000, "BEGIN:X\r\n" * 20_000, "A:b\r\n" * 40_000, "\r\n x" * 60_000]
)
def test_hostile_calendars_take_little_time(line: str):
    start = time.process_time()
    read(*EVENT, line)
    assert time.process_time() - start < 4
