"""The directory's tables, the same on SQLite and PostgreSQL: what the import fills and every reader may ask.

A person is one row of `people`, whatever numbers they had: `national` is the "Identification nationale PP" they go by
today (`8` and the RPPS, or `0` and the ADELI number of somebody who has no RPPS yet), `adeli` also the number they had
before their RPPS. `people.id` is small, given in order, stays the same from one import to the next, and never leaves
the file. `activity` hangs on that id; skills, diplomas, cards and mailboxes hang on `national`, since their files may
name somebody whom the people's file does not list. Texts are empty, never NULL, where the files say nothing.
"""

from __future__ import annotations

APPLICATION = 0x434F4C51
VERSION = 2
"""Grows when the tables change; a file of another version is imported again, never migrated."""

TABLES: dict[str, str] = {
    "people": "id INTEGER PRIMARY KEY, national TEXT NOT NULL, rpps TEXT, adeli TEXT, family TEXT NOT NULL, "
    "given TEXT NOT NULL, title TEXT NOT NULL",
    # In the order of the file: a person's activities by ascending id.
    "activity": "id INTEGER PRIMARY KEY, person INTEGER NOT NULL, profession_code TEXT NOT NULL, "
    "profession TEXT NOT NULL, category_code TEXT NOT NULL, specialty_code TEXT NOT NULL, specialty TEXT NOT NULL, "
    "mode_code TEXT NOT NULL, structure TEXT NOT NULL, structure_id TEXT NOT NULL, postcode TEXT NOT NULL, "
    "town TEXT NOT NULL, department_code TEXT NOT NULL, sector_code TEXT NOT NULL, role_code TEXT NOT NULL, "
    "genre_code TEXT NOT NULL",
    "skill": "id INTEGER PRIMARY KEY, national TEXT NOT NULL, profession_code TEXT NOT NULL, type_code TEXT NOT NULL, "
    "code TEXT NOT NULL, label TEXT NOT NULL",
    "diploma": "id INTEGER PRIMARY KEY, national TEXT NOT NULL, type_code TEXT NOT NULL, code TEXT NOT NULL, "
    "label TEXT NOT NULL, permit_type_code TEXT NOT NULL, permit_code TEXT NOT NULL, permit TEXT NOT NULL",
    # Dates are `YYYY-MM-DD`; `opposed_on` is empty unless the card was opposed (revoked).
    "card": "id INTEGER PRIMARY KEY, national TEXT NOT NULL, type_code TEXT NOT NULL, number TEXT NOT NULL, "
    "valid_from TEXT NOT NULL, valid_until TEXT NOT NULL, opposed_on TEXT NOT NULL, updated_on TEXT NOT NULL",
    # The owner (`national`, with `rpps` or `adeli`) is NULL for ORG, and for PER that two people claim (`disputed`).
    "mailbox": "id INTEGER PRIMARY KEY, address TEXT NOT NULL, kind TEXT NOT NULL, national TEXT, rpps TEXT, "
    "adeli TEXT, structure TEXT NOT NULL, repeats INTEGER NOT NULL DEFAULT 0, disputed INTEGER NOT NULL DEFAULT 0",
    # Every ADELI number known to have become an RPPS; somebody may have had several.
    "move": "adeli TEXT NOT NULL PRIMARY KEY, rpps TEXT NOT NULL",
    "whitelist": "domain TEXT NOT NULL PRIMARY KEY",
    "source": "kind TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, made_at BIGINT NOT NULL, dated_by TEXT NOT NULL, "
    "encoding TEXT NOT NULL, rows INTEGER NOT NULL, kept INTEGER NOT NULL, layout TEXT NOT NULL",
    # Times are milliseconds since 1970, all others counts and flags.
    "meta": "key TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL",
    # Against the directory before: subject `person` (by `national`; `former` when it was another) or `mailbox` (by
    # `address`; `national` its owner now, else before); what: `added`, `changed`, `gone`.
    "change": "subject TEXT NOT NULL, what TEXT NOT NULL, national TEXT, former TEXT, address TEXT",
    # The import's own memory of each file, line by line (`lines.Memory`): what the next import need not read again.
    "line": "kind TEXT NOT NULL, part INTEGER NOT NULL, digests BLOB NOT NULL, refs BLOB NOT NULL, "
    "PRIMARY KEY (kind, part)",
}
"""Name to columns. `source.layout` says how a file's lines were read (header, mode)."""

INDEXES: dict[str, tuple[str, ...]] = {
    "people": ("CREATE INDEX people_national ON people (national)",),
    "activity": ("CREATE INDEX activity_person ON activity (person)",),
    "mailbox": (
        "CREATE INDEX mailbox_address ON mailbox (address)",
        "CREATE INDEX mailbox_national ON mailbox (national) WHERE national IS NOT NULL",
    ),
    "skill": ("CREATE INDEX skill_national ON skill (national)",),
    "diploma": ("CREATE INDEX diploma_national ON diploma (national)",),
    "card": ("CREATE INDEX card_national ON card (national)",),
    "move": ("CREATE INDEX move_rpps ON move (rpps)",),
}
"""Made once a table is filled; the import sees to it that `national` and `address` are unique.

By RPPS: `people.national = '8' || rpps`; by ADELI: `'0' || adeli`, else through `move`.
"""
