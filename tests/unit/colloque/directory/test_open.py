"""The directory by its place, and what reading one needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import colloque
from colloque.cli.main import main
from colloque.clock import FrozenClock
from colloque.config_load import load
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.open import holds_secret, is_postgres, open_directory
from colloque.directory.postgres import DirectoryPostgres
from colloque.errors import ConfigError
from tests.configured import SAMPLE
from tests.extracts import first_files, rpps


def test_a_path_is_a_file_and_a_url_is_postgresql(tmp_path: Path, clock: FrozenClock) -> None:
    assert isinstance(open_directory(tmp_path / "d.sqlite", clock), DirectoryFile)
    assert isinstance(open_directory("/d.sqlite", clock), DirectoryFile)
    for url in ("postgres://h/d", "postgresql://u@h/d"):
        assert isinstance(open_directory(url, clock), DirectoryPostgres)
    assert not is_postgres("/postgres://h/d")


@pytest.mark.parametrize(
    ("where", "secret"),
    [
        ("postgres://u@h/d", False),
        ("postgres://u@h/d?passfile=/etc/colloque/pgpass", False),
        ("postgres://u:Secret1@h/d", True),
        ("postgresql://h/d?user=u&password=Secret1", True),
        ("postgres://h/d?sslpassword=Secret1", True),
        ("/a:Secret1@b", False),
    ],
)
def test_a_password_is_seen(where: str, secret: bool) -> None:
    assert holds_secret(where) is secret


def test_a_password_on_the_command_line_is_refused_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "status", "--target", "postgres://u:Secret1@127.0.0.1:1/d"]) == 78
    out, err = capsys.readouterr()
    assert "PGPASSFILE" in err
    assert "Secret1" not in out + err


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/srv/d.sqlite", "/srv/d.sqlite"),
        ("annuaire/d.sqlite", "{folder}/annuaire/d.sqlite"),
        ("postgres://reader@db.example/colloque", "postgres://reader@db.example/colloque"),
        ("mysql://db.example/colloque", None),
    ],
)
def test_the_configuration_names_a_path_or_a_url(tmp_path: Path, written: str, meant: str | None) -> None:
    path = tmp_path / "colloque.yaml"
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(f"  directory: {written}" if x.startswith("  directory:") else x for x in lines))
    if meant is None:
        with pytest.raises(ConfigError, match="must be a path"):
            load(path)
        return
    assert load(path).annuaire.directory == meant.format(folder=tmp_path)


def test_looking_up_in_the_file_needs_the_standard_library_alone(tmp_path: Path, clock: FrozenClock) -> None:
    import_files([first_files(tmp_path / "first")], tmp_path / "d.sqlite", clock)
    script = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from colloque.directory.file import DirectoryFile\n"
        "from colloque.identity import MssanteAddress, Rpps\n"
        "d = DirectoryFile(Path(sys.argv[2]))\n"
        "print(d.by_rpps(Rpps(sys.argv[3])).family_name, d.by_mssante(MssanteAddress('a1@x.test')).rpps)\n"
    )
    source = Path(colloque.__file__).parent.parent
    command = [sys.executable, "-I", "-S", "-c", script, source, tmp_path / "d.sqlite", rpps(1)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (f"NOM1 {rpps(1)}\n", "")
