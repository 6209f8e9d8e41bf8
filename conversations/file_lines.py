"""Files of a message as the templates take them, and their part of a line, which is drawn anew after the check."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Subquery, prefetch_related_objects
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from conversations.files import extension_of, shown_size
from conversations.models import Attachment, Conversation, Message
from conversations.states import MessageKind, ScanState

SHOWN_SIDE = 240  # pixels of a picture in the thread; its thumbnail has twice as many for fine screens
REDRAWN = 30  # of the newest messages with files


@dataclass(frozen=True)
class FileLine:
    """A file in a bubble."""

    name: str
    size: str
    kind: str
    state: str
    url: str
    thumbnail: str
    width: int
    height: int


def fetch_files(messages: Iterable[Message]) -> None:
    """Read the files of these messages: one query, and none where there are no files."""
    prefetch_related_objects([message for message in messages if message.handles], "attachments")


def file_lines(message: Message) -> list[FileLine]:
    """The files of a message, in the sender's order."""
    handles = message.handles
    if not handles:
        return []
    return [file_line(one) for one in sorted(message.attachments.all(), key=lambda one: handles.index(str(one.handle)))]


def file_line(attachment: Attachment) -> FileLine:
    """One file."""
    width, height = _shown(attachment.width or 0, attachment.height or 0)
    return FileLine(
        name=attachment.name,
        size=shown_size(attachment.size),
        kind=extension_of(attachment.name).upper(),
        state=attachment.scan_state,
        url=reverse("file", args=[attachment.handle]),
        thumbnail=reverse("thumbnail", args=[attachment.handle]) if attachment.thumbnail else "",
        width=width,
        height=height,
    )


def scan_states(message: Message) -> tuple[str, ...]:
    """How far the check of its files is."""
    return tuple(one.scan_state for one in message.attachments.all()) if message.handles else ()


def draw_files(conversation: Conversation, language: str, *, with_notes: bool) -> dict[str, str]:
    """The files of the newest messages, by name of their fragment; nothing while no scanner is in use."""
    if not settings.FILE_SCANNER:
        return {}
    # By the conversation's files, of which there are few, and not by its messages.
    with_files = Subquery(conversation.attachments.filter(message__isnull=False).order_by().values("message"))
    messages = Message.objects.filter(pk__in=with_files)
    if not with_notes:
        messages = messages.exclude(kind=MessageKind.NOTE)
    newest = list(messages.order_by("-number")[:REDRAWN])
    fetch_files(newest)
    with translation.override(language):
        return {f"files-{message.pk}": _draw(message) for message in newest}


def _draw(message: Message) -> str:
    return render_to_string("_files.html", {"pk": message.pk, "files": file_lines(message), "oob": True})


def is_checked(attachment: Attachment) -> bool:
    """Whether the file may be handed out."""
    return attachment.scan_state == ScanState.CLEAN


def _shown(width: int, height: int) -> tuple[int, int]:
    longest = max(width, height, 1)
    scale = min(1, SHOWN_SIDE / longest)
    return max(1, round(width * scale)), max(1, round(height * scale))
