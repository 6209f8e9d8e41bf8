"""Pictures: measured before anything is decoded, then drawn small without what the camera wrote about its owner."""

import io
import threading
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from conversations.errors import FileRefused
from conversations.file_types import head_of

FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
MOST_PIXELS = 50_000_000
THUMBNAIL_SIDE = 480
THUMBNAIL_TYPE = "image/webp"
TURNED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
ORIENTATION = 0x0112
WITH_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}

# We measure first and refuse with a sentence; Pillow's own guard is a warning that nobody would read.
Image.MAX_IMAGE_PIXELS = None
# A large picture takes 200 MB while it is decoded: one at a time in each process.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """What is kept of a picture beside its file: the size as it is seen, and the thumbnail."""

    width: int
    height: int
    thumbnail: bytes


def look_at(file: BinaryIO, extension: str, name: str) -> Picture:
    """Measure, decode and draw small; raises FileRefused when there are too many pixels or some are missing."""
    try:
        with _one_at_a_time:
            return _look_at(file, FORMATS[extension], name)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError) as problem:
        # Whatever a decoder trips over, in a file that somebody else made.
        raise FileRefused(
            _("“%(name)s” is damaged or incomplete and cannot be opened. Send another copy of it."), name=name
        ) from problem


def _look_at(file: BinaryIO, picture_format: str, name: str) -> Picture:
    if picture_format == "WEBP":
        _check_size(_size_of_webp(head_of(file, 32)), name)  # Pillow takes memory for all of it on opening
    file.seek(0)
    with Image.open(file, formats=[picture_format]) as image:
        width, height = image.size
        _check_size((width, height), name)
        if image.getexif().get(ORIENTATION) in TURNED:
            width, height = height, width
        return Picture(width, height, _thumbnail(image))


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise FileRefused(
            _("“%(name)s” has %(width)d × %(height)d pixels, more than can be shown. Make it smaller."),
            name=name,
            width=width,
            height=height,
        )


def _size_of_webp(head: bytes) -> tuple[int, int]:
    """The canvas as the header gives it."""
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF


def _thumbnail(image: Image.Image) -> bytes:
    """The first frame, upright and at most 480 pixels wide and high; nothing but its pixels is copied."""
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    image.draft("RGB", side)  # JPEG only: decodes at a fraction of the size
    orientation = image.getexif().get(ORIENTATION)
    image.load()
    has_alpha = image.mode in WITH_ALPHA or "transparency" in image.info
    small = image.convert("RGBA" if has_alpha else "RGB")
    small.thumbnail(side)
    small.getexif()[ORIENTATION] = orientation or 1
    upright = ImageOps.exif_transpose(small)
    bare = Image.new(upright.mode, upright.size)
    bare.paste(upright)
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=80)
    return written.getvalue()
