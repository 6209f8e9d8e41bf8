"""Files that visitors and agents send, and which types they may have."""

import uuid
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from conversations.models.core import Conversation, Message
from conversations.states import Party, ScanState

LONGEST_FILE_NAME = 120


class FileType(models.Model):
    """A type of file that may be sent: its ending, and what a file with it must contain."""

    extension = models.CharField(
        _("ending"),
        max_length=10,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z0-9]+$", _("Write the ending in small letters and digits, without the dot."))
        ],
        help_text=_("Like pdf. Files are accepted by ending and content, both."),
    )
    is_in_use = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["extension"]
        verbose_name = _("file type")
        verbose_name_plural = _("file types")

    def __str__(self) -> str:
        return self.extension


class Attachment(models.Model):
    """
    A file in a conversation. It is uploaded first and belongs to a message once that is posted.

    `handle` names it in addresses; the stored name is made by us and says nothing.
    """

    handle = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="attachments", verbose_name=_("conversation")
    )
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="attachments", verbose_name=_("message")
    )
    sender = models.CharField(_("sender"), max_length=10, choices=Party)
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("agent"))
    name = models.CharField(_("name"), max_length=LONGEST_FILE_NAME)
    content_type = models.CharField(_("type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    file = models.FileField(_("file"), max_length=200)
    thumbnail = models.FileField(_("thumbnail"), max_length=200, blank=True)
    width = models.PositiveIntegerField(_("width in pixels"), null=True, blank=True)
    height = models.PositiveIntegerField(_("height in pixels"), null=True, blank=True)
    scan_state = models.CharField(_("check"), max_length=10, choices=ScanState, default=ScanState.CLEAN)
    scan_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("uploaded"))

    class Meta:
        ordering = ["pk"]
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="agents_files_name_their_agent",
                condition=Q(sender=Party.AGENT, agent__isnull=False) | (~Q(sender=Party.AGENT) & Q(agent=None)),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["scan_state", "created_at"], name="file_to_check", condition=Q(scan_state=ScanState.PENDING)
            ),
            models.Index(fields=["created_at"], name="file_not_posted", condition=Q(message=None)),
        ]

    def __str__(self) -> str:
        return self.name
