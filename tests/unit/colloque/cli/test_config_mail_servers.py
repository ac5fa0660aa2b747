"""`mssante.imap` and `mssante.smtp`: a host and its port, or a domain, and never both."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.config_load import load
from colloque.errors import ConfigError
from tests.unit.colloque.cli.test_config_antivirus import changed

HOST, PORT = r"(?m)^    host: imap\.operator\.example$", r"(?m)^    port: 143$"
DOMAIN = (r'(?s)^(.*?\n  imap:\n.*?)    domain: ""\n', r"\1")


def test_a_domain_instead_of_host_and_port(tmp_path: Path) -> None:
    imap = load(changed(tmp_path, DOMAIN, (HOST, "    domain: operator.example"), (PORT, ""))).mssante.imap
    assert (imap.domain, imap.host, imap.port) == ("operator.example", "", 0)


@pytest.mark.parametrize(
    ("host", "port", "where"),
    [
        ("    domain: operator.example", "    port: 143", [""]),
        ("    domain: operator.example\n    host: a.example", "", [""]),
        ("    domain: operator", "", [".domain"]),
        ("    domain: a b.example", "", [".domain"]),
        ("    domain: a..example", "", [".domain"]),
        ("", "    port: 143", [".host"]),
        ("    host: a.example", "", [".port"]),
        ("    host: a.example", "    port: 65536", [".port"]),
        ("", "", [".host", ".port"]),
    ],
)
def test_what_is_neither(tmp_path: Path, host: str, port: str, where: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(changed(tmp_path, DOMAIN, (HOST, host), (PORT, port)))
    assert [problem.path for problem in caught.value.problems] == [f"mssante.imap{each}" for each in where]
