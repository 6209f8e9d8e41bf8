"""A file as it may be sent: its name made harmless, its type decided by name and content together."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from config.threads import let_go
from conversations import file_types, pictures
from conversations.errors import FileRefused, FileTooLarge
from conversations.models import LONGEST_FILE_NAME, FileType

MEGABYTE = 1_000_000
# Joiners belong to scripts and emoji; all other format characters only deceive (a turned-around ending).
KEPT_FORMATS = {"\u200c", "\u200d"}
DECEIVING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
LONGEST_ENDING = 10


@dataclass(frozen=True)
class Examined:
    """What is known of a file that may be sent."""

    name: str
    extension: str
    content_type: str
    size: int
    picture: pictures.Picture | None


def clean_name(name: str) -> str:
    """The last part of the name, without what could deceive a reader or break a header; its ending is kept."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(character for character in name if _is_kept(character))
    name = " ".join(name.split()).strip(". ")
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem.strip(". ") or len(ending) > LONGEST_ENDING:
        return name[:LONGEST_FILE_NAME] or "file"
    return f"{stem[: LONGEST_FILE_NAME - len(ending) - 1].rstrip('. ')}.{ending}"


def _is_kept(character: str) -> bool:
    return character in KEPT_FORMATS or unicodedata.category(character) not in DECEIVING


def extension_of(name: str) -> str:
    """The ending in small letters, empty when there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def allowed_extensions() -> list[str]:
    """What supervisors allow now."""
    return list(FileType.objects.filter(is_in_use=True).values_list("extension", flat=True))


def examine(upload: "UploadedFile[Any]") -> Examined:
    """
    Decide about a file that has arrived; raises a refusal that says what is wrong with it.

    The database is asked first and let go then: to look at a large picture takes its time, and its turn.
    """
    name = clean_name(upload.name or "")
    check_size(upload.size or 0, name)
    extension = extension_of(name)
    _check_allowed(extension, name, allowed_extensions())
    let_go()
    file = cast(BinaryIO, upload.file)
    if not file_types.fits(extension, file):
        raise FileRefused(
            _("“%(name)s” is not a %(type)s file inside. Check the file, or send it under its right name."),
            name=name,
            type=extension.upper(),
        )
    picture = pictures.look_at(file, extension, name) if extension in pictures.FORMATS else None
    return Examined(name, extension, file_types.content_type(extension), upload.size or 0, picture)


def check_size(size: int, name: str) -> None:
    """Neither empty nor too large."""
    if size == 0:
        raise FileRefused(_("“%(name)s” is empty. Choose another file."), name=name)
    if size > settings.FILE_MEGABYTES * MEGABYTE:
        raise FileTooLarge(
            _("“%(name)s” is larger than %(megabytes)d MB, the most that can be sent. Make it smaller and try again."),
            name=name,
            megabytes=settings.FILE_MEGABYTES,
        )


def _check_allowed(extension: str, name: str, allowed: Iterable[str]) -> None:
    allowed = list(allowed)
    if extension not in allowed:
        raise FileRefused(
            _("“%(name)s” cannot be sent because of its type. Files can be: %(types)s."),
            name=name,
            types=", ".join(allowed) or "–",
        )


def shown_size(size: int) -> str:
    """As people say it: 182 kB, 4.2 MB."""
    if size < 1000:
        return f"{size} B"
    if size < 999_500:
        return f"{round(size / 1000)} kB"
    return f"{number_format(round(size / MEGABYTE, 1), decimal_pos=1)} MB"
