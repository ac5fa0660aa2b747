"""The few fields of an invitation that a line can say (RFC 5545). Whatever is not plain and whole gives None."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from colloque.clock import PARIS
from colloque.mail.message import Meeting, MeetingMethod, one_line
from colloque.mail.words import decode, printable

SIZE_LIMIT = 200_000
"""Bytes. A longer calendar is a file and no more."""
WORDS_LIMIT = 200
"""Characters kept of a meeting's title and place."""
_LINE_LIMIT = 10_000
_EVENTS_LIMIT = 50

_LINE = re.compile(r'([A-Za-z0-9-]{1,60})((?:;[^:;"=]{1,60}=(?:"[^"]*"|[^:;"]*))*):(.*)\Z')
_PARAMETER = re.compile(r';([^:;"=]{1,60})=("[^"]*"|[^:;"]*)')
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)\Z", re.ASCII)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)\Z", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?:(\d{1,3})W|(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?)\Z", re.ASCII
)
_ESCAPED = re.compile(r"\\(.)")
_METHODS: dict[str, MeetingMethod] = {
    "REQUEST": "request", "CANCEL": "cancel", "REPLY": "reply", "COUNTER": "counter", "PUBLISH": "publish",
    "": "publish",
}  # fmt: skip
_IN_PARIS = {"europe/paris", "romance standard time"}
"""Zones whose hours are Paris's: IANA's name, and Windows's."""
_ONCE = {"DTSTART", "DTEND", "DURATION", "SUMMARY", "LOCATION", "STATUS", "UID", "RECURRENCE-ID", "RRULE"}


class _Unclear(Exception):
    pass


@dataclass
class _Event:
    """The fields of one VEVENT: `(parameters, value)` by name."""

    fields: dict[str, tuple[str, str]] = field(default_factory=dict)

    def put(self, name: str, parameters: str, value: str) -> None:
        if self.fields.setdefault(name, (parameters, value)) != (parameters, value):
            raise _Unclear  # readers would differ

    def value(self, name: str) -> str:
        return self.fields.get(name, ("", ""))[1].strip()


def meeting(data: bytes, charset: str | None, method: str) -> Meeting | None:
    """The one meeting that a `text/calendar` part speaks of; None where that is not certain.

    `method` is what the part's own header says: a calendar that says something else is believed in nothing.
    """
    text, exact = decode(data, charset) if len(data) <= SIZE_LIMIT else ("", False)
    if not exact:
        return None
    try:
        said, events = _read(printable(text))
        if method and method.strip().upper() != said:
            return None
        return _meeting(said, events)
    except (_Unclear, ValueError, OverflowError):
        return None


@dataclass
class _Calendar:
    """What is gathered line by line."""

    method: str = ""
    events: list[_Event] = field(default_factory=list)
    within: list[str] = field(default_factory=list)
    ended: bool = False

    def take(self, name: str, parameters: str, value: str) -> None:
        """One line."""
        if self.ended:
            raise _Unclear
        if name == "BEGIN":
            self._begin(value.strip().upper())
        elif not self.within:
            raise _Unclear
        elif name == "END":
            self._end(value.strip().upper())
        elif name == "METHOD" and self.within == ["VCALENDAR"]:
            if self.method:
                raise _Unclear
            self.method = value.strip().upper()
        elif name in _ONCE and self.within == ["VCALENDAR", "VEVENT"]:
            self.events[-1].put(name, parameters, value)

    def _begin(self, name: str) -> None:
        self.within.append(name)
        if self.within == ["VCALENDAR", "VEVENT"]:
            self.events.append(_Event())
        if len(self.within) > 5 or len(self.events) > _EVENTS_LIMIT:
            raise _Unclear

    def _end(self, name: str) -> None:
        if self.within.pop() != name:
            raise _Unclear
        self.ended = not self.within


def _read(text: str) -> tuple[str, list[_Event]]:
    """`(METHOD, events)`."""
    calendar = _Calendar()
    for line in re.sub(r"\n[ \t]", "", text).strip("\n").split("\n"):
        match = _LINE.match(line) if len(line) <= _LINE_LIMIT else None
        if match is None:
            raise _Unclear
        calendar.take(match[1].upper(), match[2], match[3])
    if not calendar.ended:
        raise _Unclear
    return calendar.method, calendar.events


def _meeting(method: str, events: list[_Event]) -> Meeting:
    """Of one meeting; its exceptions (other events of the same UID) count as repetition."""
    if not events or len({each.value("UID") for each in events}) != 1:
        raise _Unclear
    event = next((each for each in events if not each.value("RECURRENCE-ID")), events[0])
    known = _METHODS.get(method)
    if known is None:
        raise _Unclear
    start = _moment(*event.fields.get("DTSTART", ("", "")))
    end = _end(event, start)
    return Meeting(
        method="cancel" if event.value("STATUS").upper() == "CANCELLED" else known,
        start=start,
        end=end,
        title=_words(event.value("SUMMARY")),
        place=_words(event.value("LOCATION")),
        repeated=len(events) > 1 or "RRULE" in event.fields,
    )


def _end(event: _Event, start: date) -> date | None:
    """The last moment, or the last day: the file names the day after."""
    if "DTEND" in event.fields:
        end = _moment(*event.fields["DTEND"])
    elif "DURATION" in event.fields:
        match = _DURATION.match(event.value("DURATION"))
        if match is None or not any(match.groups()):
            raise _Unclear
        weeks, days, hours, minutes, seconds = (int(n or 0) for n in match.groups())
        span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        # By the clock that runs, not the one on the wall: summer may begin or end meanwhile.
        end = (start.astimezone(UTC) + span).astimezone(PARIS) if isinstance(start, datetime) else start + span
    else:
        return None
    if isinstance(end, datetime) != isinstance(start, datetime) or end < start:
        raise _Unclear
    return end if isinstance(end, datetime) or end == start else end - timedelta(days=1)


def _moment(parameters: str, value: str) -> date:
    """A day, or an aware moment in Paris. A clock time that names no zone, or another one, is unclear."""
    given = {name.upper(): said.strip('"').lower() for name, said in _PARAMETER.findall(parameters)}
    value = value.strip()
    if (day := _DATE.match(value)) is not None and given.get("VALUE", "date") == "date":
        return date(int(day[1]), int(day[2]), int(day[3]))
    match = _TIME.match(value)
    if match is None or given.get("VALUE", "date-time") != "date-time":
        raise _Unclear
    year, month, day_, hour, minute, second = (int(match[n]) for n in range(1, 7))
    zone = given.get("TZID", "")
    if match[7] and not zone:
        return datetime(year, month, day_, hour, minute, second, tzinfo=UTC).astimezone(PARIS)
    if match[7] or zone not in _IN_PARIS:
        raise _Unclear
    return datetime(year, month, day_, hour, minute, second, tzinfo=PARIS)


def _words(value: str) -> str:
    said = _ESCAPED.sub(lambda m: " " if m[1] in "nN" else m[1], value)
    return one_line(said, WORDS_LIMIT)
