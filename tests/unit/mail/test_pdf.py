"""PDF/A-1: checked by another library than wrote it; every word is there, or its absence is written out."""

from __future__ import annotations

import io
import unicodedata
import zlib
from dataclasses import replace

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.mail import pdf
from colloque.mail.cda import Bullets, Cell, Figure, Media, Paragraph, Section, Table
from colloque.mail.cda_pdf import pdf_of
from colloque.mail.cda_read import read_cda
from colloque.mail.pdf import Sheet, render
from tests.clinical import AT, DOCUMENT, NUMBER, PDF, cda, media, n3_body
from tests.pdfa import faults, missing_glyphs, text_of


def png(colour: int, *, alpha: bool = False) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    pixel = bytes([0, colour, colour, colour, *([100] if alpha else [])])
    head = (1).to_bytes(4, "big") * 2 + bytes([8, 6 if alpha else 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixel)) + chunk(b"IEND", b"")


def sheet(*blocks: object, title: str = "Synthèse", **more: str) -> Sheet:
    return Sheet(title, ((("Auteur", "Dr Anne ESSAI"),),), (Section("Échanges", 1, blocks),), **more)


@pytest.fixture(scope="module")
def structured() -> bytes:
    return pdf_of(read_cda(cda(n3_body(media=media(png(9), "image/png")))))


def test_it_is_pdf_a_1(structured: bytes):
    assert faults(structured) == []
    assert missing_glyphs(structured) == 0
    with pikepdf.open(io.BytesIO(structured)) as made:
        assert str(made.Root.Lang) == "fr"
        assert str(made.docinfo.Title) == "Compte rendu d'examens biologiques"
        assert str(made.docinfo.Creator).startswith("Typst")


def test_the_checker_sees_what_pdf_a_forbids(structured: bytes):
    # Else it would prove nothing above.
    def changed(change) -> list[str]:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(structured)) as made:
            change(made)
            made.save(out, fix_metadata_version=False, object_stream_mode=pikepdf.ObjectStreamMode.disable)
        return faults(out.getvalue())

    def script(made: pikepdf.Pdf) -> None:
        action = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        made.Root.OpenAction = made.make_indirect(action)

    def unembedded(made: pikepdf.Pdf) -> None:
        for item in made.objects:
            if isinstance(item, pikepdf.Dictionary) and "/FontFile3" in item:
                del item["/FontFile3"]

    def unintended(made: pikepdf.Pdf) -> None:
        del made.Root["/OutputIntents"]

    def unsaid(made: pikepdf.Pdf) -> None:
        del made.Root["/Metadata"]

    assert changed(lambda _: None) == []
    assert "a forbidden action" in changed(script)
    assert "a font that is not embedded" in changed(unembedded)
    assert changed(unintended) == ["no output intent"]
    assert changed(unsaid) == ["no plain metadata"]
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(structured)) as made:
        made.save(out, encryption=pikepdf.Encryption(owner="x", user=""))
    assert "encrypted" in faults(out.getvalue())


def test_every_word_of_a_structured_document_is_in_it(structured: bytes):
    text = text_of(structured)
    for part in (
        "Compte rendu d'examens biologiques", "01/04/2021 à 13:47", "Dr Marc ESSAI, Laboratoire d'essai",
        "Dr Léa ESSAI-B, CHU d'essai", "ESSAI-DUPONT Zélie", "28/03/1979", "féminin", NUMBER,
        "Résultats", "Prélevé à jeun.", "Bilan", "Examen", "Hémogramme", "Leucocytes 6,1 10^9/L", "Plaquettes 250",
        "Contrôle", "Deux ~~Trois~~", "Fin.", "Conclusion", "Rien d'anormal.",
    ):  # fmt: skip
        assert "".join(part.split()) in text, part
    with pikepdf.open(io.BytesIO(structured)) as made:
        images = [i for i in made.objects if isinstance(i, pikepdf.Stream) and i.get("/Subtype") == "/Image"]
    assert len(images) == 1


def test_of_a_document_around_a_pdf_it_is_that_pdf():
    assert pdf_of(read_cda(cda())) == PDF
    assert pdf_of(DOCUMENT) == PDF


def test_a_document_of_plain_text():
    body = '<component><nonXMLBody><text mediaType="text/plain">Ligne un\nLigne deux</text></nonXMLBody></component>'
    made = pdf_of(read_cda(cda(body)))
    assert faults(made) == []
    assert "LigneunLignedeux" in text_of(made)


@pytest.mark.parametrize(
    "document",
    [
        replace(DOCUMENT, body=None),
        replace(DOCUMENT, body=Media("image/png", b"x")),
        replace(DOCUMENT, at=None, body=None),
    ],
)
def test_nothing_to_print(document):
    with pytest.raises(BadInput):
        pdf_of(document)


def test_a_picture_that_pdf_a_1_cannot_hold_is_named_instead():
    made = render(sheet(Figure("a"), Figure("b")), AT, {"a": Media("image/png", png(9, alpha=True))})
    assert faults(made) == []
    assert text_of(made).count("[Image:voirledocumentd'origine]") == 2
    broken = render(sheet(Figure("a")), AT, {"a": Media("image/jpeg", b"\xff\xd8\xff broken")})
    assert faults(broken) == []


def test_the_same_sheet_gives_the_same_bytes():
    assert render(sheet(Paragraph("a")), AT) == render(sheet(Paragraph("a")), AT)


def test_every_character_that_is_set_has_a_glyph():
    every = [chr(code) for first, last in pdf._COVERED for code in range(first, last + 1)]
    shown = [c for c in every if unicodedata.category(c)[0] in "LMNPSZ"]
    assert len(shown) > 3000
    assert missing_glyphs(render(sheet(Paragraph(" ".join(shown))), AT)) == 0


def test_a_character_without_glyph_is_written_out():
    made = render(sheet(Paragraph("avis 👍 中 ☑\u202e fin")), AT)
    assert missing_glyphs(made) == 0
    assert "avis[caractèreU+1F44D][caractèreU+4E2D]☑fin" in text_of(made)


@pytest.mark.parametrize("block", [Paragraph("x" * 20_000), Table(((Cell("x" * 20_000),),)), Bullets(("x" * 20_000,))])
def test_a_word_without_an_end_stays_on_its_pages(block: object):
    """On one line it would be set beyond the edge, or not at all (PDF/A-1 knows no such list of glyphs)."""
    data = render(sheet(block), AT)
    assert faults(data) == []
    assert missing_glyphs(data) == 0
    assert text_of(data).count("x") == 20_000
    with pikepdf.open(io.BytesIO(data)) as made:
        assert len(made.pages) > 3


def test_words_are_data_and_never_layout():
    words = '#panic("x") $x$ *a* _b_ `c` <d> @e = f \\n " #import "g" [h] {i} // j'
    made = render(
        sheet(Paragraph(words), Bullets((words,), ordered=True), Table(((Cell(words),),), words), title=words), AT
    )
    assert text_of(made).count("".join(words.split())) == 5  # title, paragraph, item, caption, cell
    assert faults(made) == []


@pytest.mark.parametrize(
    "block",
    [
        Table(((Cell("a", down=9), Cell("b", across=9)), (Cell("c"), Cell("d"), Cell("e")))),
        Table(((Cell("a", across=3),), (Cell("b", down=2), Cell("c")), (Cell("d", across=2),), (), (Cell("e"),))),
        Table(()),
        Bullets(()),
        Paragraph(""),
        Figure("none"),
    ],
)
def test_odd_blocks(block: object):
    made = render(sheet(block), AT)
    assert faults(made) == []


def test_a_long_document_is_set_without_its_tags():
    made = render(sheet(Bullets(("mot",) * 9000)), AT)
    assert faults(made) == []
    assert text_of(made).count("mot") == 9000


@pytest.mark.parametrize(
    "block",
    [
        Table((tuple(Cell("a", across=30) for _ in range(2)),)),
        Table(tuple((Cell("a"),) for _ in range(pdf.PIECES_LIMIT + 1))),
        Paragraph("a" * (pdf.TEXT_LIMIT + 1)),
        Paragraph("a\n" * pdf.PIECES_LIMIT),
        Bullets(("a" * 1000,) * (pdf.TEXT_LIMIT // 1000 + 1)),
        Bullets(("a",) * (pdf.PIECES_LIMIT + 1)),
        Table(tuple(tuple(Cell("a", across=1, down=100) for _ in range(30)) for _ in range(700))),
    ],
)
def test_what_is_too_long_is_refused(block: object):
    with pytest.raises(BadInput):
        render(sheet(block), AT)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.text(max_size=40))
def test_any_words(words: str, title: str):
    made = render(sheet(Paragraph(words), Table(((Cell(words),),), words), title=title, footer=words), AT)
    assert missing_glyphs(made) == 0
    assert faults(made) == []
