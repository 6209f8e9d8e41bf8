"""Names of files: what deceives a reader or breaks a header is gone, the ending stays."""

import pytest

from conversations.files import clean_name, extension_of, shown_size

TURN = "\u202e"


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("order-48213.pdf", "order-48213.pdf"),
        ("Fotografía de Évora.jpg", "Fotografía de Évora.jpg"),
        ("../../etc/passwd.txt", "passwd.txt"),
        (r"C:\Users\Ana\letter.docx", "letter.docx"),
        ("a\r\nSet-Cookie: x=1.pdf", "aSet-Cookie: x=1.pdf"),
        ("null\0byte.png", "nullbyte.png"),
        (f"holiday{TURN}gpj.exe", "holidaygpj.exe"),
        ("zero\u200bwidth\ufeff.pdf", "zerowidth.pdf"),
        ("line\u2028break.pdf", "linebreak.pdf"),
        ("family 👩\u200d👩\u200d👧.png", "family 👩\u200d👩\u200d👧.png"),
        ("  many   blanks  .pdf", "many blanks.pdf"),
        ("e\u0301.pdf", "é.pdf"),
        (".htaccess", "htaccess"),
        ("...", "file"),
        ("", "file"),
        ("archive.tar.gz", "archive.tar.gz"),
        ("\ud800.pdf", "pdf"),
    ],
)
def test_a_name_is_made_harmless(name, cleaned):
    assert clean_name(name) == cleaned


def test_a_long_name_is_shortened_before_its_ending():
    cleaned = clean_name("a" * 300 + ".pdf")

    assert cleaned == "a" * 116 + ".pdf"
    assert len(clean_name("a." + "b" * 300)) == 120


def test_the_ending_decides_in_any_case():
    assert [extension_of(name) for name in ("a.PDF", "a.b.Jpg", "README")] == ["pdf", "jpg", ""]


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (182_400, "182 kB"), (999_600, "1.0 MB"), (4_200_000, "4.2 MB")]
)
def test_a_size_is_shown_as_people_say_it(size, shown):
    assert shown_size(size) == shown
