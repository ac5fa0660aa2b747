"""How the snapshot and its changes are written: lines of JSON under HMAC-SHA256. Pure; standard library only.

    <snapshot>          mac {"format", "serial", "made_at", "body", "after"}   `body`: the SHA-256 of all that follows
                        [record]
                        …
    <snapshot>.changes  mac {"of"}                                             `of`: the MAC of the snapshot changed
                        mac {"serial", "made_at", "records": [record, …]}
                        …

Each MAC of a change covers the one before: lines can't be edited, moved or left out. `after` is the MAC of the last
change that a snapshot contains: whoever has applied that one need not read the snapshot's body.

Records: `["a", user, rpps, name, method, issued_at, valid_until, kind, professions, category, under, frozen]`,
`["x", user]` (ended), `["b", user, refused users]`,
`["s", version, until, [[server, bots, ghosts, erases_until], …]]` (the last two only where there is something to say).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from colloque.attestation import Attestation, Change, Kind, Listed, Method, Servers, Snapshot
from colloque.clock import from_millis, to_millis
from colloque.errors import Tampered
from colloque.identity import Rpps, UserId

_FORMAT = 2
Record = list[Any]


@dataclass(frozen=True, slots=True)
class Header:
    """A snapshot's first line."""

    mac: str
    serial: int
    body: str
    """SHA-256 of the rest, hex."""
    after: str
    """MAC of the last change that is in it; empty when nobody knows."""


def encode(snapshot: Snapshot, key: bytes, after: str = "") -> bytes:
    """A whole snapshot file."""
    records: list[Record] = [_attested(a) for a in snapshot.attestations]
    records += [_blocks(user, refused) for user, refused in snapshot.blocks.items()]
    if snapshot.servers is not None:
        records.append(_servers(snapshot.servers))
    body = b"".join(_json(record) + b"\n" for record in records)
    header = {
        "format": _FORMAT,
        "serial": snapshot.serial,
        "made_at": to_millis(snapshot.made_at),
        "body": hashlib.sha256(body).hexdigest(),
        "after": after,
    }
    return _line(key, "snapshot", _json(header)) + body


def header(line: bytes, key: bytes) -> Header:
    """Check and read a snapshot's first line. Raises Tampered."""
    mac, raw = _checked(line, key, "snapshot")
    if raw["format"] != _FORMAT:
        raise Tampered("the attestation snapshot has an unknown format")
    return Header(mac, raw["serial"], raw["body"], raw["after"])


def body(head: Header, data: bytes) -> Iterator[Change]:
    """What follows the first line, in portions. Raises Tampered before the first one."""
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), head.body):
        raise Tampered("the attestation snapshot's body is not the one that was signed")
    return (change((json.loads(line),)) for line in data.splitlines())


def encode_start(of: str, key: bytes) -> bytes:
    """The first line of a file of changes."""
    return _line(key, "changes", _json({"of": of}))


def start(line: bytes, key: bytes) -> tuple[str, str]:
    """Its MAC, and the MAC of the snapshot it belongs to. Raises Tampered."""
    mac, raw = _checked(line, key, "changes")
    return mac, raw["of"]


def encode_change(serial: int, made_at: datetime, what: Change, key: bytes, previous: str) -> bytes:
    """One more line, after the one with the MAC `previous`."""
    records: list[Record] = [["x", user] for user in what.ended]
    records += [_attested(a) for a in what.attested]
    records += [_blocks(user, refused) for user, refused in what.blocks.items()]
    if what.servers is not None:
        records.append(_servers(what.servers))
    return _line(key, previous, _json({"serial": serial, "made_at": to_millis(made_at), "records": records}))


def read_change(line: bytes, key: bytes, previous: str) -> tuple[str, int, Change]:
    """Its MAC, its serial, and what changed. Raises Tampered."""
    mac, raw = _checked(line, key, previous)
    return mac, raw["serial"], change(raw["records"])


def mac_of(line: bytes) -> str:
    """The MAC of a line that we have just written."""
    return line.partition(b" ")[0].decode("ascii")


def change(records: Iterable[Record]) -> Change:
    """What some records say together."""
    attested, ended, servers = [], [], None
    blocks: dict[UserId, frozenset[UserId]] = {}
    for record in records:
        match record:
            case ["a", *fields]:
                attested.append(_read(fields))
            case ["x", user]:
                ended.append(UserId(user))
            case ["b", user, refused]:
                blocks[UserId(user)] = frozenset(map(UserId, refused))
            case ["s", version, until, listed]:
                servers = Servers(
                    version,
                    from_millis(until),
                    tuple(_listed(*each) for each in listed),
                )
            case _:
                raise Tampered("a record is of an unknown kind")
    return Change(tuple(attested), tuple(ended), blocks, servers)


def _line(key: bytes, before: str, raw: bytes) -> bytes:
    return _mac(key, before, raw).encode() + b" " + raw + b"\n"


def _checked(line: bytes, key: bytes, before: str) -> tuple[str, dict[str, Any]]:
    mac, _, raw = line.rstrip(b"\n").partition(b" ")
    if not hmac.compare_digest(mac, _mac(key, before, raw).encode()):
        raise Tampered("a signature in the attestation snapshot does not hold")
    value: dict[str, Any] = json.loads(raw)
    return mac.decode("ascii"), value


def _mac(key: bytes, before: str, raw: bytes) -> str:
    return hmac.new(key, before.encode() + b"\n" + raw, hashlib.sha256).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _attested(a: Attestation) -> Record:
    return [
        "a",
        a.user,
        a.rpps.value,
        a.name,
        a.method.value,
        to_millis(a.issued_at),
        to_millis(a.valid_until),
        a.kind.value,
        list(a.professions),
        a.category,
        a.under.value if a.under is not None else None,
        a.frozen,
    ]


def _blocks(user: UserId, refused: frozenset[UserId]) -> Record:
    return ["b", user, sorted(refused)]


def _servers(servers: Servers) -> Record:
    listed: list[Record] = []
    for s in servers.listed:
        more: Record = [s.ghosts, *([to_millis(s.erases_until)] if s.erases_until is not None else [])]
        listed.append([s.name, list(s.bots), *(more if any(more) else [])])
    return ["s", servers.version, to_millis(servers.until), listed]


def _listed(name: str, bots: list[str], ghosts: str = "", erases_until: int | None = None) -> Listed:
    until = from_millis(erases_until) if erases_until is not None else None
    return Listed(name, tuple(map(UserId, bots)), ghosts, until)


def _read(fields: Record) -> Attestation:
    user, rpps, name, method, issued_at, valid_until, kind, professions, category, under, frozen = fields
    codes, status = _shared(tuple(professions), category)
    return Attestation(
        UserId(user),
        Rpps(rpps),
        name,
        Method(method),
        from_millis(issued_at),
        from_millis(valid_until),
        Kind(kind),
        codes,
        status,
        Rpps(under) if under is not None else None,
        frozen,
    )


@lru_cache(maxsize=4096)
def _shared(professions: tuple[str, ...], category: str) -> tuple[tuple[str, ...], str]:
    """The same object for the same codes: 125,000 people exercise a few dozen professions."""
    return professions, category
