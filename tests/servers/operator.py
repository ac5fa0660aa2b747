"""The sandbox operator as a process of its own, and what every operator of the contract suites looks like to a test."""

from __future__ import annotations

import json
import secrets
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colloque.config import MailServerConfig
from colloque.files import write_private
from colloque.mail.access import Password, XOAuth2

DOMAIN = "operator.mssante.example"


def address(local: str) -> str:
    return f"{local}@{DOMAIN}"


def make_accounts(*locals_: str) -> dict[str, dict[str, str]]:
    """`{address: {"password", "token"}}`, fresh secrets for each."""
    return {address(name): {"password": secrets.token_urlsafe(12), "token": secrets.token_hex(24)} for name in locals_}


@dataclass
class Operator:
    """One running operator. `deliver(address, raw)` puts a mail in a mailbox by the operator's own front door."""

    imap: MailServerConfig
    smtp: MailServerConfig
    accounts: dict[str, dict[str, str]]
    deliver: Callable[[str, bytes], None]
    keywords: bool = False
    """Mailboxes keep flags of clients' own making."""

    def __post_init__(self) -> None:
        self._fresh = list(self.accounts)

    def fresh(self) -> str:
        """The address of a mailbox that no test has used."""
        return self._fresh.pop()

    def password(self, who: str) -> Password:
        return Password(self.accounts[who]["password"])

    def token(self, who: str) -> XOAuth2:
        return XOAuth2(self.accounts[who]["token"])


class SandboxOperator:
    """`python -m colloque_demo.operator` in `folder`."""

    def __init__(self, folder: Path, *locals_: str) -> None:
        self.folder = folder
        self.accounts = make_accounts(*locals_)
        self.process: subprocess.Popen[bytes] | None = None
        self.ports = {"imap": 0, "smtp": 0}
        self.operator: Operator
        write_private(folder / "accounts.json", json.dumps(self.accounts))

    def start(self) -> Operator:
        """Start and wait for its ready file. The ports of the first start are kept."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "colloque_demo.operator", "--dir", str(self.folder)]
        command += ["--imap-port", str(self.ports["imap"]), "--smtp-port", str(self.ports["smtp"])]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not ready.exists():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        assert told["pid"] == self.process.pid
        self.ports = {"imap": told["imap"], "smtp": told["smtp"]}
        ca = Path(told["ca"])
        imap, smtp = (MailServerConfig("localhost", self.ports[name], ca) for name in ("imap", "smtp"))
        self.operator = Operator(imap, smtp, self.accounts, lambda to, raw: self._submit(ca, to, raw))
        return self.operator

    def _submit(self, ca: Path, to: str, raw: bytes) -> None:
        with smtplib.SMTP("localhost", self.ports["smtp"], timeout=30) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(ca)))
            client.login(to, self.accounts[to]["password"])
            client.sendmail(to, [to], raw)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
