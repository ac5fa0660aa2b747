"""What is kept and yet deserves a look, counted by name."""

from __future__ import annotations

import sqlite3

from colloque.policy.professions import PROFESSIONS

_QUERIES = {
    "mailbox.repeated": "SELECT coalesce(sum(repeats), 0) FROM mailbox WHERE repeats > 0",
    "mailbox.disputed": "SELECT count(*) FROM mailbox WHERE disputed = 1",
    "mailbox.owner_not_listed": "SELECT count(*) FROM mailbox WHERE national IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM people WHERE people.national = mailbox.national)",
    "mailbox.domain_not_whitelisted": "SELECT count(*) FROM mailbox WHERE NOT EXISTS "
    "(SELECT 1 FROM whitelist WHERE domain = substr(address, instr(address, '@') + 1))",
    "person.adeli_only": "SELECT count(*) FROM people WHERE national < '1'",
    "card.opposed": "SELECT count(*) FROM card WHERE opposed_on <> ''",
}
SKILL_TYPES = ("S", "C", "CEX", "CAPA", "FQ", "Q", "O", "PAC", "DEC")


def noticed(db: sqlite3.Connection) -> dict[str, int]:
    """Counts above zero."""
    found = {name: db.execute(query).fetchone()[0] for name, query in _QUERIES.items()}
    known = ", ".join(f"'{code}'" for code in sorted(PROFESSIONS))
    query = f"SELECT count(*) FROM activity WHERE profession_code NOT IN ({known})"  # noqa: S608 - our own codes
    found["activity.profession_unknown"] = db.execute(query).fetchone()[0]
    known = ", ".join(f"'{code}'" for code in SKILL_TYPES)
    query = f"SELECT count(*) FROM skill WHERE type_code NOT IN ({known})"  # noqa: S608
    found["skill.type_unknown"] = db.execute(query).fetchone()[0]
    return {name: count for name, count in found.items() if count}
