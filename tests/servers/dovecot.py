"""A private Dovecot (Debian's, root needed): STARTTLS, PLAIN, XOAUTH2 by introspection, LMTP for deliveries."""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from colloque.config import MailServerConfig
from colloque.files import free_port
from colloque_demo.pki import make_pki
from tests.servers.operator import DOMAIN, Operator, make_accounts
from tests.servers.process import kill_whole

AGAIN_S = 60.0
PROGRAM = Path("/usr/sbin/dovecot")
UID = 5000

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
instance_name = {name}
listen = 127.0.0.1
protocols = imap lmtp
first_valid_uid = {uid}
last_valid_uid = {last_uid}
mail_location = sdbox:~/mail
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_mechanisms = plain xoauth2
auth_username_format = %Lu
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <{cert}
ssl_key = <{key}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener sasl {{
    address = 127.0.0.1
    port = {sasl}
  }}
}}
service anvil {{
  # no penalty after bad passwords: it grows to 15 s
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-urlauth-login {{
  unix_listener imap-urlauth {{
    mode = 0
  }}
}}
"""
OAUTH2 = """
introspection_mode = post
introspection_url = http://mailserver:secret@127.0.0.1:{port}/introspect
username_attribute = username
active_attribute = active
active_value = true
timeout_msecs = 3000
"""


class Dovecot:
    """One instance in a folder of its own, on ports of the OS.

    Mailboxes of `locals_` in the operator's domain, or those of `accounts` (as `make_accounts` makes them).
    """

    def __init__(self, *locals_: str, accounts: Mapping[str, dict[str, str]] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clq-dovecot-", dir="/tmp"))
        self.folder.chmod(0o755)  # its processes run as other users
        self.accounts = dict(accounts or make_accounts(*locals_))
        self.pki = make_pki(self.folder / "pki")
        self.pki.ca.parent.chmod(0o755)
        self._introspection = _Introspection({a["token"]: name for name, a in self.accounts.items()})
        self._process: subprocess.Popen[bytes] | None = None
        self.more = ""
        """Settings of one test, after all others."""
        self.uids = 1
        """System users that the mailboxes are spread over: each may watch so many files (inotify)."""
        self.imap = self.imaps = self.lmtp = self.sasl = 0

    def start(self) -> Operator:
        """Start; again on other ports when one was taken."""
        for _ in range(3):
            self.imap, self.imaps, self.lmtp, self.sasl = (free_port() for _ in range(4))
            self._configure()
            if self._run():
                self._make_inboxes()
                imap = MailServerConfig("localhost", self.imap, self.pki.ca)
                return Operator(imap, imap, self.accounts, self.deliver, keywords=True)
        raise AssertionError((self.folder / "out").read_text() + (self.folder / "dovecot.log").read_text())

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        assert self._process is not None
        kill_whole(self._process)

    def start_again(self) -> None:
        """After a kill: on the same ports, with what it had. Waits while one is held by a client's port."""
        end = time.monotonic() + AGAIN_S
        while not self._run():
            assert time.monotonic() < end, (self.folder / "dovecot.log").read_text()[-2000:]

    def _run(self) -> bool:
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [PROGRAM, "-F", "-c", str(self.folder / "dovecot.conf")], stdout=out, stderr=out
            )
        return self._answers(time.monotonic() + 20)

    def _make_inboxes(self) -> None:
        """An INBOX made at once by a delivery and by a login fails one of the two ("ALREADYEXISTS")."""
        config = str(self.folder / "dovecot.conf")
        command = ["doveadm", "-c", config, "mailbox", "status", "-A", "messages", "INBOX"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _configure(self) -> None:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        os.chown(home, UID, UID)
        home.chmod(0o770)
        users = "".join(
            f"{name}:{a['password']}:{UID + n % self.uids}:{UID}::{home}/{name.partition('@')[0]}::\n"
            for n, (name, a) in enumerate(self.accounts.items())
        )
        config = CONFIG.format(
            folder=self.folder, name=self.folder.name, uid=UID, last_uid=UID + self.uids,
            cert=self.pki.cert, key=self.pki.key,
            imap=self.imap, imaps=self.imaps, lmtp=self.lmtp, sasl=self.sasl,
        )  # fmt: skip
        for name, text in (
            ("users", users), ("oauth2.conf", OAUTH2.format(port=self._introspection.port)),
            ("dovecot.conf", config + self.more),
        ):  # fmt: skip
            (self.folder / name).write_text(text)

    def _answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.imap), 1) as probe:
                    if probe.recv(4) == b"* OK":
                        return True
            except OSError:
                time.sleep(0.05)
        self._stop_process()
        return False

    def deliver(self, to: str, raw: bytes) -> None:
        """By LMTP, as Postfix would."""
        with smtplib.LMTP("127.0.0.1", self.lmtp, timeout=30) as client:
            client.sendmail(f"sender@{DOMAIN}", [to], raw)

    def _stop_process(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)

    def stop(self) -> None:
        """Stop it and remove everything."""
        self._stop_process()
        self._introspection.stop()
        shutil.rmtree(self.folder)


class _Introspection:
    """RFC 7662: says whose token it is."""

    def __init__(self, tokens: dict[str, str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                name = tokens.get(urllib.parse.parse_qs(form).get("token", [""])[0])
                body = json.dumps({"active": name is not None, "username": name or ""}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
