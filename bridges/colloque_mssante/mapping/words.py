"""What stands above a mail's own words, and both in one event."""

from __future__ import annotations

from colloque.mail.bodies import escaped
from colloque.mail.message import Attachment, Mail
from colloque.matrix.home import JsonDict, text
from colloque_mssante.texts import mails as texts

_SEALED = {"smime-encrypted", "pgp-encrypted"}
TEXT_BYTES = 20_000
"""UTF-8 bytes of a text event's body, its HTML included. Matrix holds 65,536 bytes an event: JSON may double them,
base64 adds a third."""


def notes(mail: Mail) -> list[str]:
    """What is to be known of a mail beside its words."""
    robots = {"reply": texts.AUTOMATIC_REPLY, "other": texts.AUTOMATIC}
    return [
        *([robots[mail.robot]] if mail.robot else []),
        *([texts.ENCRYPTED] if "smime-encrypted" in mail.problems else []),
        *([texts.ENCRYPTED_PGP] if "pgp-encrypted" in mail.problems else []),
        *([texts.MANY_FILES] if "many-files" in mail.problems else []),
        *(texts.meeting(each) for each in mail.meetings),
    ]


def in_one_event(mail: Mail, above: str, *, quiet: bool) -> tuple[JsonDict, Attachment | None]:
    """The event's content, and the whole as a file where it had to be cut.

    HTML is there only where both fit: it says the same words.
    """
    body = mail.text.strip("\n") or ("" if _SEALED & set(mail.problems) else texts.NO_TEXT)
    whole = f"{above}\n\n{body}" if body else above
    size = len(whole.encode())
    if size > TEXT_BYTES:
        cut = whole.encode()[: TEXT_BYTES - len(texts.CUT.encode())].decode("utf-8", "ignore")
        return text(cut + texts.CUT, notice=quiet), Attachment("message.txt", "text/plain", whole.encode())
    rich = f"{escaped(above)}<br><br>{mail.html}" if mail.html else ""
    fits = 0 < len(rich.encode()) <= TEXT_BYTES - size
    return text(whole, html=rich if fits else None, notice=quiet), None
