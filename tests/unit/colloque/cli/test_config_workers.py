"""`mssante.workers`: on PostgreSQL alone, and not more than there is work for."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.config_load import load
from colloque.errors import ConfigError
from colloque_mssante.mailboxes.worker import MailWorker, worker_folder
from tests.unit.colloque.cli.test_config_antivirus import changed

POSTGRES = (r"sqlite:/var/lib/colloque/mssante/mssante.db", "postgres://mssante@db/colloque")


def test_one_process_does_everything_unless_it_is_said(tmp_path: Path) -> None:
    assert load(changed(tmp_path, (r"(?ms)^  # Mail workers.*^  workers: 0\n", ""))).mssante.workers == 0
    assert load(changed(tmp_path, POSTGRES, ("workers: 0", "workers: 3"))).mssante.workers == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("workers: 0", "workers: 3")], "needs PostgreSQL"),
        ([POSTGRES, ("workers: 0", "workers: 65")], "at most 64"),
        ([POSTGRES, ("workers: 0", "workers: 3"), ("logins_per_minute: 600", "logins_per_minute: 2")], "its share"),
    ],
)
def test_what_can_not_be(tmp_path: Path, changes: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(changed(tmp_path, *changes))
    assert [(p.path, says in p.message) for p in caught.value.problems] == [("mssante.workers", True)]


def test_there_are_so_many_workers_and_each_has_its_own(tmp_path: Path) -> None:
    config = load(changed(tmp_path, POSTGRES, ("workers: 0", "workers: 3")))
    assert MailWorker(config, 3).port == config.mssante.http.port + 3
    assert worker_folder(config.mssante, 3) == Path("/var/lib/colloque/mssante-workers/3")
    for number in (-1, 0, 4):
        with pytest.raises(ConfigError):
            MailWorker(config, number)
