"""Who does an import: the running service, or the command itself under the service's journal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from colloque.audit import verify_lines
from colloque.calls import JsonDict
from colloque.cli.main import main
from colloque.clock import SystemClock
from colloque.directory.build import only_one
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.errors import Refused, Temporary
from colloque.sockets import Server
from colloque.store.journal import Journal
from tests.configured import configured
from tests.extracts import mailbox, mailbox_file, people_file, person, whitelist_xml

Import = Callable[[list[str], bool], Awaitable[JsonDict]]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name: sockets need one."""
    with tempfile.TemporaryDirectory(prefix="clq-") as folder:
        yield Path(folder)


@pytest.fixture
def config(home: Path) -> Path:
    return configured(home)


@pytest.fixture
def files(home: Path) -> Path:
    folder = home / "files"
    folder.mkdir()
    people_file(folder, [person(1), person(2)])
    mailbox_file(folder, [mailbox("anne@x.test", 1)])
    (folder / "list.xml").write_text(whitelist_xml("x.test", end="2099-01-01T00:00:00+01:00"), encoding="utf-8")
    return folder


async def colloque(*args: object, cwd: Path | None = None) -> tuple[int, str, str]:
    """As an operator types it."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "colloque.cli.main", *map(str, args)]
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=cwd)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def service(home: Path, answer: Import) -> AsyncIterator[None]:
    """Something that listens as the annuaire service does."""

    async def ask(paths: list[str], force: bool) -> JsonDict:
        return await answer(paths, force)

    async def progress() -> JsonDict:
        return {"running": True, "read": 1, "total": 2}

    verbs = {"import": ask, "import_progress": progress}
    server = Server(home / "annuaire.sock", {"colloque": os.geteuid()}, {"colloque": verbs}, slow={"import": 60.0})
    await server.start()
    try:
        yield
    finally:
        await server.stop()


def journal(home: Path) -> list[dict[str, Any]]:
    with (home / "annuaire/journal.jsonl").open("rb") as lines:
        assert verify_lines(lines).ok
    return [json.loads(line) for line in (home / "annuaire/journal.jsonl").read_text(encoding="utf-8").splitlines()]


async def test_the_running_service_is_asked(home: Path, config: Path, files: Path) -> None:
    asked: list[tuple[list[str], bool]] = []

    async def imports(paths: list[str], force: bool) -> JsonDict:
        asked.append((paths, force))
        report = await asyncio.to_thread(import_files, [Path(p) for p in paths], home / "its.sqlite", SystemClock())
        return dict(json.loads(json.dumps(asdict(report), default=str)))

    async with service(home, imports):
        code, out, err = await colloque("annuaire", "import", "files", "--force", "--config", config, cwd=home)
    assert (code, err) == (0, "")
    assert out.startswith("2 people, 2 activities, 1 mailboxes, 1 white-listed domains\n")
    assert asked == [([str(files)], True)]
    assert not (home / "annuaire/journal.jsonl").exists(), "the service writes its own"
    assert not (home / "annuaire/directory.sqlite").exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Refused("people.fall", "half of them"), (65, "people.fall")),
        (Refused("path.missing", "no such file"), (66, "path.missing")),
        (Temporary("another import is running"), (75, "temporary")),
    ],
)
async def test_what_the_service_answers_is_the_exit_code(
    home: Path, config: Path, files: Path, error: Exception, expected: tuple[int, str]
) -> None:
    async def imports(_paths: list[str], _force: bool) -> JsonDict:
        raise error

    async with service(home, imports):
        code, out, err = await colloque("annuaire", "import", files, "--json", "--config", config)
    assert (code, json.loads(out)) == (expected[0], {"refused": expected[1], "message": str(error)})
    assert err == f"{error}\n"


def test_a_stopped_service_leaves_it_to_the_command(home: Path, config: Path, files: Path) -> None:
    argv = ["annuaire", "import", str(files), "--config", str(config)]
    assert main(argv) == 0
    assert DirectoryFile(home / "annuaire/directory.sqlite").freshness().people == 2
    intent, result = journal(home)
    assert (intent["kind"], intent["phase"]) == ("directory.import", "intent")
    assert intent["facts"] == {"file_1": "files", "forced": False, "source": "command"}
    assert (result["outcome"], result["facts"]["people"], result["facts"]["mailboxes"]) == ("imported", 2, 1)
    people_file(files, [person(1)])
    assert main(argv) == 65
    assert [entry["outcome"] for entry in journal(home)[2:]] == ["", "refused"]
    assert journal(home)[-1]["facts"] == {"reason": "people.fall"}
    assert main([*argv, "--force"]) == 0
    assert journal(home)[-2]["facts"]["forced"] is True
    assert journal(home)[-1]["outcome"] == "imported"


def test_a_service_that_hangs_is_not_worked_around(
    home: Path, config: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = Journal.open(home / "annuaire/journal.jsonl", SystemClock())
    try:
        assert main(["annuaire", "import", str(files), "--config", str(config)]) == 75
    finally:
        held.close()
    assert "does not answer" in capsys.readouterr().err
    assert not (home / "annuaire/directory.sqlite").exists()


def test_an_import_under_way_elsewhere_is_journaled_as_failed(home: Path, config: Path, files: Path) -> None:
    with only_one(home / "annuaire/directory.sqlite"):
        assert main(["annuaire", "import", str(files), "--config", str(config)]) == 75
    assert [entry["outcome"] for entry in journal(home)] == ["", "failed"]


def test_the_services_folder_must_be_there(
    home: Path, config: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "annuaire").rmdir()
    assert main(["annuaire", "import", str(files), "--config", str(config)]) == 78
    assert "annuaire.state_dir" in capsys.readouterr().err


AS_OWNER = """
import os, sys
from pathlib import Path
from colloque.cli.directory_import import _become_owner, _here
from colloque.cli.directory_place import Place
from colloque.cli.exits import NoInput
_become_owner(Path(sys.argv[1]))
print(os.getresuid(), os.getresgid(), os.getgroups())
try:
    _here(Place(sys.argv[1] + "/d.sqlite"), [Path(sys.argv[2])], force=False, progress=None)
except NoInput as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_acts_as_the_services_user(home: Path) -> None:
    """In a program of its own, there is no way back. The account has no name: nothing of root's groups may stay."""
    nobody = 54_321
    home.chmod(0o755)
    (home / "state").mkdir()
    os.chown(home / "state", nobody, nobody)
    (home / "closed").mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", AS_OWNER, home / "state", home / "closed"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    who, said = done.stdout.splitlines()
    assert who == f"{(nobody,) * 3} {(nobody,) * 3} []"
    assert said == f"{home}/closed: can't be read (Permission denied)"


def test_a_missing_file_has_its_own_exit_code(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["annuaire", "import", str(home / "none.zip"), "--target", str(home / "d.sqlite"), "--json"]
    assert main(argv) == 66
    assert json.loads(capsys.readouterr().out)["refused"] == "path.missing"
