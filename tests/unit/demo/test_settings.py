"""The demo's `colloque.yaml` passes the production checks, and every secret is private."""

from dataclasses import astuple
from pathlib import Path

import pytest

from colloque_demo import settings
from colloque_demo.layout import Layout
from colloque_demo.settings import Ports


@pytest.fixture
def layout(tmp: Path):
    found = Layout(tmp / "demo")
    found.open()
    yield found
    found.close()


def test_the_configuration_is_strict_and_complete(layout: Layout):
    ports = Ports.choose()
    config = settings.write_config(layout, ports, "http://127.0.0.1:1", layout.root / "ca.pem")
    assert config.mode == "production"
    assert config.mssante.imap.tls == config.mssante.smtp.tls == "starttls"
    life = config.salles.lifetime
    assert life.notice_s < life.idle_s <= 60
    assert len(str(config.socket("mssante"))) < 107


def test_ports_are_all_different():
    chosen = astuple(Ports.choose())
    assert len(set(chosen)) == len(chosen)


def test_secrets_are_private_and_all_different(layout: Layout):
    settings.make_secrets(layout)
    files = list(layout.secrets.iterdir())
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert len({file.read_bytes() for file in files}) == len(files) == 7


def test_tokens_do_not_change_when_asked_again(layout: Layout):
    settings.make_secrets(layout)
    first, second = settings.appservices(layout), settings.appservices(layout)
    assert [a.as_token for a in first] == [a.as_token for a in second]
    assert [a.ghosts for a in first] == [None, None, settings.GHOSTS]
