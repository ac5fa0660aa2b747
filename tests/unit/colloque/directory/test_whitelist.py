"""The white-list's XML."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.columns import ImportRefused
from colloque.directory.whitelist import MAX_BYTES, looks_like, parse
from tests.extracts import whitelist_xml


def test_domains_are_read_in_their_ascii_form() -> None:
    listed = parse(whitelist_xml("Medecin.MSSante.test", "\n Bücher.test \n", "xn--caf-dma.test").encode())
    assert listed.domains == {"medecin.mssante.test", "xn--bcher-kva.test", "xn--caf-dma.test"}
    assert listed.made_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert listed.valid_until == datetime(2026, 3, 31, 23, tzinfo=UTC)


def test_a_prefix_and_other_elements_change_nothing() -> None:
    data = (
        '<l:Liste xmlns:l="https://listeblanche.mssante.fr/schema" xmlns:o="urn:other"><o:Nom>no.test</o:Nom>'
        "<l:Operateur><l:Nom>Opérateur</l:Nom><l:Domaine><l:Nom>a.test</l:Nom><l:Note>b.test</l:Note></l:Domaine>"
        "<o:Domaine><o:Nom>c.test</o:Nom></o:Domaine></l:Operateur></l:Liste>"
    )
    listed = parse(data.encode())
    assert listed.domains == {"a.test"}
    assert listed.valid_until is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "whitelist.xml"),
        (b"<a>", "whitelist.xml"),
        (whitelist_xml("a.test").encode()[:-5], "whitelist.xml"),
        (whitelist_xml().encode(), "whitelist.empty"),
        (b"<ListeBlanche><Domaine><Nom>a.test</Nom></Domaine></ListeBlanche>", "whitelist.empty"),
        (whitelist_xml("a.test", "pas un domaine").encode(), "whitelist.domain"),
        (whitelist_xml("a.test", "localhost").encode(), "whitelist.domain"),
        (whitelist_xml("a.test", end="demain").encode(), "whitelist.date"),
        (b'<!DOCTYPE l [<!ENTITY a "aaaa">]>' + whitelist_xml("a.test").encode()[38:], "whitelist.doctype"),
        (b" " * (MAX_BYTES + 1), "whitelist.size"),
    ],
)
def test_what_is_no_list_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        parse(data)
    assert caught.value.reason == reason


def test_a_list_is_recognised_by_its_name_space() -> None:
    assert looks_like(whitelist_xml("a.test").encode())
    assert not looks_like(b"<ListeBlanche/>")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(ImportRefused):
        parse(data)
