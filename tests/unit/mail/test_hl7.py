"""Moments keep how much is known of them; identifiers and their written forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.mail.hl7 import Coded, Identifier, Moment, Precision, is_oid


@pytest.mark.parametrize(
    ("text", "at", "precision", "given"),
    [
        ("2021", "2021-01-01T00:00:00+01:00", Precision.YEAR, True),
        ("202107", "2021-07-01T00:00:00+02:00", Precision.MONTH, True),
        ("19790328", "1979-03-28T00:00:00+01:00", Precision.DAY, True),
        ("201907011649+0100", "2019-07-01T16:49:00+01:00", Precision.MINUTE, True),
        ("20200701134745", "2020-07-01T13:47:45+02:00", Precision.SECOND, False),
        ("20210401134745.123-0930", "2021-04-01T13:47:45-09:30", Precision.SECOND, True),
    ],
)
def test_a_moment_says_what_is_known(text: str, at: str, precision: Precision, given: bool):
    found = Moment.parse(text)
    assert (found.at.isoformat(), found.precision, found.offset_given) == (at, precision, given)
    assert Moment.parse(found.hl7) in {found, Moment(found.at, found.precision)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "21",
        "20211301",
        "20210230",
        "2021040125",
        "00000101",
        "20210401+9900",
        "aujourd'hui",
        "٢٠٢١",
        "99991231235959-2300",
        "0001",
        "0001+0000",
    ],
)
def test_what_is_no_time(text: str):
    with pytest.raises(BadInput):
        Moment.parse(text)


def test_metadata_have_their_times_in_utc():
    assert Moment.parse("20210401134745+0200").dtm == "20210401114745"
    assert Moment.parse("20210401").dtm == "20210401"
    assert Moment.of(datetime(2026, 7, 1, 22, 5, 6, 7, UTC)).hl7 == "20260702000506+0200"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("20210401134745.123-0930", "20210401134745-0930"),
        ("202101011649", "202101011649+0100"),
        ("20210401-0930", "20210401"),
        ("1891031500", "189103150000+0009"),
        ("20210328023000", "20210328023000+0100"),
        ("20211031023000", "20211031023000+0200"),
    ],
)
def test_a_time_is_written_with_its_offset(text: str, written: str):
    """In an hour of Paris that is skipped or comes twice, with the one before the change."""
    assert Moment.parse(text).hl7 == written


@given(st.text("0123456789+-.", max_size=22) | st.from_regex(r"[0-9]{4}([0-9]{2}){0,5}([+-][0-9]{4})?", fullmatch=True))
@example("1891031500")
@example("20210328023000")
@example("20211031023000")
@example("20210401-0930")
@example("0001+0000")
def test_moments_are_read_or_refused(text: str):
    try:
        found = Moment.parse(text)
    except BadInput:
        return
    again = Moment.parse(found.hl7)
    assert (again.at.replace(tzinfo=None), again.precision) == (found.at.replace(tzinfo=None), found.precision)
    if found.precision in {Precision.MINUTE, Precision.SECOND}:
        # Not `==`: between two zones it is never true of an hour that is skipped or comes twice (PEP 495). Before 1911
        # the offset of Paris had seconds, which can't be written.
        apart = abs(again.at.timestamp() - found.at.timestamp())
        assert apart == 0 or (apart <= 30 and found.at.year <= 1911)


def test_identifiers():
    number = Identifier.parse_cx("279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH")
    assert number == Identifier("1.2.250.1.213.1.4.10", "279035121518989")
    assert Identifier.parse_cx("1^^^NS&1.2.3&ISO") == Identifier("1.2.3", "1")
    assert number.cx("NH") == "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert "279035121518989" not in repr(number)
    assert Identifier("1.2", "a").joined == "1.2^a"
    assert Identifier("1.2").joined == "1.2"
    for text in ("", "1", "1^^^1.2.3", "^^^&1.2.3&ISO", "1^^^&x&ISO"):
        with pytest.raises(BadInput):
            Identifier.parse_cx(text)
    assert is_oid("1.2.250.1")
    assert not is_oid("1.02")
    assert not is_oid("urn:oid:1.2")
    assert Coded("a", "1.2", "b") == Coded("a", "1.2", "b")
