"""A later import reads only what changed, and ends where a first import of the same files ends."""

from __future__ import annotations

import random
import shutil
import sys
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colloque.clock import FrozenClock
from colloque.directory import lines as lines_module
from colloque.directory import parts
from colloque.directory import rows as rows_module
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.difference import difference
from colloque.directory.engine import open_read_only
from colloque.directory.extract import import_files
from tests.directory_dump import dump
from tests.extracts import header, mailbox, person, rpps, text

SKILLS = header("skills_13")


def adeli(number: int) -> str:
    return f"99{number:07}"


def skill(number: int, code: str, kind: str = "8") -> dict[str, str]:
    value = rpps(number) if kind == "8" else adeli(number)
    return {
        "Type d'identifiant PP": kind,
        "Identifiant PP": value,
        "Identification nationale PP": kind + value,
        "Nom d'exercice": f"NOM{number}",
        "Code profession": "10",
        "Code type savoir-faire": "S",
        "Code savoir-faire": code,
        "Libellé savoir-faire": f"Savoir {code}",
    }


class World:
    """Three files' rows, which a seed of chance changes from one day to the next."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.people = [row for n in range(14) for row in self._person(n)]
        self.boxes = [self._box(n) for n in range(14)]
        self.skills = [skill(n % 16, f"SM{n:02}", "08"[n % 3 > 0]) for n in range(20)]
        self.moves: list[tuple[str, str]] = []
        self.old_header = False

    def _person(self, n: int) -> list[dict[str, str]]:
        pick = self.chance.choice
        number = self.chance.randrange(10)
        who = {"kind": "0", "id": adeli(number)} if self.chance.random() < 0.3 else {}
        rows = [
            person(number, family=pick(["MARTIN", "DE LA CROIX", f"NOM{n}"]), town=pick(["NANCY", "METZ", ""]), **who)
            for _ in range(self.chance.choice([1, 1, 2, 3]))
        ]
        if self.chance.random() < 0.1:
            rows[0]["Identifiant PP"] = "89900000090"
        if self.chance.random() < 0.1:
            rows[-1]["Nom d'exercice"] = ""
        return rows

    def _box(self, n: int) -> dict[str, str]:
        pick = self.chance.choice
        address = f"{pick('abcdefgh')}@x.test"
        if self.chance.random() < 0.2:
            return mailbox(address if n % 2 else "pas une adresse")
        if self.chance.random() < 0.3:
            number = self.chance.randrange(10)
            return mailbox(address, number, kind="0", id=adeli(number))
        return mailbox(address.upper() if n % 2 else address, self.chance.randrange(10))

    def day(self) -> None:
        """Another day: rows go, come, change, move about."""
        for rows, make in ((self.people, self._person), (self.boxes, self._box), (self.skills, None)):
            for _ in range(self.chance.choice([0, 1, 1, 2, 5])):
                at = self.chance.randrange(len(rows) + 1)
                what = self.chance.random()
                if what < 0.35 and len(rows) > 4:
                    rows.pop(at - 1)
                elif what < 0.6 and rows:
                    rows.insert(at, dict(self.chance.choice(rows)))
                elif what < 0.7:
                    self.chance.shuffle(rows)
                elif make is None:
                    rows.insert(at, skill(self.chance.randrange(12), f"SM{self.chance.randrange(40):02}"))
                else:
                    made = make(self.chance.randrange(50))
                    rows[at:at] = made if isinstance(made, list) else [made]
        if self.chance.random() < 0.4:
            n = self.chance.randrange(10)
            new = rpps(self.chance.choice([n, n, n + 1]))
            if adeli(n) not in dict(self.moves) and new not in dict(self.moves).values():  # once, and for good
                self.moves.append((adeli(n), new))
        if self.chance.random() < 0.1:
            self.old_header = not self.old_header

    def write(self, folder: Path, stamp: str) -> list[Path]:
        folder.mkdir()
        people = text(header("people_52" if self.old_header else "people_56"), self.people, usual=header("people_56"))
        files = {
            f"PS_LibreAcces_Personne_activite_{stamp}.txt": people,
            f"Extraction_Correspondance_MSSante_{stamp}.txt": text(header("mailboxes_31"), self.boxes),
            f"PS_LibreAcces_SavoirFaire_{stamp}.txt": text(SKILLS, self.skills),
            f"Extraction_Correspondance_ADELI_RPPS_{stamp}.csv": "".join(
                f"{a};{r}\n" for a, r in [("N° ADELI", "N° RPPS"), *self.moves]
            ),
        }
        for name, content in files.items():
            (folder / name).write_bytes(content.encode("latin-1" if name.endswith("csv") else "utf-8"))
        return [folder / name for name in files]


def noted(target: Path) -> set[tuple[Any, ...]]:
    """The table `change`."""
    with closing(open_read_only(target)) as db:
        return set(db.execute("SELECT subject, what, national, former, address FROM change").fetchall())


@pytest.mark.parametrize("block", [1 << 20, 700])
@given(seed=st.integers(0, 1 << 32), parts=st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_day_after_day_or_at_once_it_is_the_same_directory(
    tmp_path_factory: pytest.TempPathFactory, clock: FrozenClock, block: int, seed: int, parts: list[set[int]]
) -> None:
    """Some days bring some of the files only; the last day brings all."""
    folder = tmp_path_factory.mktemp("days")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "BLOCK", block)
        patch.setattr(lines_module, "_NEAR", 3)
        patch.setattr(lines_module, "_PART", 7)
        world = World(random.Random(seed))
        target = folder / "d.sqlite"
        import_files(world.write(folder / "0", "202603010000"), target, clock, force=True)
        for day, few in enumerate([*parts, {0, 1, 2, 3}], 1):
            world.day()
            files = world.write(folder / str(day), f"20260301{day:02}00")
            chosen = [f for n, f in enumerate(files) if n in few]
            if chosen:
                shutil.copyfile(target, folder / "before.sqlite")
                import_files(chosen, target, clock, force=True)
                told = {astuple(change) for change in difference(folder / "before.sqlite", target)}
                assert noted(target) == told
        report = import_files(files, folder / "whole.sqlite", clock, force=True)
        got, wanted = dump(target), dump(folder / "whole.sqlite")
        for table, content in wanted.items():
            assert got[table] == content, table
        assert all(f.rows == f.kept + sum(f.rejected.values()) for f in report.files)


def test_two_processes_make_the_same_directory_as_one(tmp_path: Path, clock: FrozenClock) -> None:
    """Wherever the people's file is cut: within somebody's rows too."""
    world = World(random.Random(7))
    world.people *= 3
    for _ in range(6):
        world.day()
    files = [path for path in world.write(tmp_path / "files", "202603010000") if path.suffix == ".txt"]
    alone = import_files(files, tmp_path / "alone.sqlite", clock)
    assert alone.rejected
    steps: list[tuple[int, int]] = []
    for cost in (0.02, 0.3, 0.7, 1.0, 1.6):
        target = tmp_path / f"{cost}.sqlite"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts, "WORTH", 0)
            patch.setitem(parts._COST, Kind.MAILBOXES, cost)
            patch.setitem(parts._COST, Kind.SKILLS, cost)
            report = import_files(files, target, clock, progress=lambda done, total: steps.append((done, total)))
        assert dump(target) == dump(tmp_path / "alone.sqlite")
        assert report == alone
        assert not [path for path in tmp_path.iterdir() if "importing" in path.name]
    assert all(done <= total for done, total in steps)


@pytest.mark.parametrize(
    "case",
    [
        ("Extraction", lambda data: data[:-9], "file.truncated"),
        ("PS_LibreAcces_Personne", lambda data: data[:-9], "file.truncated"),
        ("PS_LibreAcces_Personne", lambda data: data + "é||\n".encode("cp1252"), "encoding.mixed"),
        ("Extraction", lambda data: data + "é||\n".encode("cp1252"), "encoding.mixed"),
    ],
)
def test_what_the_other_process_refuses_is_refused(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, case: tuple[str, Any, str]
) -> None:
    name, spoil, reason = case
    monkeypatch.setattr(parts, "WORTH", 0)
    files = World(random.Random(7)).write(tmp_path / "files", "202603010000")[:3]
    [spoiled] = [path for path in files if path.name.startswith(name)]
    spoiled.write_bytes(spoil(spoiled.read_bytes()))
    with pytest.raises(ImportRefused) as caught:
        import_files(files, tmp_path / "d.sqlite", clock)
    assert caught.value.reason == reason
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".d.sqlite.lock"]


def test_a_process_that_dies_is_an_error_and_leaves_nothing(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "WORTH", 0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    files = World(random.Random(7)).write(tmp_path / "files", "202603010000")[:3]
    with pytest.raises(ImportRefused) as caught:
        import_files(files, tmp_path / "d.sqlite", clock)
    assert caught.value.reason == "helper"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".d.sqlite.lock"]
