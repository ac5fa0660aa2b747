"""What one setting must be because of another, or of the world: checked once every setting is well-formed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from colloque.attestation import SALLES
from colloque.config import Config, FederationConfig, LifetimeConfig
from colloque.config_cleaner import cleaner_checks
from colloque.config_entry import entry_checks
from colloque.config_mssante import mssante_checks
from colloque.config_psc import psc_checks
from colloque.errors import BadInput, Problem
from colloque.policy.federation_list import public_key
from colloque.policy.jws import is_kid

INACTIVE_WARNING_DAYS = 30
"""How long before an unused account is closed its holder is warned."""


def _lifetime_checks(life: LifetimeConfig) -> list[Problem]:
    wrong = {
        "notice_s": (life.notice_s >= life.idle_s, "must be shorter than idle_s"),
        "reminder_s": (0 < life.reminder_s >= life.notice_s, "must be shorter than notice_s, or 0"),
        "hold_s": (life.hold_s <= life.notice_s, "must be longer than notice_s: a hold's end is announced"),
        "archive_wait_s": (life.archive_wait_s <= 0, "must be above 0"),
        "archive_late_s": (life.archive_late_s <= 0, "must be above 0"),
        "peers_s": (life.peers_s <= 0, "must be above 0"),
        "many_share": (not 0 < life.many_share <= 1, "must be above 0, and 1 at most"),
    }
    return [Problem(f"salles.lifetime.{name}", why) for name, (holds, why) in wrong.items() if holds]


def cross_checks(config: Config) -> list[Problem]:
    """Every problem."""
    out = [*mssante_checks(config.mssante)]
    if config.mssante.psc is not None:
        out += psc_checks(config.mssante.psc, "mssante.psc", partial(_keeps_key, test=config.test))
    out += _annuaire_checks(config)
    out += _lifetime_checks(config.salles.lifetime)
    for name in ("keep_s", "round_s"):
        if getattr(config.salles.direct, name) <= 0:
            out.append(Problem(f"salles.direct.{name}", "must be above 0"))
    if config.salles.cleaner is not None:
        out += cleaner_checks(config.salles.cleaner)
    names = [config.annuaire.localpart, config.salles.localpart, config.mssante.localpart]
    if len(set(names)) != len(names):
        out.append(Problem("salles.localpart", "the three bots must have three names"))
    for service in ("annuaire", "salles", "mssante"):
        if len(str(config.socket(service)).encode()) > 107:
            out.append(Problem("sockets.dir", "too long: a Unix socket's path holds at most 107 bytes"))
            break
    for user in config.admin.users:
        if not user.endswith(":" + config.homeserver.server_name):
            out.append(Problem("admin.users", "administrators have accounts on this homeserver"))
            break
    return out


def _annuaire_checks(config: Config) -> list[Problem]:
    own, out = config.annuaire, []
    if "://" in own.directory and not own.directory.startswith(("postgres://", "postgresql://")):
        out.append(Problem("annuaire.directory", "must be a path, or postgres://user@host/db"))
    if own.late_h >= own.stale_days * 24:
        out.append(Problem("annuaire.late_h", "must be shorter than stale_days"))
    if own.grace_days < 1:
        out.append(Problem("annuaire.grace_days", "must be at least 1"))
    if own.grace_days >= 1 and not 0 < own.freeze_days <= own.grace_days:
        out.append(Problem("annuaire.freeze_days", "must be at least 1, and not more than grace_days"))
    if own.inactive_days <= INACTIVE_WARNING_DAYS:
        out.append(Problem("annuaire.inactive_days", f"must be more than {INACTIVE_WARNING_DAYS}"))
    if own.fhir is not None and not _keeps_key(own.fhir.url, test=config.test):
        out.append(Problem("annuaire.fhir.url", "must begin with https:// (the API key travels with every call)"))
    if own.entry is not None:
        out += entry_checks(own.entry, partial(_keeps_key, test=config.test))
    if own.psc is not None:
        out += psc_checks(own.psc, "annuaire.psc", partial(_keeps_key, test=config.test))
    if own.federation is not None:
        out += _federation_checks(own.federation, config.salles.localpart)
    return out


def _keeps_key(url: str, *, test: bool) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (test and parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"})
    )


def _federation_checks(own: FederationConfig, salles: str) -> Iterator[Problem]:
    where = "annuaire.federation"
    if salles != SALLES:
        yield Problem("salles.localpart", f"must be {SALLES}: other servers know the bot by that name")
    if urlsplit(own.list_url).scheme != "https" or not urlsplit(own.list_url).hostname:
        yield Problem(f"{where}.list_url", "must begin with https://")
    if not own.authority:
        yield Problem(f"{where}.authority", "must name at least one key")
    for kid, key in own.authority.items():
        try:
            public_key(key)
        except BadInput as error:
            yield Problem(f"{where}.authority.{kid}", str(error).removeprefix("key: "))
    if not is_kid(own.kid):
        yield Problem(f"{where}.kid", "must be letters, digits, points and hyphens")
    if own.refresh_s < 1:
        yield Problem(f"{where}.refresh_s", "must be at least 1")
