"""Files of a conversation: uploaded before they are posted, discarded, attached to a message, checked, cleared away."""

import datetime as dt
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, QuerySet, Sum, prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from config.clock import database_now
from config.live import announce
from conversations import groups
from conversations.access import participation_of
from conversations.errors import AlreadyEnded, FileRefused, Gone, Invalid
from conversations.files import MEGABYTE, Examined, examine
from conversations.models import Attachment, Conversation, Message
from conversations.states import Party, ScanState

logger = logging.getLogger(__name__)

UNPOSTED_FOR = dt.timedelta(days=1)
STALE_AT_ONCE = 100
LONGEST_HANDLE = 36

FILE_GONE = _("This file is not there any more. Attach it again.")


@dataclass(frozen=True)
class Sender:
    """Who sends into which conversation; a visitor has no agent."""

    conversation_id: int
    party: Party
    agent_id: int | None = None

    def own(self) -> QuerySet[Attachment]:
        """What he uploaded into this conversation."""
        return Attachment.objects.filter(conversation=self.conversation_id, sender=self.party, agent=self.agent_id)


def upload(upload: "UploadedFile[Any]", sender: Sender) -> Attachment:
    """
    Keep a file until its sender posts it; raises the refusal when it cannot be sent.

    Files are read and written outside the transaction; the quota is looked at before and, for good, under the lock.
    """
    _check_open(Conversation.objects.filter(pk=sender.conversation_id).first(), sender)
    _check_quota(sender.conversation_id, upload.size or 0)
    now = database_now()
    examined = examine(upload)
    stored = _store(upload, examined, now)
    try:
        return _keep(examined, stored, sender)
    except BaseException:
        _remove(stored)
        raise


def discard(handle: str, sender: Sender) -> None:
    """Remove a file that its sender has not posted, and will not; another's conversation is as good as none."""
    with transaction.atomic():
        own = sender.own().filter(handle=handle, message=None)
        if not own.exists():
            raise Gone(FILE_GONE)
        Conversation.objects.lock(pk=sender.conversation_id)
        attachment = own.first()
        if attachment is None:
            raise Gone(FILE_GONE)
        _delete(attachment)


def to_post(handles: Iterable[str], sender: Sender) -> list[Attachment]:
    """
    The sender's own files of this conversation that wait to be posted, in his order. Call it under the lock.

    Raises FileRefused when one of them is not his, not there any more, or refused by the scanner.
    """
    handles = list(handles)
    found = {str(one.handle): one for one in sender.own().filter(handle__in=handles, message=None)}
    for handle in handles:
        if handle not in found:
            raise FileRefused(_("A file of this message was sent already or is not there any more. Attach it again."))
        if found[handle].scan_state == ScanState.REFUSED:
            raise FileRefused(
                _("“%(name)s” was refused by the virus check. Remove it and send again."), name=found[handle].name
            )
    return [found[handle] for handle in handles]


def clean_handles(handles: Iterable[object]) -> tuple[str, ...]:
    """The handles of a message as they came; raises Invalid when they cannot be any."""
    cleaned = []
    for handle in handles:
        try:
            cleaned.append(str(uuid.UUID(handle if isinstance(handle, str) and len(handle) <= LONGEST_HANDLE else "")))
        except ValueError as problem:
            raise Invalid(FILE_GONE) from problem
    if len(cleaned) > settings.FILES_PER_MESSAGE:
        raise Invalid(
            _("A message can have up to %(most)d files. Send the others in another one."),
            most=settings.FILES_PER_MESSAGE,
        )
    return tuple(dict.fromkeys(cleaned))


def attach(messages: Iterable[Message]) -> None:
    """Make the files that new messages name theirs, and keep them at hand. Call it under the lock."""
    with_files = [message for message in messages if message.handles]
    for message in with_files:
        Attachment.objects.filter(handle__in=message.handles, message=None).update(message=message)
    prefetch_related_objects(with_files, "attachments")


def settle_scan(attachment_id: int, *, is_clean: bool) -> None:
    """Note what the scanner said; an infected file is deleted, and every page that shows it learns the answer."""
    conversation_id = Attachment.objects.filter(pk=attachment_id).values_list("conversation", flat=True).first()
    if conversation_id is None:
        return
    with transaction.atomic():
        # Under the lock, so that the answer comes either before the message or after it, with a ring.
        conversation = Conversation.objects.lock(pk=conversation_id)
        attachment = Attachment.objects.filter(pk=attachment_id, scan_state=ScanState.PENDING).first()
        if attachment is None:
            return
        attachment.scan_state = ScanState.CLEAN if is_clean else ScanState.REFUSED
        fields = ["scan_state"]
        if not is_clean:
            transaction.on_commit(partial(_remove, _stored(attachment)))
            attachment.file, attachment.thumbnail = "", ""
            fields += ["file", "thumbnail"]
        attachment.save(update_fields=fields)
        if attachment.message_id is not None:
            conversation.revision += 1
            conversation.save(update_fields=["revision"])
            announce(groups.thread(conversation.pk), "changed", conversation=conversation.pk)


def remove_stale() -> int:
    """Remove what was uploaded more than a day ago and never posted; answers how many that were."""
    stale = Attachment.objects.filter(message=None, created_at__lt=database_now() - UNPOSTED_FOR)
    removed = 0
    for pk, conversation_id in stale.order_by("created_at").values_list("pk", "conversation")[:STALE_AT_ONCE]:
        with transaction.atomic():
            Conversation.objects.lock(pk=conversation_id)
            attachment = Attachment.objects.filter(pk=pk, message=None).first()
            if attachment is not None:
                _delete(attachment)
                removed += 1
    return removed


def _check_open(conversation: Conversation | None, sender: Sender) -> None:
    if conversation is None:
        raise Gone
    if sender.agent_id is not None:
        participation_of(Agent(pk=sender.agent_id), sender.conversation_id)
    if not conversation.is_open:
        raise AlreadyEnded


def _check_quota(conversation_id: int, size: int) -> None:
    held = Attachment.objects.filter(conversation=conversation_id).aggregate(files=Count("pk"), bytes=Sum("size"))
    if held["files"] >= settings.FILES_PER_CONVERSATION:
        raise FileRefused(
            _("This conversation has %(most)d files, which is the most that it can have."),
            most=settings.FILES_PER_CONVERSATION,
        )
    if (held["bytes"] or 0) + size > settings.MEGABYTES_PER_CONVERSATION * MEGABYTE:
        raise FileRefused(
            _("The files of this conversation together would be larger than %(megabytes)d MB, which is the most."),
            megabytes=settings.MEGABYTES_PER_CONVERSATION,
        )


def _store(upload: "UploadedFile[Any]", examined: Examined, now: dt.datetime) -> list[str]:
    """Write file and thumbnail under names that say nothing; answers those names, the thumbnail's maybe empty."""
    place = f"{now:%Y/%m}/{uuid.uuid4().hex}"
    upload.seek(0)
    stored = [default_storage.save(place, upload), ""]
    if examined.picture is not None:
        try:
            stored[1] = default_storage.save(f"{place}-thumbnail", ContentFile(examined.picture.thumbnail))
        except BaseException:
            _remove(stored)
            raise
    return stored


@transaction.atomic
def _keep(examined: Examined, stored: list[str], sender: Sender) -> Attachment:
    conversation = Conversation.objects.lock(pk=sender.conversation_id)
    _check_open(conversation, sender)
    _check_quota(sender.conversation_id, examined.size)
    picture = examined.picture
    return Attachment.objects.create(
        conversation=conversation,
        sender=sender.party,
        agent_id=sender.agent_id,
        name=examined.name,
        content_type=examined.content_type,
        size=examined.size,
        file=stored[0],
        thumbnail=stored[1],
        width=picture.width if picture else None,
        height=picture.height if picture else None,
        scan_state=ScanState.PENDING if settings.FILE_SCANNER else ScanState.CLEAN,
        created_at=database_now(),
    )


def _delete(attachment: Attachment) -> None:
    transaction.on_commit(partial(_remove, _stored(attachment)))
    attachment.delete()


def _stored(attachment: Attachment) -> list[str]:
    return [attachment.file.name or "", attachment.thumbnail.name or ""]


def _remove(stored: list[str]) -> None:
    """Delete from the storage; what cannot be deleted now is only space, and is logged."""
    for name in filter(None, stored):
        try:
            default_storage.delete(name)
        except Exception:
            logger.exception("The stored file %s could not be deleted.", name)
