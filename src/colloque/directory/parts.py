"""A first import on two cores: another process reads the second half of the people, and every other file; then it
indexes names.

It fills a directory file of its own, which is then joined to the main one; no two processes write to one file. It is
told what to do on its standard input, tells how far it is on its standard output, and dies with whoever started it,
whose pipe it then finds broken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from colloque.directory import words
from colloque.directory.build import Build, discard, disk
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.engine import open_read_only
from colloque.directory.files import loader, take_in
from colloque.directory.lines import Memory
from colloque.directory.noticed import noticed
from colloque.directory.records import Numbers
from colloque.directory.rows import Rows
from colloque.directory.sources import Source, open_bytes

WORTH = 24_000_000
"""Bytes of all files together, from which on a second process pays."""
WORTH_PEOPLE = 200_000
"""In the directory, from which on a second process pays for counting them."""
_COST = {Kind.PEOPLE: 1.0, Kind.MAILBOXES: 1.3, Kind.SKILLS: 2.0, Kind.DIPLOMAS: 2.0, Kind.CARDS: 2.0}
"""Time to read a byte, against a byte of people: what both processes have to do is made equal."""


class Piece:
    """A file's header line and then its bytes from `start` to before `end`, as one stream."""

    def __init__(self, stream: BinaryIO, start: int, end: int | None) -> None:
        self._stream = stream
        self._head = b""
        if start:
            stream.seek(0)
            self._head = stream.readline(1 << 16)
            stream.seek(start)
        self._left = sys.maxsize if end is None else end - start

    def read(self, size: int) -> bytes:
        """As of a file."""
        if self._head:
            head, self._head = self._head, b""
            return head
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


@dataclass(frozen=True, slots=True)
class Seen:
    """What the other process says of a file."""

    encoding: str
    too_long: int


class Helper:
    """The other process, seen from the one that started it."""

    def __init__(self, aside: Path, told: Mapping[str, object]) -> None:
        """Starts it. It writes beside `aside`."""
        # A helper may outlive an import that was killed for a while: its file is never taken for another one's.
        self.path = aside.with_name(f"{aside.name}.part{os.getpid()}")
        self._buffer = b""
        command = [sys.executable, "-m", "colloque.directory.parts"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:  # dead already: `result` says so
            pipe.write(json.dumps({"part": str(self.path.absolute()), **told}).encode())
        self._out = self._process.stdout
        os.set_blocking(self._out.fileno(), False)

    def progress(self) -> int:
        """Bytes that it read since it was last asked."""
        self._buffer += self._out.read() or b""
        *lines, self._buffer = self._buffer.split(b"\n")
        told = [json.loads(line) for line in lines]
        self._buffer = b"".join(json.dumps(t).encode() + b"\n" for t in told if not isinstance(t, int)) + self._buffer
        return sum(t for t in told if isinstance(t, int))

    def result(self) -> dict[str, Any]:
        """Waits until it is done, for what it says in the end. Raises ImportRefused, as if it had been done here."""
        os.set_blocking(self._out.fileno(), True)
        self._buffer += self._out.read()
        code = self._process.wait()
        told = [json.loads(line) for line in self._buffer.splitlines() if line]
        last: Any = told[-1] if told else None
        if isinstance(last, list):
            raise ImportRefused(*last)
        if code or not isinstance(last, dict):
            raise ImportRefused("helper", f"the process that reads a part of the files ended ({code})")
        return last

    def close(self) -> None:
        """Nothing of it is left."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._out.close()
        self.path.unlink(missing_ok=True)


class Reader(Helper):
    """Reads a part of a first import's files."""

    def __init__(self, aside: Path, jobs: Mapping[Kind, tuple[Source, int]], *, test: bool) -> None:
        """`jobs`: what to read, and from which byte on."""
        self.kinds = frozenset(jobs)
        files = [[kind, str(s.path.absolute()), s.member, start] for kind, (s, start) in jobs.items()]
        super().__init__(aside, {"test": test, "files": files})

    def seen(self) -> dict[Kind, Seen]:
        """Once it is done. Raises ImportRefused."""
        return {Kind(kind): Seen(*seen) for kind, seen in self.result().items()}


class Namer(Helper):
    """Indexes the names of a directory file that is being written, whose people are all in."""

    def __init__(self, build: Build) -> None:
        build.flush()
        super().__init__(build.path, {"names_of": str(build.path.absolute())})

    def join(self, build: Build) -> None:
        """Once it is done: takes the names over. Raises ImportRefused."""
        self.result()
        with build.attached(self.path, "part"):
            build.db.execute("INSERT INTO main.name_list SELECT * FROM part.name_list")


class Noticer(Helper):
    """Counts what deserves a look in a directory file whose people, activities and mailboxes are all in."""

    def __init__(self, build: Build) -> None:
        build.flush()
        super().__init__(build.path, {"notice": str(build.path.absolute())})


def share(known: Mapping[Kind, Source]) -> tuple[int | None, dict[Kind, tuple[Source, int]]]:
    """Up to which byte of the people's file to read here (None: all), and what is left to a helper, if that pays.

    A zip can't be read from its middle. Moves must be known before anything else is read: then nothing is shared.
    """
    files = {kind: source for kind, source in known.items() if kind in _COST}
    if Kind.MOVES in known or sum(source.size for source in files.values()) < WORTH:
        return None, {}
    jobs: dict[Kind, tuple[Source, int]] = {
        kind: (source, 0) for kind, source in files.items() if kind is not Kind.PEOPLE
    }
    people = files[Kind.PEOPLE]
    half = int(sum(source.size * _COST[kind] for kind, source in files.items()) / 2)
    if people.member or half >= people.size:
        return None, jobs
    with people.path.open("rb") as stream:
        stream.seek(half)
        stream.readline(1 << 16)
        cut = stream.tell()
    return cut, {Kind.PEOPLE: (people, cut), **jobs}


def join(build: Build, helper: Reader, kind: Kind, tables: Mapping[str, str]) -> Memory:
    """Takes over what the helper read of a kind of file; ids go on from the highest here. Answers its lines."""
    db = build.db
    shift = 0
    with build.attached(helper.path, "part"):
        if kind is Kind.PEOPLE:
            shift = build.number("SELECT coalesce(max(id), 0) FROM people")
        for table, columns in tables.items():
            db.execute(f"INSERT INTO main.{table} SELECT {columns.format(shift)} FROM part.{table}")  # noqa: S608 - ours
        memory = Memory.load(db, kind, "part.")
    if shift:
        memory.shift(shift)
    return memory


def main() -> int:
    """The helper's side. Whoever asked may be dead meanwhile: then nothing is left of what was made for them."""
    told = json.load(sys.stdin)
    try:
        try:
            with disk():
                _tell(_do(told))
        except ImportRefused as refused:
            _tell([refused.reason, str(refused)])
    except BrokenPipeError:
        discard(Path(told["part"]))
        return 1
    return 0


def _do(told: dict[str, Any]) -> dict[str, Any]:
    if "notice" in told:
        with closing(open_read_only(Path(told["notice"]))) as db:
            return noticed(db)
    seen = {}
    build = Build(Path(told["part"]))
    if "names_of" in told:
        with build.attached(Path(told["names_of"]), "whole"):
            words.index_names(build.db, "whole")
    else:
        numbers = Numbers(build.db, test=told["test"])
        seen = {file[0]: _read(build, numbers, file) for file in told["files"]}
    build.close()
    return seen


def _tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _read(build: Build, numbers: Numbers, file: tuple[str, str, str, int]) -> tuple[str, int]:
    name, path, member, start = file
    kind = Kind(name)
    with open_bytes(Path(path), member) as stream:
        rows = Rows(cast("BinaryIO", Piece(stream, start, None)), kind, _tell)
        memory = Memory()
        into = loader(build.db, rows.columns, numbers)
        take_in(rows, into, memory)
        memory.store(build.db, kind)
        return rows.encoding, rows.too_long


if __name__ == "__main__":
    sys.exit(main())
