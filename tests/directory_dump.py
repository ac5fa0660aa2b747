"""A directory file's content in a form that two ways of importing can be compared by: without ids of ours."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from colloque.directory import words
from colloque.directory.engine import open_read_only
from colloque.directory.postings import unpack

_OWN = {
    "skill": "national, profession_code, type_code, code, label",
    "diploma": "national, type_code, code, label, permit_type_code, permit_code, permit",
    "card": "national, type_code, number, valid_from, valid_until, opposed_on, updated_on",
    "mailbox": "address, kind, national, rpps, adeli, structure, repeats, disputed",
    "move": "adeli, rpps",
    "whitelist": "domain",
    "source": "kind, encoding, rows, kept",
    "trade": "profession_code, specialty_code, profession, specialty",
    "town": "name, places",
    "shelf": "ends, words",
}


def dump(path: Path) -> dict[str, Any]:
    """Everything that readers can see, and the rows that each file had."""
    with closing(open_read_only(path)) as db:
        content: dict[str, Any] = {
            table: sorted(db.execute(f"SELECT {columns} FROM {table}").fetchall()) for table, columns in _OWN.items()
        }
        people = db.execute("SELECT id, national, rpps, adeli, family, given, title FROM people").fetchall()
        name = {row[0]: row[1] for row in people}
        assert len(set(name.values())) == len(people), "somebody stands there twice"
        content["people"] = {
            row[1]: (
                *row[2:],
                *(a[2:] for a in db.execute("SELECT * FROM activity WHERE person = ? ORDER BY id", row[:1])),
            )
            for row in people
        }
        orphans = db.execute("SELECT count(*) FROM activity WHERE person NOT IN (SELECT id FROM people)").fetchone()
        assert orphans == (0,)

        def who(packed: bytes) -> Iterable[str]:
            return sorted(name[person] for person in unpack(packed))

        content["name_list"] = {
            word: (who(ids[:size]), who(ids[size:]))
            for word, size, ids in db.execute("SELECT word, family, ids FROM name_list")
        }
        content["work_list"] = {
            place: {trade: who(ids) for trade, ids in words.split(trades, packed)}
            for place, trades, packed in db.execute("SELECT place, trades, ids FROM work_list")
        }
    return content
