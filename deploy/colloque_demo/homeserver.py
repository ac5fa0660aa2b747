"""A real Synapse on this machine: configuration, start, accounts, stop. Used by the demo, the tests and the benches."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from colloque.files import free_port, write_private

SHIPPED = Path(__file__).parents[1] / "homeserver.d" / "colloque.yaml"

LOG_CONFIG = {
    "version": 1,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "formatter": "line", "encoding": "utf8"}},
    "root": {"level": "WARNING", "handlers": ["file"]},
    "disable_existing_loggers": False,
}

_FAST = {"per_second": 100_000, "burst_count": 100_000}
NO_LIMITS: dict[str, Any] = {
    "rc_message": _FAST,
    "rc_registration": _FAST,
    "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), _FAST),
    "rc_joins": dict.fromkeys(("local", "remote"), _FAST),
    "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), _FAST),
    "rc_joins_per_room": _FAST,
    "rc_room_creation": _FAST,
    "rc_media_create": _FAST,
}
"""Synapse's default limits (0.2 messages a second) are for the open Internet, not for a loopback server."""


def shipped_settings() -> dict[str, Any]:
    """What every homeserver of ours is told (`deploy/homeserver.d`), but for each installation's own paths."""
    raw = YAML(typ="safe").load(SHIPPED.read_text(encoding="utf-8"))
    return {k: v for k, v in raw.items() if k not in {"app_service_config_files", "modules"}}


@dataclass(frozen=True, slots=True)
class Appservice:
    """One registration file. It names no URL: our bots sync like clients, and Synapse pushes nothing."""

    name: str
    localpart: str
    as_token: str
    hs_token: str
    ghosts: str | None = None
    """Prefix of the exclusive ghost localparts, e.g. `mss_`."""

    def registration(self, server_name: str) -> dict[str, Any]:
        """The registration file's content. MSC4190 lets the bot make its device without logging in."""
        host = server_name.replace(".", r"\.")
        users = [{"exclusive": True, "regex": f"@{self.localpart}:{host}"}]
        if self.ghosts:
            users.append({"exclusive": True, "regex": f"@{self.ghosts}.*:{host}"})
        return {
            "id": f"colloque-{self.name}",
            "url": None,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            # Synapse refuses /sync to a registration's sender, so the bot is an ordinary user of the namespace.
            "sender_localpart": f"_{self.localpart}",
            "rate_limited": False,
            "namespaces": {"users": users, "aliases": [], "rooms": []},
            "io.element.msc4190": True,
        }


@dataclass
class Homeserver:
    """One Synapse process in a folder of its own, SQLite unless `database` says otherwise."""

    folder: Path
    server_name: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base URL of the client API."""
        return f"http://127.0.0.1:{self.port}"

    def configure(
        self,
        *,
        appservices: tuple[Appservice, ...] = (),
        modules: tuple[Mapping[str, Any], ...] = (),
        database: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the configuration; keys already made stay."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = []
        for service in appservices:
            path = self.folder / f"appservice-{service.name}.yaml"
            write_private(path, json.dumps(service.registration(self.server_name)))
            files.append(str(path))
        log = json.loads(json.dumps(LOG_CONFIG))
        log["handlers"]["file"]["filename"] = str(self.folder / "synapse.log")
        write_private(self.folder / "log.yaml", json.dumps(log))
        config: dict[str, Any] = shipped_settings() | {
            "server_name": self.server_name,
            "public_baseurl": self.url + "/",
            "pid_file": str(self.folder / "synapse.pid"),
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "x_forwarded": True,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": database or {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "log_config": str(self.folder / "log.yaml"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "registration_shared_secret_path": str(self._secret("registration")),
            "macaroon_secret_key_path": str(self._secret("macaroon")),
            "form_secret_path": str(self._secret("form")),
            # The demo's and the tests' people log in with passwords of their own: nobody proves who they are to log in.
            "password_config": {"enabled": True, "localdb_enabled": True},
            "report_stats": False,
            # Filling the user directory sets it back to where filling began: when that takes until after a room's
            # last change, nothing else happens and nobody wakes it, it stands there, and the erasure waits for it.
            "background_updates": {"sleep_enabled": False},
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "app_service_config_files": files,
            "modules": [dict(m) for m in modules],
            **NO_LIMITS,
            **(extra or {}),
        }
        write_private(self.folder / "homeserver.yaml", json.dumps(config, indent=1))
        if not (self.folder / "signing.key").exists():
            key = self.folder / "signing.key"
            subprocess.run(
                [sys.executable, "-m", "synapse._scripts.generate_signing_key", "-o", str(key)], check=True, timeout=60
            )
            key.chmod(0o600)

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [sys.executable, "-m", "synapse.app.homeserver", "-c", str(self.folder / "homeserver.yaml")]

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Start and wait until it answers. Raises RuntimeError with the log's tail when it dies."""
        out = (self.folder / "synapse.out").open("ab")
        self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=out, stderr=out)
        out.close()
        end = time.monotonic() + timeout_s
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = (self.folder / "synapse.out").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"Synapse did not start:\n{tail}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """True when the server that answers is ours: it signs with our key name."""
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=2) as answer:
                return bool(answer.read() == b"OK")
        except OSError:
            return False

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after 20 s."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)

    def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Make an account by shared secret and return an access token. The password stays off every command line."""
        nonce = self.call("GET", "/_synapse/admin/v1/register")["nonce"]
        secret = self._secret("registration").read_text(encoding="ascii").strip()
        parts = [nonce, localpart, password, "admin" if admin else "notadmin"]
        mac = hmac.new(secret.encode(), b"\x00".join(p.encode() for p in parts), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac}
        token: str = self.call("POST", "/_synapse/admin/v1/register", body)["access_token"]
        return token

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One JSON call. Raises RuntimeError with status and body on refusal."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None

    def _secret(self, name: str) -> Path:
        path = self.folder / f"{name}.secret"
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return path


def environment() -> dict[str, str]:
    """A child's environment: ours, without anything that would change Python's imports."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
