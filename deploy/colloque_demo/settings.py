"""Secrets, tokens and `colloque.yaml` of one demo: the same file, the same strictness as in production."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ruamel.yaml import YAML

from colloque.config import Config
from colloque.config_load import load
from colloque.files import free_port, write_private
from colloque_demo.homeserver import Appservice
from colloque_demo.layout import Layout

SERVER_NAME = "hopital.test"
"""`.test` belongs to nobody (RFC 2606)."""
SENDER = "colloque@hopital.mssante.test"
"""The service's own APP mailbox."""
ADMIN = "administration"
"""Localpart of the administrator."""
GHOSTS = "mss_"
SERVICES = ("annuaire", "salles", "mssante")

CODE_S = 120
CODE_TRIES = 3
CODES_PER_DAY = 20
"""More than in production: whoever tries the demo out asks for many."""
IDLE_S = 30
"""A patient room's life after its last message: time enough for somebody outside to write, send a file and wait."""
NOTICE_S = 10
LINGER_S = 5
ARCHIVE_WAIT_S = 21


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports, each free a moment ago."""

    synapse: int
    synapse_metrics: int
    annuaire: int
    salles: int
    mssante: int
    imap: int
    smtp: int

    @classmethod
    def choose(cls) -> Ports:
        """Free ports, no two alike."""
        found: set[int] = set()
        while len(found) < len(fields(cls)):
            found.add(free_port())
        return cls(*found)


def password() -> str:
    """A random password."""
    return secrets.token_urlsafe(15)


def make_secrets(layout: Layout) -> None:
    """Every secret of the stack, random, one file each, readable by its owner only."""
    names = ["identity", "pickle", "snapshot", *(f"{service}.as_token" for service in SERVICES)]
    for name in names:
        write_private(layout.secret(name), secrets.token_hex(32))
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(layout.secret("receipts.pem"), pem)


def appservices(layout: Layout) -> tuple[Appservice, ...]:
    """The three registrations: three bots that sync, one of them with its ghosts. Nothing is pushed."""

    def one(name: str, ghosts: str | None = None) -> Appservice:
        token = layout.secret(f"{name}.as_token").read_text(encoding="ascii")
        return Appservice(name, name, token, secrets.token_hex(32), ghosts=ghosts)

    return one("annuaire"), one("salles"), one("mssante", GHOSTS)


def write_config(layout: Layout, ports: Ports, homeserver_url: str, ca: Path) -> Config:
    """Write `colloque.yaml` and read it back with all its checks. Raises ConfigError."""
    uid = os.geteuid()

    def service(name: str, **more: Any) -> dict[str, Any]:
        state = layout.state(name)
        return {
            "localpart": name,
            "as_token": str(layout.secret(f"{name}.as_token")),
            "admin_token": str(layout.secret(f"{name}.admin_token")),
            "database": f"sqlite:{state / f'{name}.db'}",
            "state_dir": str(state),
            "device_marks": str(layout.marks),
            "http": {"port": getattr(ports, name)},
            **more,
        }

    def mail(port: int) -> dict[str, Any]:
        return {"host": "localhost", "port": port, "ca": str(ca), "tls": "starttls"}

    raw = {
        "mode": "production",
        "homeserver": {"url": homeserver_url, "server_name": SERVER_NAME},
        "secrets": {name: str(layout.secret(name)) for name in ("identity", "pickle", "snapshot")},
        "sockets": {
            "dir": str(layout.sockets),
            "uids": dict.fromkeys(("synapse", *SERVICES, "colloque"), uid),
        },
        "admin": {"users": [f"@{ADMIN}:{SERVER_NAME}"]},
        "annuaire": service(
            "annuaire",
            directory=str(layout.directory),
            snapshot=str(layout.snapshot),
            code_s=CODE_S,
            code_tries=CODE_TRIES,
            codes_per_day=CODES_PER_DAY,
        ),
        "salles": service(
            "salles",
            receipts=str(layout.receipts),
            receipt_key=str(layout.secret("receipts.pem")),
            lifetime={
                "idle_s": IDLE_S,
                "notice_s": NOTICE_S,
                "reminder_s": 0,
                "linger_s": LINGER_S,
                "archive_wait_s": ARCHIVE_WAIT_S,
            },
            sweep_s=1.0,
        ),
        "mssante": service(
            "mssante",
            imap=mail(ports.imap),
            smtp=mail(ports.smtp),
            mailboxes=str(layout.secret("mailboxes.yaml")),
            sender=SENDER,
            nil="colloque-demo",
            ghost_prefix=GHOSTS,
            poll_s=2.0,
            gather_s=0.0,
        ),
    }
    with layout.config.open("w", encoding="utf-8") as out:
        YAML().dump(raw, out)
    return load(layout.config)
