"""What may be sent is decided by name and content together, and every "no" says why."""

import io

import pytest
from PIL import Image

from conversations import pictures
from conversations.errors import FileTooLarge, Invalid
from conversations.file_types import KINDS, is_possible
from conversations.files import examine
from conversations.models import FileType
from tests.files import samples
from tests.files.samples import BAD, GOOD, upload

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", GOOD)
def test_a_file_of_each_type_is_taken(name):
    examined = examine(upload(name, GOOD[name], "text/html"))

    assert (examined.name, examined.size) == (name, len(GOOD[name]))
    assert examined.content_type == KINDS[examined.extension].content_type
    assert (examined.picture is not None) == (examined.extension in pictures.FORMATS)


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_a_sentence(what):
    name, content, words = BAD[what]

    with pytest.raises(Invalid) as refused:
        examine(upload(name, content))

    assert words in str(refused.value)
    assert name in str(refused.value)


def test_a_file_over_the_limit_is_refused(settings):
    settings.FILE_MEGABYTES = 1

    examine(upload("a.txt", b"a" * 1_000_000))
    with pytest.raises(FileTooLarge, match="larger than 1 MB"):
        examine(upload("a.txt", b"a" * 1_000_001))


def test_the_list_in_admin_decides(settings):
    FileType.objects.filter(extension="pdf").update(is_in_use=False)
    FileType.objects.create(extension="7z")

    with pytest.raises(Invalid, match="because of its type. Files can be: .*7z, csv"):
        examine(upload("a.pdf", samples.PDF))
    assert examine(upload("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100))).content_type == "application/octet-stream"
    with pytest.raises(Invalid, match="not a 7Z file inside"):
        examine(upload("a.7z", samples.PDF))


def test_an_empty_list_allows_nothing():
    FileType.objects.all().delete()

    with pytest.raises(Invalid, match="because of its type"):
        examine(upload("a.pdf", samples.PDF))


@pytest.mark.parametrize("extension", ["svg", "html", "js", "xml", "exe", "nonsense1"])
def test_some_endings_can_never_be_allowed(extension):
    assert not is_possible(extension)
    assert is_possible("zip")


def test_a_gif_with_a_script_behind_it_is_a_gif():
    content = samples.picture("GIF") + b"/*<script>alert(1)</script>*/=1;"

    assert examine(upload("a.gif", content)).content_type == "image/gif"


def test_many_comments_cost_no_time():
    with pytest.raises(Invalid, match="not a TXT file inside"):
        examine(upload("a.txt", b"<!-- -->" * 100_000 + b"x"))


def test_a_zip_whose_list_would_fill_the_memory_is_not_read():
    content = bytearray(samples.office("word"))
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (50_000_000).to_bytes(4, "little")

    with pytest.raises(Invalid, match="not a DOCX file inside"):
        examine(upload("a.docx", bytes(content)))


def test_a_thumbnail_stands_upright_is_small_and_tells_nothing():
    picture = examine(upload("a.jpg", samples.turned_photo())).picture

    assert (picture.width, picture.height) == (400, 600)
    with Image.open(io.BytesIO(picture.thumbnail)) as small:
        assert (small.format, small.size) == ("WEBP", (320, 480))
        assert not small.getexif()
    for told in (b"Ana", b"EXIF", b"Rua", b"XMP"):
        assert told not in picture.thumbnail


def test_what_is_clear_stays_clear():
    picture = examine(upload("a.png", samples.picture("PNG", (2000, 10), "RGBA"))).picture

    with Image.open(io.BytesIO(picture.thumbnail)) as small:
        assert small.mode == "RGBA"
        assert max(small.size) == 480


def test_a_small_picture_is_not_blown_up():
    picture = examine(upload("a.png", samples.picture("PNG", (5, 3)))).picture

    with Image.open(io.BytesIO(picture.thumbnail)) as small:
        assert small.size == (5, 3)
