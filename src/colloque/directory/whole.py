"""People of the directory, whole: from their row and from all that hangs on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from colloque.directory.engine import Rows
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Activity, Mailbox, MailboxKind, Professional, Skill

_PEOPLE = "SELECT id, national, rpps, adeli, family, given, title FROM people"
_ACTIVITIES = (
    "SELECT person, profession_code, profession, category_code, specialty_code, specialty, mode_code, structure, "
    "structure_id, postcode, town, department_code, sector_code, role_code, genre_code FROM activity"
)
_SKILLS = "SELECT national, type_code, code, label FROM skill"
_FORMER = "SELECT adeli FROM move WHERE rpps = ? ORDER BY adeli"
_MAILBOXES = "SELECT national, address, kind, structure FROM mailbox"


def professionals(rows: Rows, ids: Sequence[int]) -> list[Professional]:
    """The people with those ids, whole, in that order; ids that nobody has are left out."""
    if not ids:
        return []
    found = {person[0]: person for person in rows(f"{_PEOPLE} WHERE id IN ({_marks(ids)})", ids)}
    return _whole(rows, [found[number] for number in ids if number in found])


def first(rows: Rows, condition: str, *values: str) -> Professional | None:
    """The one person who fits; None when nobody does. `condition` is over `people`."""
    # Of an RPPS and an ADELI number the RPPS is the person of today.
    found = rows(f"{_PEOPLE} WHERE {condition} ORDER BY national DESC LIMIT 1", values)
    return _whole(rows, found)[0] if found else None


def _whole(rows: Rows, people: list[tuple[Any, ...]]) -> list[Professional]:
    """People as `_PEOPLE` selects them, with all that hangs on them: one question a table, however many they are."""
    if not people:
        return []
    ids, nationals = [p[0] for p in people], [p[1] for p in people]
    marks = _marks(people)
    activities, skills, boxes = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in rows(f"{_ACTIVITIES} WHERE person IN ({marks}) ORDER BY id", ids):
        activities[row[0]].append(Activity(*row[1:]))
    for row in rows(f"{_SKILLS} WHERE national IN ({marks}) ORDER BY id", nationals):
        skills[row[0]].append(Skill(*row[1:]))
    for row in sorted(rows(f"{_MAILBOXES} WHERE national IN ({marks})", nationals)):
        boxes[row[0]].append(row)
    return [
        Professional(
            Rpps(rpps) if rpps else None,
            family,
            given,
            title,
            tuple(activities[number]),
            tuple([box(address, kind, where, rpps, adeli) for _, address, kind, where in boxes[national]]),
            Adeli(adeli) if adeli else None,
            tuple(skills[national]),
            # Asked for the few who have both numbers.
            tuple([Adeli(value) for (value,) in rows(_FORMER, (rpps,))]) if rpps and adeli else (),
        )
        for number, national, rpps, adeli, family, given, title in people
    ]


def box(address: str, kind: str, structure: str, rpps: str | None, adeli: str | None) -> Mailbox:
    """A mailbox from its row; of an owner with both numbers the RPPS counts."""
    return Mailbox(
        MssanteAddress(address),
        MailboxKind(kind),
        structure,
        Rpps(rpps) if rpps else None,
        Adeli(adeli) if adeli and not rpps else None,
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
