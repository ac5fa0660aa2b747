"""The awkward mails, and how what is read of one is compared with its right outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colloque.mail.message import Mail
from colloque.mail.parse import parse_mail

CORPUS = Path(__file__).parents[2] / "data" / "mail"
PATHS = {p.stem: p for p in sorted(CORPUS.rglob("*.eml"))}
"""Those in `raw` have bytes that mail servers would change."""

SENDER = ("Dr Camille ESSAI", "camille.essai@aura.mssante.example")


def read(name: str) -> Mail:
    return parse_mail(PATHS[name].read_bytes())


def outcome(name: str) -> dict[str, Any]:
    """What was read of a mail, without what is as in most of them."""
    mail = read(name)
    found = {
        "text": mail.text,
        "html": mail.html,
        "files": [item.name for item in mail.attachments],
        "problems": list(mail.problems),
        "subject": mail.subject,
        "sender": (mail.sender.name, mail.sender.address),
        "message_id": mail.message_id,
        "parents": [id_ for id_ in (mail.in_reply_to, *mail.references) if id_],
        "automatic": mail.automatic,
        "robot": mail.robot,
        "receipt_to": mail.receipt_to,
        "reports": [(r.kind, r.recipient, r.original_message_id) for r in mail.reports],
        "from_operator": mail.from_operator,
        "meetings": [(m.method, f"{m.start}", f"{m.end}", m.title, m.place) for m in mail.meetings],
    }
    usual = {
        "text": "x",
        "html": "",
        "files": [],
        "problems": [],
        "subject": "Essai",
        "sender": SENDER,
        "message_id": f"<{name}@aura.mssante.example>",
        "parents": [],
        "automatic": False,
        "robot": "",
        "receipt_to": "",
        "reports": [],
        "from_operator": False,
        "meetings": [],
    }
    return {key: value for key, value in found.items() if value != usual[key]}
