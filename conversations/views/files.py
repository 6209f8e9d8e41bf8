"""Files: taken from visitors and agents before they are posted, handed out to those who may read the conversation."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent
from agents.requests import agent_of, sign_in_required
from config.numbers import whole_number
from config.refusal import Refused
from config.threads import let_go
from conversations import limits, visitors
from conversations.access import conversation_of, readable_by
from conversations.actions import files
from conversations.actions.messaging import Draft, Posted, find_posted, post
from conversations.errors import FileRefused, FileTooLarge, Gone
from conversations.file_lines import file_line, is_checked
from conversations.files import MEGABYTE
from conversations.models import Attachment, Message
from conversations.pictures import THUMBNAIL_TYPE
from conversations.states import MessageKind, Party, ScanState

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
CHUNK = 64 * 1024
FORM_BYTES = 128 * 1024  # what a form has around its files
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

UNKNOWN = _("There is no such file here. It may have been removed, or it belongs to another conversation.")


def limited(most_files: Callable[[], int]) -> Callable[[View], View]:
    """Refuse a body that is larger than so many files before any of it is taken apart, the token's check included."""

    def decorate(view: View) -> View:
        protected = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            length = request.META.get("CONTENT_LENGTH") or "0"
            most = most_files() * settings.FILE_MEGABYTES * MEGABYTE + FORM_BYTES
            size = whole_number(length)
            if size is None or size > most:
                refusal = FileTooLarge(
                    _("That is larger than %(megabytes)d MB, the most that can be sent. Make it smaller."),
                    megabytes=settings.FILE_MEGABYTES * most_files(),
                )
                if "application/json" in request.headers.get("Accept", ""):
                    return _refusal(refusal)
                raise refusal
            return protected(request, *args, **kwargs)

        return inner

    return decorate


one_file = limited(lambda: 1)
one_message = limited(lambda: settings.FILES_PER_MESSAGE)


@one_file
@require_POST
def upload_by_visitor(request: HttpRequest) -> HttpResponse:
    """A file that the visitor is about to send."""
    return _answer(lambda: _uploaded(request, _visitor(request)))


@require_POST
def discard_by_visitor(request: HttpRequest, handle: UUID) -> HttpResponse:
    """The visitor will not send it."""
    return _answer(lambda: _discarded(handle, _visitor(request)))


@one_file
@require_POST
@sign_in_required
def upload_by_agent(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """A file that the agent is about to send."""
    sender = files.Sender(conversation_id, Party.AGENT, agent_of(request).pk)
    return _answer(lambda: _uploaded(request, sender))


@require_POST
@sign_in_required
def discard_by_agent(request: HttpRequest, conversation_id: int, handle: UUID) -> HttpResponse:
    """The agent will not send it."""
    return _answer(lambda: _discarded(handle, files.Sender(conversation_id, Party.AGENT, agent_of(request).pk)))


@require_safe
def file(request: HttpRequest, handle: UUID) -> FileResponse:
    """The file, as a download."""
    attachment = _readable(request, handle)
    stored = _opened(attachment.file)
    return StoredFile(stored, attachment.name, attachment.content_type)


@require_safe
def thumbnail(request: HttpRequest, handle: UUID) -> FileResponse:
    """The small picture for the thread."""
    attachment = _readable(request, handle)
    if not attachment.thumbnail:
        raise Gone(UNKNOWN)
    stored = _opened(attachment.thumbnail)
    return StoredFile(stored, f"{attachment.name.rpartition('.')[0]}.webp", THUMBNAIL_TYPE)


def _opened(stored: FieldFile) -> BinaryIO:
    """
    The stored bytes; a row whose bytes are gone (a backup of one without the other) is logged and has no file.

    The database is let go: a slow line takes the file for minutes.
    """
    let_go()
    try:
        return cast(BinaryIO, stored.open("rb"))
    except FileNotFoundError as missing:
        logger.error("The stored file %s is missing.", stored.name)
        raise Gone(UNKNOWN) from missing


class StoredFile(FileResponse):
    """
    A stored file that no browser runs or shows as a page, whatever it holds.

    Under ASGI it is read chunk by chunk beside the loop: Django would read all of it into memory first.
    """

    def __init__(self, stored: Any, name: str, content_type: str) -> None:
        super().__init__(stored, as_attachment=True, filename=name, content_type=content_type)
        self._stored: BinaryIO = stored
        self.headers["X-Content-Type-Options"] = "nosniff"
        self.headers["Content-Security-Policy"] = POLICY
        self.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        self.headers["Cache-Control"] = "private, no-store"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(self._stored.read, CHUNK):
            yield chunk


def post_with_files(request: HttpRequest, draft: Draft) -> Posted:
    """Send a message with the files that were uploaded before it, or that a plain form brings along with it."""
    brought = request.FILES.getlist("files")
    if not brought:
        named = filter(None, request.POST.getlist("files"))
        return post(replace(draft, files=files.clean_handles(named)))
    if posted := find_posted(draft):
        return posted  # a form that was sent twice; the files came the first time
    handles = _uploaded_along(brought, draft.uploader)
    try:
        return post(replace(draft, files=tuple(handles)))
    except Refused:
        _give_up(handles, draft.uploader)
        raise


def _uploaded_along(brought: "list[UploadedFile[Any]]", sender: files.Sender) -> list[str]:
    """The files of a plain form, kept; when one is refused, none is."""
    if len(brought) > settings.FILES_PER_MESSAGE:
        raise FileRefused(
            _("A message can have up to %(most)d files. Send the others in another one."),
            most=settings.FILES_PER_MESSAGE,
        )
    handles: list[str] = []
    try:
        for one in brought:
            _check_speed(sender)
            handles.append(str(files.upload(one, sender).handle))
    except Refused:
        _give_up(handles, sender)
        raise
    return handles


def _give_up(handles: list[str], sender: files.Sender) -> None:
    """The message that should have had them was refused."""
    for handle in handles:
        files.discard(handle, sender)


def _visitor(request: HttpRequest) -> files.Sender:
    token_hash = visitors.token_hash_of(request)
    mine = conversation_of(token_hash) if token_hash else None
    if mine is None:
        raise Gone
    return files.Sender(mine.pk, Party.VISITOR)


def _check_speed(sender: files.Sender) -> None:
    limits.check_upload(f"agent:{sender.agent_id}" if sender.agent_id else f"conversation:{sender.conversation_id}")


def _uploaded(request: HttpRequest, sender: files.Sender) -> JsonResponse:
    _check_speed(sender)
    brought: list[UploadedFile[Any]] = [one for name in request.FILES for one in request.FILES.getlist(name)]
    if len(brought) != 1:
        raise FileRefused(_("No file arrived. Choose one and try again."))
    attachment = files.upload(brought[0], sender)
    line = file_line(attachment)
    shown = {"name": line.name, "size": attachment.size, "kind": line.kind, "url": line.url}
    is_shown = attachment.scan_state == ScanState.CLEAN and line.thumbnail
    return JsonResponse({"handle": str(attachment.handle), **shown, "thumbnail": line.thumbnail if is_shown else None})


def _discarded(handle: UUID, sender: files.Sender) -> JsonResponse:
    files.discard(str(handle), sender)
    return JsonResponse({})


def _answer(work: Callable[[], JsonResponse]) -> JsonResponse:
    try:
        return work()
    except Refused as refusal:
        return _refusal(refusal)


def _refusal(refusal: Refused) -> JsonResponse:
    return JsonResponse({"sentence": str(refusal)}, status=refusal.status, headers=refusal.headers)


def _readable(request: HttpRequest, handle: UUID) -> Attachment:
    """The file, for who may read its conversation now; raises Gone, or says that it is still being checked."""
    attachment = Attachment.objects.select_related("message").filter(handle=handle).first()
    if attachment is None or not (_may_agent_read(request, attachment) or _may_visitor_read(request, attachment)):
        raise Gone(UNKNOWN)
    if attachment.scan_state == ScanState.PENDING:
        raise Refused(_("This file is still being checked for viruses. Try again in a moment."))
    if not is_checked(attachment):
        raise Gone(_("This file was refused by the virus check and removed."))
    return attachment


def _may_agent_read(request: HttpRequest, attachment: Attachment) -> bool:
    if not request.user.is_authenticated:
        return False
    agent: Agent = agent_of(request)
    if attachment.message is None:
        return attachment.agent_id == agent.pk
    try:
        readable_by(agent, attachment.conversation_id)
    except Gone:
        return False
    return True


def _may_visitor_read(request: HttpRequest, attachment: Attachment) -> bool:
    """His session's conversation; notes, and what is not posted yet by others, are none of it."""
    token_hash = visitors.token_hash_of(request)
    mine = conversation_of(token_hash) if token_hash else None
    if mine is None or mine.pk != attachment.conversation_id:
        return False
    message: Message | None = attachment.message
    if message is None:
        return attachment.sender == Party.VISITOR
    return message.kind != MessageKind.NOTE
