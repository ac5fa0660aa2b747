"""A private Postfix (Debian's, root needed) in front of a private Dovecot: submission with STARTTLS, SASL, DSN."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from colloque.config import MailServerConfig
from colloque.files import free_port
from tests.servers.dovecot import Dovecot
from tests.servers.operator import DOMAIN, Operator
from tests.servers.process import kill_whole

AGAIN_S = 60.0
PROGRAM = Path("/usr/sbin/postfix")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
multi_instance_name = {name}
maillog_file = {folder}/mail.log
maillog_file_prefixes = /tmp
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = error:5.4.4 no route outside the trusted space
mynetworks =
message_size_limit = 20000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_banner = $myhostname ESMTP
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_sasl_security_options = noanonymous
smtpd_sender_login_maps = texthash:{folder}/etc/senders
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_recipient_restrictions = reject_unauth_destination, permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
queue_run_delay = 10s
minimal_backoff_time = 10s
"""
# flags=X: Dovecot's mailboxes are the end of the way, so that reports say `delivered` and not `relayed`.
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
lmtp      unix  -       -       n       -       -       lmtp flags=X
anvil     unix  -       -       n       -       1       anvil
postlog   unix-dgram n  -       n       -       1       postlogd
"""


class Postfix:
    """One instance, with a Dovecot of its own for logins and mailboxes (`locals_` and `accounts` are Dovecot's)."""

    def __init__(self, *locals_: str, accounts: Mapping[str, dict[str, str]] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clq-postfix-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.dovecot = Dovecot(*locals_, accounts=accounts)
        self._master: subprocess.Popen[bytes] | None = None
        self.more = ""
        """Settings of one test, after all others."""
        self.port = self.implicit = 0

    def start(self) -> Operator:
        """Start both."""
        behind = self.dovecot.start()
        for _ in range(3):
            self.port, self.implicit = free_port(), free_port()
            self._configure()
            etc = str(self.folder / "etc")
            checked = subprocess.run([PROGRAM, "-c", etc, "check"], check=False, capture_output=True, timeout=60)
            assert checked.returncode == 0, checked.stderr.decode()
            if self._run():
                smtp = MailServerConfig("localhost", self.port, self.dovecot.pki.ca)
                return Operator(behind.imap, smtp, behind.accounts, behind.deliver, keywords=True)
        raise AssertionError((self.folder / "out").read_text() + (self.folder / "mail.log").read_text())

    def kill(self) -> None:
        """SIGKILL to all processes of Postfix; Dovecot lives on."""
        assert self._master is not None
        kill_whole(self._master)

    def start_again(self) -> None:
        """After a kill: on the same ports, with its queue. Waits while one is held by a client's port."""
        end = time.monotonic() + AGAIN_S
        while not self._run():
            assert time.monotonic() < end, (self.folder / "mail.log").read_text()[-2000:]

    def _run(self) -> bool:
        command = ["/usr/lib/postfix/sbin/master", "-c", str(self.folder / "etc"), "-d"]
        with (self.folder / "out").open("ab") as out:
            self._master = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        return self._answers(time.monotonic() + 20)

    def _configure(self) -> None:
        etc, data, spool = (self.folder / name for name in ("etc", "data", "spool"))
        for made in (etc, data, spool):
            made.mkdir(exist_ok=True)
        os.chown(data, pwd.getpwnam("postfix").pw_uid, -1)
        accounts = self.dovecot.accounts
        (etc / "mailboxes").write_text("".join(f"{name} x\n" for name in accounts))
        (etc / "senders").write_text("".join(f"{name} {name}\n" for name in accounts))
        values = {
            "folder": self.folder, "name": "postfix-" + self.folder.name[-8:], "domain": DOMAIN,
            "domains": ", ".join(sorted({name.partition("@")[2] for name in accounts})),
            "lmtp": self.dovecot.lmtp, "sasl": self.dovecot.sasl,
            "cert": self.dovecot.pki.cert, "key": self.dovecot.pki.key, "port": self.port, "implicit": self.implicit,
        }  # fmt: skip
        (etc / "main.cf").write_text(MAIN.format(**values) + self.more)
        (etc / "master.cf").write_text(MASTER.format(**values))

    def _answers(self, deadline: float) -> bool:
        assert self._master is not None
        while time.monotonic() < deadline and self._master.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(4) == b"220 ":
                        return True
            except OSError:
                time.sleep(0.05)
        self._stop_master()
        return False

    def _stop_master(self) -> None:
        if self._master and self._master.poll() is None:
            self._master.send_signal(signal.SIGTERM)
            self._master.wait(20)

    def stop(self) -> None:
        """Stop both and remove everything."""
        self._stop_master()
        self.dovecot.stop()
        shutil.rmtree(self.folder)
