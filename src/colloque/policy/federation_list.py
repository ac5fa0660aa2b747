"""The federation list as JSON, strictly read, and as the signed text that servers fetch. Pure.

{"format": 1, "version": 12, "issued": "2026-03-02T09:00:00Z", "expires": "2026-04-02T09:00:00Z",
 "servers": [{"server": "chu-a.test", "organisation": "CHU A", "finess": "540000015",
              "api": "https://colloque.chu-a.test", "contact": "dsi@chu-a.test",
              "bots": ["@annuaire:chu-a.test", "@salles:chu-a.test", "@mssante:chu-a.test"], "ghosts": "mss_",
              "capabilities": ["attestation"],
              "keys": [{"kid": "a-2026", "use": "attestation", "key": "<32 bytes, base64url>",
                        "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"},
                       {"kid": "a-receipts", "use": "erasure", "key": "<as above>", "not_before": …, "not_after": …}]}]}

Keys for `erasure` need not be there; without one, and a bot named `salles`, nobody of that server is invited into
another's patient rooms. One that signs no more stays in the list, with its `not_after`: a receipt is
judged by the time of its erasure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from colloque.errors import BadIdentifier, BadInput, Tampered
from colloque.identity import Finess, UserId, parse_user_id, server_of
from colloque.policy.federation import Entry, FederationList, Key, Use
from colloque.policy.jws import JsonDict, Jws, Sign, Verify, b64, is_kid, seal, unb64

TYPE = "fr.colloque.federation-list"
MAX_BYTES = 4 * 1024 * 1024
"""Of a signed list: some thousands of servers."""
MAX_SERVERS = 10_000
MAX_BOTS = 10

_FORMAT = 1
_SERVER = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[1-9][0-9]{0,4})?\Z")
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
_GHOSTS = re.compile(r"[a-z][a-z0-9]{1,15}_\Z")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def sign_list(listed: FederationList, kid: str, sign: Sign) -> str:
    """The signed list. Raises BadInput when it would be too long."""
    text = seal(TYPE, kid, list_json(listed), sign)
    if len(text) > MAX_BYTES:
        raise BadInput(f"a federation list holds at most {MAX_BYTES} bytes")
    return text


def open_list(text: str | bytes, authority: Mapping[str, bytes], verify: Verify) -> FederationList:
    """A list signed by one of the pinned keys (by `kid`). Raises Tampered, whatever is wrong with it.

    Whether it is in force is another question: see `federation.judge`.
    """
    jws = Jws.read(text, TYPE, limit=MAX_BYTES)
    claims = jws.check(authority.get(jws.kid), verify)
    try:
        return read_list(claims)
    except BadInput as error:
        raise Tampered(f"the federation list can't be used: {error}") from None


def read_list(raw: Mapping[str, Any]) -> FederationList:
    """From JSON. Raises BadInput, which says where."""
    _only(raw, {"format", "version", "issued", "expires", "servers"}, "the list")
    if raw["format"] != _FORMAT or type(raw["format"]) is not int:
        raise BadInput("the list has an unknown format")
    if type(raw["version"]) is not int or not 0 < raw["version"] < 2**53:
        raise BadInput("version: must be a whole number from 1 on")
    issued, expires = _time(raw["issued"], "issued"), _time(raw["expires"], "expires")
    if issued >= expires:
        raise BadInput("expires: must come after issued")
    if not isinstance(raw["servers"], list) or len(raw["servers"]) > MAX_SERVERS:
        raise BadInput(f"servers: must be a list of at most {MAX_SERVERS}")
    entries = [_entry(each, f"servers[{n}]") for n, each in enumerate(raw["servers"])]
    _distinct((e.server for e in entries), "servers")
    return FederationList(raw["version"], issued, expires, {e.server: e for e in entries})


def list_json(listed: FederationList) -> JsonDict:
    """What is signed."""
    return {
        "format": _FORMAT,
        "version": listed.version,
        "issued": _told(listed.issued),
        "expires": _told(listed.expires),
        "servers": [_entry_json(listed.servers[name]) for name in sorted(listed.servers)],
    }


def _entry(raw: object, where: str) -> Entry:
    raw = _object(raw, where)
    ghosts = raw.get("ghosts", "")
    if not isinstance(ghosts, str) or ("ghosts" in raw and not _GHOSTS.match(ghosts)):
        raise BadInput(f"{where}.ghosts: must be the beginning of a name, with `_` at its end")
    raw = {name: value for name, value in raw.items() if name != "ghosts"}
    _only(raw, {"server", "organisation", "finess", "api", "contact", "bots", "capabilities", "keys"}, where)
    server = _text(raw["server"], f"{where}.server", _is_server)
    try:
        finess = Finess.parse(_text(raw["finess"], f"{where}.finess"))
    except BadIdentifier as error:
        raise BadInput(f"{where}.finess: {error}") from None
    words = raw["capabilities"]
    if not isinstance(words, list) or not all(isinstance(w, str) and _WORD.match(w) for w in words):
        raise BadInput(f"{where}.capabilities: must be a list of words")
    if not isinstance(raw["keys"], list):
        raise BadInput(f"{where}.keys: must be a list")
    keys = tuple(_key(each, f"{where}.keys[{n}]") for n, each in enumerate(raw["keys"]))
    _distinct((f"{k.use} {k.kid}" for k in keys), f"{where}.keys")
    return Entry(
        server=server,
        organisation=_text(raw["organisation"], f"{where}.organisation", _is_line),
        finess=finess,
        api=_text(raw["api"], f"{where}.api", _is_https),
        contact=_text(raw["contact"], f"{where}.contact", _is_line),
        bots=_bots(raw["bots"], server, f"{where}.bots"),
        capabilities=frozenset(words),
        keys=keys,
        ghosts=ghosts,
    )


def _bots(raw: object, server: str, where: str) -> tuple[UserId, ...]:
    try:
        users = [parse_user_id(user) for user in raw] if isinstance(raw, list) and len(raw) <= MAX_BOTS else None
    except (BadIdentifier, AttributeError):
        users = None
    if users is None or users != raw or any(server_of(user) != server for user in users):
        raise BadInput(f"{where}: must be a list of at most {MAX_BOTS} accounts of that server")
    return tuple(users)


def _key(raw: object, where: str) -> Key:
    raw = _object(raw, where)
    _only(raw, {"kid", "use", "key", "not_before", "not_after"}, where)
    if not is_kid(raw["kid"]):
        raise BadInput(f"{where}.kid: must be letters, digits, points and hyphens")
    if raw["use"] not in frozenset(Use):
        raise BadInput(f"{where}.use: must be one of {', '.join(Use)}")
    key = public_key(raw["key"], f"{where}.key")
    begin, end = _time(raw["not_before"], f"{where}.not_before"), _time(raw["not_after"], f"{where}.not_after")
    if begin >= end:
        raise BadInput(f"{where}.not_after: must come after not_before")
    return Key(raw["kid"], Use(raw["use"]), key, begin, end)


def public_key(text: object, where: str = "key") -> bytes:
    """An Ed25519 public key as lists and configurations write it. Raises BadInput."""
    try:
        key = unb64(_text(text, where))
    except Tampered:
        key = b""
    if len(key) != 32:
        raise BadInput(f"{where}: must be an Ed25519 public key, 32 bytes in base64url")
    return key


def _entry_json(entry: Entry) -> JsonDict:
    ghosts = {"ghosts": entry.ghosts} if entry.ghosts else {}
    return ghosts | {
        "server": entry.server,
        "organisation": entry.organisation,
        "finess": entry.finess.value,
        "api": entry.api,
        "contact": entry.contact,
        "bots": list(entry.bots),
        "capabilities": sorted(entry.capabilities),
        "keys": [
            {
                "kid": k.kid,
                "use": k.use.value,
                "key": b64(k.key),
                "not_before": _told(k.not_before),
                "not_after": _told(k.not_after),
            }
            for k in entry.keys
        ],
    }


def _object(raw: object, where: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: must be an object")
    return raw


def _only(raw: Mapping[str, Any], names: set[str], where: str) -> None:
    if raw.keys() != names:
        wrong = sorted(str(name) for name in raw.keys() ^ names)
        raise BadInput(f"{where}: {', '.join(wrong)}: missing, or not known")


def _distinct(names: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput(f"{where}: {name} stands twice")
        seen.add(name)


def _text(raw: object, where: str, good: Callable[[str], bool] = bool) -> str:
    if not isinstance(raw, str) or not good(raw):
        raise BadInput(f"{where}: malformed")
    return raw


def _is_server(text: str) -> bool:
    return _SERVER.match(text) is not None and ".." not in text


def _is_line(text: str) -> bool:
    return 0 < len(text) <= 200 and text.isprintable()


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises when it is no number
    except ValueError:
        return False
    host_only = text == f"https://{parts.netloc}" and "@" not in parts.netloc
    return host_only and bool(parts.hostname) and text.isascii() and text.isprintable()


def _time(raw: object, where: str) -> datetime:
    try:
        at = datetime.strptime(str(raw), _TIME).replace(tzinfo=UTC)
    except ValueError:
        at = None
    if at is None or _told(at) != raw:
        raise BadInput(f"{where}: must be a time such as 2026-03-02T09:00:00Z")
    return at


def _told(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
