"""`access.json`: all that an outside program needs to take part in the demo with accounts of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from colloque.config import Config
from colloque.files import write_private
from colloque_demo.people import Cast, Person
from colloque_demo.supervisor import Supervisor


def describe(
    *, config: Config, cast: Cast, admin_room: str, supervisor: Supervisor, public_key: Path
) -> dict[str, Any]:
    """The file's content."""
    mssante = config.mssante
    return {
        "homeserver": config.homeserver.url,
        "server_name": config.homeserver.server_name,
        "users": [_user(person) for person in cast.accounts],
        "mail": {
            "imap": {"host": mssante.imap.host, "port": mssante.imap.port, "tls": mssante.imap.tls},
            "smtp": {"host": mssante.smtp.host, "port": mssante.smtp.port, "tls": mssante.smtp.tls},
            "ca": str(mssante.imap.ca),
            "mailboxes": [{"address": p.address.value, "password": p.mail_password} for p in cast.with_mailbox],
        },
        "bots": {
            "annuaire": config.bot("annuaire"),
            "salles": config.bot("salles"),
            "mssante": config.bot("mssante"),
        },
        "admin_room": admin_room,
        "services": [
            {"name": p.name, "pid": supervisor.pid(p.name), "health": p.health, "metrics": p.metrics}
            for p in supervisor.programs()
            if p.health is not None
        ],
        "receipts": {"dir": str(config.salles.receipts), "public_key": str(public_key)},
        "limits": {
            "code_seconds": config.annuaire.code_s,
            "code_tries": config.annuaire.code_tries,
            "room_lifetime_seconds": config.salles.lifetime.idle_s,
        },
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file; it holds passwords, so only its owner may read it."""
    write_private(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _user(person: Person) -> dict[str, Any]:
    out = {
        "mxid": person.account,
        "password": person.password,
        "rpps": person.rpps.value,
        "mssante": person.address.value,
        "role": person.role.value,
        "used": person.used,
    }
    return out | ({"recovery_key": person.recovery_key} if person.recovery_key else {})
