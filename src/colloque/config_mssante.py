"""The configuration's section about the MSSanté bridge, `mssante`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from colloque.config_service import ServiceConfig
from colloque.errors import Problem
from colloque.identity import MssanteAddress


@dataclass(frozen=True, slots=True)
class MailServerConfig:
    """One side (IMAP or SMTP) of the MSSanté operator."""

    host: str
    port: int
    ca: Path
    """Trust anchors (PEM): nothing else is trusted."""
    tls: Literal["starttls", "implicit"] = "starttls"


@dataclass(frozen=True, slots=True)
class MssanteConfig(ServiceConfig):
    """The MSSanté bridge."""

    imap: MailServerConfig = field(kw_only=True)
    smtp: MailServerConfig = field(kw_only=True)
    mailboxes: Path = field(kw_only=True)
    """YAML file (0600): `address: {password: …}` or `address: {xoauth2: …}`."""
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


def mssante_checks(own: MssanteConfig) -> Iterator[Problem]:
    """Every problem."""
    if not own.nil.strip():
        yield Problem("mssante.nil", "must not be empty: every mail carries X-MSS-NIL")
    if not 0 <= own.gather_s <= 3600:
        yield Problem("mssante.gather_s", "must be between 0 and 3600")
