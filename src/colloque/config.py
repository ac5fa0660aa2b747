"""The one configuration file, `colloque.yaml`, as a typed model. Units stand in the names (`_s` seconds).

`config_load.load` reads it with ruamel.yaml (YAML 1.2) and reports every problem at once, with its dotted path.
`deploy/config.sample.yaml` documents each key; a test loads it. Relative paths are taken from the file's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from colloque.config_cleaner import CleanerConfig
from colloque.config_entry import EntryConfig
from colloque.config_mssante import AntivirusConfig, MailServerConfig, MssanteConfig
from colloque.config_psc import PscConfig
from colloque.config_service import Listen, ServiceConfig
from colloque.directory.lookup import AgeRules
from colloque.identity import UserId

__all__ = [
    "AdminConfig", "AnnuaireConfig", "AntivirusConfig", "CleanerConfig", "Config", "DirectConfig", "FederationConfig",
    "FhirConfig", "HomeserverConfig", "LifetimeConfig", "Listen", "MailServerConfig", "MssanteConfig", "SallesConfig",
    "SecretsConfig", "ServiceConfig", "SocketsConfig",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class HomeserverConfig:
    """The Matrix homeserver."""

    url: str
    """Base URL of the client API, as our services reach it."""
    server_name: str
    """What stands after the colon in user ids."""


@dataclass(frozen=True, slots=True)
class SecretsConfig:
    """Secret files, mode 0600, outside the stores' backup."""

    identity: Path
    """From it the cross-signing identities of bots and ghosts are derived."""
    pickle: Path
    """Encrypts the crypto stores."""
    snapshot: Path
    """Signs the attestation snapshot."""


@dataclass(frozen=True, slots=True)
class SocketsConfig:
    """Unix sockets between services; `uids` says which system user each caller runs as."""

    dir: Path
    """Folder of the sockets; its full path must stay short (a socket's path holds at most 107 bytes)."""
    uids: Mapping[str, int]
    """`{"synapse": 991, "annuaire": 992, "salles": 993, "mssante": 994, "colloque": 0}`."""


@dataclass(frozen=True, slots=True)
class AdminConfig:
    """Who administers."""

    users: tuple[UserId, ...] = ()
    """Beside those whom `colloque admin bootstrap` made, and those whom they added. While it names anybody, that
    command is refused."""


@dataclass(frozen=True, slots=True)
class FhirConfig:
    """The Annuaire Santé's FHIR API (v2), which settles doubts about single people."""

    key: Path
    """File (0600) with the API key; read again when it is replaced."""
    url: str = "https://gateway.api.esante.gouv.fr/fhir/v2"
    """Base URL; https, but for a server on the loopback in test mode."""
    ca: Path | None = None
    """Trust anchors (PEM), and then nothing else is trusted; None: the system's."""


@dataclass(frozen=True, slots=True)
class FederationConfig:
    """The other servers: who they are is the signed list's to say."""

    list_url: str
    """Where the list is fetched; https."""
    authority: Mapping[str, str]
    """The public keys (base64url, by `kid`) that may sign the list; two while one replaces the other."""
    kid: str
    """Name, in the list, of the key below."""
    key: Path
    """Ed25519 private key (PEM, 0600): signs our attestations, requests and answers."""
    listen: Listen
    """The federation API, in clear: a proxy in front of it ends TLS."""
    ca: Path | None = None
    """Trust anchors (PEM) for the list and for other servers, and then nothing else is trusted; None: the system's."""
    refresh_s: float = 1800.0
    """Between two looks at the list."""


@dataclass(frozen=True, slots=True)
class AnnuaireConfig(ServiceConfig):
    """The directory and attestation service."""

    directory: str = field(kw_only=True)
    """The directory: path of its SQLite file, or `postgres://user@host/db`; other services only read it."""
    snapshot: Path = field(kw_only=True)
    """The attestation snapshot that this service alone writes."""
    code_s: int = field(kw_only=True, default=900)
    """How long a one-time code may be used."""
    code_tries: int = field(kw_only=True, default=3)
    """Wrong answers after which a code is dead."""
    codes_per_day: int = field(kw_only=True, default=5)
    """Codes sent for one RPPS, and asked by one account, in 24 h."""
    attestation_days: int = field(kw_only=True, default=365)
    """How long a verified identity holds."""
    vouched_days: int = field(kw_only=True, default=90)
    """How long it holds on the word of two colleagues."""
    supervised_days: int = field(kw_only=True, default=90)
    """How long the word of a professional holds for somebody who works under them."""
    freeze_days: int = field(kw_only=True, default=3)
    """How many days of fresh directories must lack somebody before they may begin nothing new."""
    inactive_days: int = field(kw_only=True, default=365)
    """How long an account may go unused before it is closed; a month before, its holder is warned."""
    late_h: int = field(kw_only=True, default=48)
    """Hours after which a directory is late: said, and nothing else changes."""
    stale_days: int = field(kw_only=True, default=7)
    """Days after which it is too old to admit anybody, or to conclude anything from an absence."""
    grace_days: int = field(kw_only=True, default=7)
    """How many days of fresh directories must lack somebody before their attestation ends."""
    fhir: FhirConfig | None = field(kw_only=True, default=None)
    """None: nobody is asked, doubts wait for the next extraction."""
    entry: EntryConfig | None = field(kw_only=True, default=None)
    """None: nobody comes in by a page, accounts and passwords are the administrator's business."""
    psc: PscConfig | None = field(kw_only=True, default=None)
    """None: nobody proves who they are with Pro Santé Connect."""
    federation: FederationConfig | None = field(kw_only=True, default=None)
    """None: no other server exists."""

    @property
    def ages(self) -> AgeRules:
        """When the directory is late, and when stale."""
        return AgeRules(timedelta(hours=self.late_h), timedelta(days=self.stale_days))

    @property
    def directory_cache(self) -> Path:
        """Where imports into PostgreSQL keep the SQLite file of the last one."""
        return self.state_dir / "directory-imported.sqlite"


@dataclass(frozen=True, slots=True)
class LifetimeConfig:
    """How long a patient room lives. All in seconds."""

    idle_s: int = 30 * 86400
    """From the last message to the end."""
    notice_s: int = 7 * 86400
    """Between the warning and the end, at least."""
    reminder_s: int = 86400
    """Between the second warning and the end, at least; 0: there is none."""
    linger_s: int = 3600
    """Between the closing (read-only) and the erasure."""
    join_s: int = 86400
    """After the opening: who has not come by then is told to the room's referent."""
    hold_s: int = 90 * 86400
    """How long a hold lasts; it may be renewed."""
    archive_wait_s: int = 7 * 86400
    """After its archive was delivered, a room is erased that much later even if its referent says nothing."""
    archive_late_s: int = 14 * 86400
    """After the closing: when nothing proves by then that the conversation was kept, the administrators are told."""
    peers_s: int = 7 * 86400
    """For how long other servers that had members are asked to erase their copies; then the receipt names them."""
    many_share: float = 0.2
    """When more than this share of the rooms would end at once (and more than five), an administrator is asked."""


@dataclass(frozen=True, slots=True)
class DirectConfig:
    """How long what is written in a conversation of two people lives. All in seconds."""

    keep_s: int = 90 * 86400
    """Messages older than that are erased; a conversation whose last one is, whole."""
    round_s: int = 86400
    """Between two rounds: what was old enough at one of them is erased at the next."""


@dataclass(frozen=True, slots=True)
class SallesConfig(ServiceConfig):
    """The patient-room service."""

    receipts: Path = field(kw_only=True)
    """Folder of erasure receipts."""
    receipt_key: Path = field(kw_only=True)
    """Ed25519 private key (PEM) that signs receipts; its public half is written beside the receipts."""
    lifetime: LifetimeConfig = field(kw_only=True, default_factory=LifetimeConfig)
    direct: DirectConfig = field(kw_only=True, default_factory=DirectConfig)
    sweep_s: float = field(kw_only=True, default=60.0)
    cleaner: CleanerConfig | None = field(kw_only=True, default=None)
    """None: what Synapse's own deletion leaves stays, and receipts say so."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    mode: Literal["production", "test"]
    """`test` admits ANS's fictive identifiers."""
    homeserver: HomeserverConfig
    secrets: SecretsConfig
    sockets: SocketsConfig
    admin: AdminConfig
    annuaire: AnnuaireConfig
    salles: SallesConfig
    mssante: MssanteConfig

    @property
    def test(self) -> bool:
        """True when fictive identifiers are admitted."""
        return self.mode == "test"

    def bot(self, service: Literal["annuaire", "salles", "mssante"]) -> UserId:
        """The bot's full user id."""
        section: ServiceConfig = getattr(self, service)
        return UserId(f"@{section.localpart}:{self.homeserver.server_name}")

    @property
    def bots(self) -> tuple[UserId, UserId, UserId]:
        """The three bots."""
        return self.bot("annuaire"), self.bot("salles"), self.bot("mssante")

    def socket(self, service: str) -> Path:
        """The Unix socket on which a service listens."""
        return self.sockets.dir / f"{service}.sock"
