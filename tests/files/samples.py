"""Files as people send them, and as they should not: made here, so that none of them lies in the repository."""

import io
import struct
import wave
import zipfile
import zlib

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def upload(name, content, content_type="application/octet-stream"):
    return SimpleUploadedFile(name, content, content_type)


def picture(picture_format="PNG", size=(60, 40), mode="RGB", **options):
    written = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else None).save(written, picture_format, **options)
    return written.getvalue()


def turned_photo():
    """Lying on its side, with who took it and where."""
    image = Image.new("RGB", (600, 400), "blue")
    exif = image.getexif()
    exif[0x0112] = 6
    exif[0x013B] = "Ana Pereira"
    exif.get_ifd(0x8825)[1] = "N"
    written = io.BytesIO()
    image.save(written, "JPEG", exif=exif, comment=b"Rua das Flores")
    return written.getvalue()


def huge_png(width=30_000, height=30_000):
    """A few bytes that claim to be a picture of so many pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def huge_webp():
    """A canvas of 16,384 × 16,384 in its header."""
    side = (16_383).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    return b"RIFF" + struct.pack("<I", len(body)) + body


def office(folder, *more):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<document/>")
        for name in more:
            archive.writestr(name, "")
    return written.getvalue()


def plain_zip():
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return written.getvalue()


def old_office(stream):
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(70_000) + stream.encode("utf-16-le") + bytes(500)


def sound():
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(80))
    return written.getvalue()


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(100)
BARE_MP3 = b"\xff\xfb\x90\x64" + bytes(100)
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(100)
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
HTML = b"<!doctype html><script>alert(1)</script>"
TEXT = "Rua das Flores 21, 2º\n".encode()

GOOD = {
    "photo.jpg": picture("JPEG"),
    "photo.JPEG": picture("JPEG"),
    "moving.gif": picture("GIF"),
    "screen.png": picture("PNG"),
    "clear.png": picture("PNG", mode="RGBA"),
    "palette.png": picture("PNG", mode="P"),
    "grey.png": picture("PNG", mode="I;16"),
    "print.jpg": picture("JPEG", mode="CMYK"),
    "web.webp": picture("WEBP"),
    "order-48213.pdf": PDF,
    "notes.txt": TEXT,
    "bom.txt": b"\xef\xbb\xbf" + TEXT,
    "rows.csv": b"name;city\nAna;Porto\n",
    "old rows.csv": "name;city\nAna;Évora\n".encode("latin-1"),
    "letter.doc": old_office("WordDocument"),
    "letter.docx": office("word"),
    "sums.xls": old_office("Workbook"),
    "sums.xlsx": office("xl"),
    "talk.ppt": old_office("PowerPoint Document"),
    "talk.pptx": office("ppt"),
    "voice.mp3": MP3,
    "bare.mp3": BARE_MP3,
    "voice.wav": sound(),
    "film.mp4": MP4,
}
# A name, a content, and what the sentence says about it.
BAD = {
    "empty": ("nothing.pdf", b"", "is empty"),
    "not allowed": ("setup.exe", b"MZ" + bytes(100), "because of its type"),
    "no ending": ("README", TEXT, "because of its type"),
    "svg": ("drawing.svg", SVG, "because of its type"),
    "html": ("page.html", HTML, "because of its type"),
    "svg as png": ("drawing.png", SVG, "not a PNG file inside"),
    "svg as text": ("drawing.txt", SVG, "not a TXT file inside"),
    "html as text": ("page.txt", b"\n  " + HTML, "not a TXT file inside"),
    "html behind a comment": ("page.txt", b"<!-- hello -->" + HTML, "not a TXT file inside"),
    "html behind words": ("page.csv", b"a;b\n<ScRiPt>alert(1)</script>", "not a CSV file inside"),
    "xml as csv": ("feed.csv", b"<?xml version='1.0'?><a/>", "not a CSV file inside"),
    "shell as text": ("run.txt", b"#!/bin/sh\nrm -rf /\n", "not a TXT file inside"),
    "pdf as text": ("order.txt", PDF, "not a TXT file inside"),
    "text with nul": ("a.txt", b"hello\0world", "not a TXT file inside"),
    "latin text": ("a.txt", "Évora".encode("latin-1"), "not a TXT file inside"),
    "cut-off utf-8": ("a.txt", b"hello \xc3", "not a TXT file inside"),
    "binary csv": ("a.csv", bytes(range(32)), "not a CSV file inside"),
    "png as jpg": ("photo.jpg", picture("PNG"), "not a JPG file inside"),
    "jpg as pdf": ("order.pdf", picture("JPEG"), "not a PDF file inside"),
    "exe as pdf": ("order.pdf", b"MZ" + bytes(100), "not a PDF file inside"),
    "zip as docx": ("letter.docx", plain_zip(), "not a DOCX file inside"),
    "xlsx as docx": ("letter.docx", office("xl"), "not a DOCX file inside"),
    "macros": ("letter.docx", office("word", "word/vbaProject.bin"), "not a DOCX file inside"),
    "cut-off docx": ("letter.docx", office("word")[:60], "not a DOCX file inside"),
    "xls as doc": ("letter.doc", old_office("Workbook"), "not a DOC file inside"),
    "heic as mp4": ("film.mp4", HEIC, "not a MP4 file inside"),
    "webp as wav": ("voice.wav", picture("WEBP"), "not a WAV file inside"),
    "text as mp3": ("voice.mp3", TEXT, "not a MP3 file inside"),
    "huge png": ("big.png", huge_png(), "30000 × 30000 pixels"),
    "huge webp": ("big.webp", huge_webp(), "16384 × 16384 pixels"),
    "cut-off png": ("a.png", picture("PNG", (300, 300))[:120], "damaged or incomplete"),
    "cut-off jpg": ("a.jpg", picture("JPEG", (300, 300))[:700], "damaged or incomplete"),
    "cut-off gif": ("a.gif", picture("GIF", (300, 300))[:60], "damaged or incomplete"),
    "cut-off webp": ("a.webp", picture("WEBP", (300, 300))[:80], "damaged or incomplete"),
    "bare signature": ("a.png", b"\x89PNG\r\n\x1a\n", "damaged or incomplete"),
}
