"""The configuration's section about the MSSanté bridge, `mssante`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from colloque.config_psc import PscConfig
from colloque.config_service import ServiceConfig
from colloque.errors import Problem
from colloque.identity import MssanteAddress

_LONGEST_S = 3653 * 86400
_DOMAIN = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+\Z")


@dataclass(frozen=True, slots=True)
class MailServerConfig:
    """One side (IMAP or SMTP) of the MSSanté operator."""

    host: str
    port: int
    ca: Path
    """Trust anchors (PEM): nothing else is trusted."""
    tls: Literal["starttls", "implicit"] = "starttls"


@dataclass(frozen=True, slots=True)
class MailSideConfig:
    """The same, as the file says it: `host` and `port`, or the `domain` whose DNS names them."""

    ca: Path
    host: str = ""
    port: int = 0
    domain: str = ""
    """The operator's certificates hold for it; DNS (SRV, RFC 6186) says where its servers are."""
    tls: Literal["starttls", "implicit"] = "starttls"


@dataclass(frozen=True, slots=True)
class AntivirusConfig:
    """clamd, which scans every attachment."""

    clamd: str
    """Its Unix socket's absolute path, or `address:port` on this machine: files travel there in clear."""
    size_limit: int = 25_000_000
    """Bytes of the biggest file handed over: at most clamd's StreamMaxLength. Bigger ones count as not scanned."""
    scan_s: float = 150.0
    """Seconds that one scan may take; more than clamd's MaxScanTime."""
    signatures_days: int = 7
    """Days after which the signatures are too old: told in the admin room."""

    @property
    def place(self) -> Path | tuple[str, int] | None:
        """The socket's path, or address and port on the loopback; None when `clamd` is neither."""
        if self.clamd.startswith("/"):
            return Path(self.clamd)
        host, _, port = self.clamd.rpartition(":")
        try:
            address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            number = int(port)
        except ValueError:
            return None
        return (str(address), number) if address.is_loopback and 0 < number < 65536 else None


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What the operator lets us do at once: ask them. With more mailboxes than connections, mailboxes take turns."""

    connections: int = 1000
    """IMAP and SMTP, open at the same time."""
    logins_per_minute: int = 600
    sends_per_minute: int = 600
    """Mails handed over, receipts and codes included."""

    def share(self, among: int) -> BudgetConfig:
        """What each of so many processes may do, whether or not the others run: together never more than this."""
        return BudgetConfig(
            max(1, self.connections // among),
            max(1, self.logins_per_minute // among),
            max(1, self.sends_per_minute // among),
        )


@dataclass(frozen=True, slots=True)
class ThreadsConfig:
    """How long a thread of mails stays in its room. All in seconds."""

    lifetime_s: int = 90 * 86400
    """From its last message to its end; longer while its mailbox is not known to have the originals."""
    hold_s: int = 90 * 86400
    """How long `!fil garder` keeps it; it may be renewed."""


@dataclass(frozen=True, slots=True)
class MssanteConfig(ServiceConfig):
    """The MSSanté bridge."""

    imap: MailSideConfig = field(kw_only=True)
    smtp: MailSideConfig = field(kw_only=True)
    mailboxes: Path = field(kw_only=True)
    """YAML file (0600): `address: {password: …}`, `{xoauth2: …}` or `{certificate: path, key: path}`."""
    sender: MssanteAddress = field(kw_only=True)
    """The service's own APP mailbox: codes and archives leave from it."""
    nil: str = field(kw_only=True)
    """X-MSS-NIL, the product reference given by ANS; refused when empty."""
    ghost_prefix: str = field(kw_only=True, default="mss_")
    size_limit: int = field(kw_only=True, default=10_000_000)
    """The operator's limit on an encoded mail, in bytes."""
    patient_size_limit: int = field(kw_only=True, default=25_000_000)
    """The same for mails to patients' mailboxes (Mon espace santé takes 25 MB)."""
    gather_s: float = field(kw_only=True, default=60.0)
    """How long what somebody writes is gathered, and may still be changed or cancelled, before it leaves; 0: not."""
    poll_s: float = field(kw_only=True, default=60.0)
    """Between two looks where IDLE is not offered, and between two probes where it is."""
    antivirus: AntivirusConfig | None = field(kw_only=True, default=None)
    """None: nothing is scanned."""
    budget: BudgetConfig = field(kw_only=True, default_factory=BudgetConfig)
    threads: ThreadsConfig = field(kw_only=True, default_factory=ThreadsConfig)
    workers: int = field(kw_only=True, default=0)
    """Mail workers, each a process of its own (`--worker 1` and so on); 0: the bridge's one process does their work."""
    psc: PscConfig | None = field(kw_only=True, default=None)
    """Read by the keeper, which alone needs its secret. None: only what `mailboxes` names opens."""
    psc_domains: tuple[str, ...] = field(kw_only=True, default=())
    """Domains whose PER mailboxes stand at our operator, and open by their holders' Pro Santé Connect sessions."""


def mssante_checks(own: MssanteConfig) -> Iterator[Problem]:
    """Every problem."""
    if not own.nil.strip():
        yield Problem("mssante.nil", "must not be empty: every mail carries X-MSS-NIL")
    if not 0 <= own.gather_s <= 3600:
        yield Problem("mssante.gather_s", "must be between 0 and 3600")
    for name in ("connections", "logins_per_minute", "sends_per_minute"):
        if not 1 <= getattr(own.budget, name) <= 100_000:
            yield Problem(f"mssante.budget.{name}", "must be between 1 and 100000")
    yield from _thread_checks(own.threads)
    if own.workers > 64:
        yield Problem("mssante.workers", "must be at most 64")
    if own.workers and own.database.startswith("sqlite:"):
        yield Problem("mssante.workers", "needs PostgreSQL: on SQLite, one process does everything")
    if own.workers > min(own.budget.connections, own.budget.logins_per_minute, own.budget.sends_per_minute):
        yield Problem("mssante.workers", "must not be more than what mssante.budget allows: each needs its share")
    yield from _side_checks("mssante.imap", own.imap)
    yield from _side_checks("mssante.smtp", own.smtp)
    if own.antivirus is not None:
        yield from _antivirus_checks(own.antivirus)
    yield from _session_checks(own)


def _thread_checks(own: ThreadsConfig) -> Iterator[Problem]:
    for name in ("lifetime_s", "hold_s"):
        if not 0 < getattr(own, name) <= _LONGEST_S:
            yield Problem(f"mssante.threads.{name}", "must be above 0, and ten years at most")


def _session_checks(own: MssanteConfig) -> Iterator[Problem]:
    if own.psc is not None and own.psc.ciba is None:
        yield Problem("mssante.psc.ciba", "is missing: people are asked by it to open their mailbox")
    if (own.psc is None) != (not own.psc_domains):
        yield Problem("mssante.psc_domains", "goes with mssante.psc: the domains whose personal mailboxes it opens")
    for domain in own.psc_domains:
        if domain != domain.lower() or not _DOMAIN.match(domain):
            yield Problem("mssante.psc_domains", "must be domains in lower case, such as medecin.mssante.fr")
            return


def _side_checks(where: str, own: MailSideConfig) -> Iterator[Problem]:
    if own.domain:
        if own.host or own.port:
            yield Problem(where, "must give host and port, or domain, and not both")
        if not _DOMAIN.match(own.domain):
            yield Problem(f"{where}.domain", "must be a domain's name")
        return
    if not own.host:
        yield Problem(f"{where}.host", "is missing")
    if not 0 < own.port < 65536:
        yield Problem(f"{where}.port", "must be between 1 and 65535" if own.port else "is missing")


def _antivirus_checks(own: AntivirusConfig) -> Iterator[Problem]:
    where = "mssante.antivirus"
    if own.place is None:
        yield Problem(f"{where}.clamd", "must be a socket's absolute path, or 127.0.0.1:port")
    elif isinstance(own.place, Path) and len(own.clamd.encode()) > 107:
        yield Problem(f"{where}.clamd", "too long: a Unix socket's path holds at most 107 bytes")
    for name in ("size_limit", "scan_s", "signatures_days"):
        if getattr(own, name) < 1:
            yield Problem(f"{where}.{name}", "must be at least 1")
