"""What a file must contain to be of a type: each type has a table row, its content type, and a look inside."""

import codecs
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import puremagic

CHUNK = 64 * 1024
HEAD = 8192
LARGEST_DIRECTORY = 2 * 1024 * 1024  # of a zip: about 20,000 names
END_OF_ZIP = b"PK\x05\x06"
END_OF_LARGE_ZIP = b"PK\x06\x07"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MP4_BRANDS = {
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"dash",
    b"MSNV",
    b"M4V ",
    b"mmp4",
}
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# What a browser or a shell would take for more than text.
MARKUP = re.compile(r"\s*(?:<[!?a-z]|#!|%pdf-)|.*<(?:script|svg|html|iframe|\?php)\b", re.I | re.S)
UNKNOWN = "application/octet-stream"
# A browser runs these, or a system does: no list in admin makes them safe to pass on.
NEVER = frozenset(
    """
    svg svgz htm html xht xhtml mht mhtml shtml xml xsl xslt js mjs wasm swf hta jar exe dll com scr bat cmd msi ps1 vbs
    sh lnk url reg apk app dmg docm dotm xlsm xlsb pptm ppsm
    """.split()  # noqa: SIM905 - shorter than a list
)
SURE = 0.5  # puremagic guesses by a byte or two as well


@dataclass(frozen=True)
class FileKind:
    """One type: what it is served as, and whether a file holds it."""

    content_type: str
    fits: Callable[[BinaryIO], bool]


def is_possible(extension: str) -> bool:
    """Whether a supervisor may allow this ending: its content can be told, and nothing runs it."""
    return extension in KINDS or (extension not in NEVER and f".{extension}" in _KNOWN_ELSEWHERE)


def fits(extension: str, file: BinaryIO) -> bool:
    """Whether the content is what the ending says."""
    kind = KINDS.get(extension)
    return kind.fits(file) if kind else _fits_elsewhere(extension, file)


def content_type(extension: str) -> str:
    """What a file with this ending is served as; never what its sender said."""
    kind = KINDS.get(extension)
    return kind.content_type if kind else UNKNOWN


def head_of(file: BinaryIO, size: int = HEAD) -> bytes:
    """The first bytes."""
    file.seek(0)
    return file.read(size)


def _starts(*signatures: bytes) -> Callable[[BinaryIO], bool]:
    return lambda file: head_of(file, 16).startswith(signatures)


def _is_webp(file: BinaryIO) -> bool:
    head = head_of(file, 16)
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _is_wav(file: BinaryIO) -> bool:
    head = head_of(file, 16)
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _is_mp3(file: BinaryIO) -> bool:
    head = head_of(file, 4)
    if head[:3] == b"ID3":
        return True
    # Eleven bits of synchronisation, layer III, and a bit rate that exists.
    return len(head) == 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and 0 < head[2] >> 4 < 15


def _is_mp4(file: BinaryIO) -> bool:
    head = head_of(file, 12)
    return head[4:8] == b"ftyp" and head[8:12] in MP4_BRANDS


def _is_text(*encodings: str) -> Callable[[BinaryIO], bool]:
    def fits(file: BinaryIO) -> bool:
        return any(_decodes(file, encoding) for encoding in encodings)

    return fits


def _decodes(file: BinaryIO, encoding: str) -> bool:
    """Plain text all through, and nothing at its beginning that a browser could take for a page."""
    decoder = codecs.getincrementaldecoder(encoding)()
    head = ""
    file.seek(0)
    while chunk := file.read(CHUNK):
        if BINARY.search(chunk):
            return False
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError:
            return False
        head = head or text[:HEAD]
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return MARKUP.match(head.removeprefix("\ufeff")) is None


def _is_office(folder: str) -> Callable[[BinaryIO], bool]:
    """Office's zip: its list of contents, its own folder, and no macros, which these endings do not have."""

    def fits(file: BinaryIO) -> bool:
        if not head_of(file, 4).startswith(b"PK\x03\x04") or not _has_short_directory(file):
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
            return False
        has_macros = any(name.lower().endswith("vbaproject.bin") for name in names)
        return "[Content_Types].xml" in names and any(name.startswith(folder) for name in names) and not has_macros

    return fits


def _has_short_directory(file: BinaryIO) -> bool:
    """Looked at before the directory is read: a made-up one could take all memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    end = tail.rfind(END_OF_ZIP)
    if end < 0 or len(tail) < end + 22 or END_OF_LARGE_ZIP in tail[max(0, end - 20) : end]:
        return False
    return int.from_bytes(tail[end + 12 : end + 16], "little") <= LARGEST_DIRECTORY


def _is_old_office(*streams: str) -> Callable[[BinaryIO], bool]:
    """The container of the older office, with the stream that the program keeps its document in."""
    wanted = [stream.encode("utf-16-le") for stream in streams]
    longest = max(map(len, wanted))

    def fits(file: BinaryIO) -> bool:
        if head_of(file, 8) != OLE:
            return False
        before = b""
        while chunk := file.read(CHUNK):
            if any(stream in before + chunk for stream in wanted):
                return True
            before = chunk[-longest:]
        return False

    return fits


def _fits_elsewhere(extension: str, file: BinaryIO) -> bool:
    """A type that was added in admin: what the world's table of signatures says."""
    file.seek(0)
    try:
        matches = puremagic.magic_stream(file)
    except (puremagic.PureError, ValueError, OSError):
        return False
    return any(match.extension == f".{extension}" and match.confidence >= SURE for match in matches)


_KNOWN_ELSEWHERE = {row.extension for row in (*puremagic.magic_header_array, *puremagic.magic_footer_array)}
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_JPEG = FileKind("image/jpeg", _starts(b"\xff\xd8\xff"))

KINDS: dict[str, FileKind] = {
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": FileKind("image/gif", _starts(b"GIF87a", b"GIF89a")),
    "png": FileKind("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    "webp": FileKind("image/webp", _is_webp),
    "pdf": FileKind("application/pdf", _starts(b"%PDF-")),
    "txt": FileKind("text/plain; charset=utf-8", _is_text("utf-8")),
    "csv": FileKind("text/csv", _is_text("utf-8", "latin-1")),
    "doc": FileKind("application/msword", _is_old_office("WordDocument")),
    "docx": FileKind(_OPEN_XML + "wordprocessingml.document", _is_office("word/")),
    "xls": FileKind("application/vnd.ms-excel", _is_old_office("Workbook", "Book")),
    "xlsx": FileKind(_OPEN_XML + "spreadsheetml.sheet", _is_office("xl/")),
    "ppt": FileKind("application/vnd.ms-powerpoint", _is_old_office("PowerPoint Document")),
    "pptx": FileKind(_OPEN_XML + "presentationml.presentation", _is_office("ppt/")),
    "mp3": FileKind("audio/mpeg", _is_mp3),
    "wav": FileKind("audio/wav", _is_wav),
    "mp4": FileKind("video/mp4", _is_mp4),
}
