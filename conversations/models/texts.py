"""What supervisors keep for the compose box: templates of replies, and words that must not be written."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from queues.models import Queue


class ReplyTemplate(models.Model):
    """A reply that agents need often; its <parameters> are filled before it is sent."""

    title = models.CharField(_("title"), max_length=80)
    shortcut = models.CharField(
        _("shortcut"),
        max_length=20,
        blank=True,
        validators=[RegexValidator(r"^[\w-]+$", _("A shortcut has letters, digits, - and _ only, without blanks."))],
        help_text=_("What agents type after / to find it, like hello."),
    )
    text = models.TextField(
        _("text"),
        max_length=4000,
        help_text=_(
            "<customer name>, <agent name>, <queue> and <email> fill themselves; "
            "any other <parameter> must be filled by the agent before sending."
        ),
    )
    queue = models.ForeignKey(
        Queue,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="templates",
        verbose_name=_("queue"),
        help_text=_("Empty: for all queues."),
    )
    language = models.CharField(
        _("language"), max_length=5, choices=settings.LANGUAGES, blank=True, help_text=_("Empty: for all languages.")
    )
    is_in_use = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["title"]
        verbose_name = _("template")
        verbose_name_plural = _("templates")

    def __str__(self) -> str:
        return self.title


class RestrictedWord(models.Model):
    """A word that agents may not send, and that is masked for them when a visitor writes it."""

    word = models.CharField(
        _("word"), max_length=60, help_text=_("A word or a phrase; small and capital letters are the same.")
    )
    is_in_use = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["word"]
        verbose_name = _("restricted word")
        verbose_name_plural = _("restricted words")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                Lower("word"),
                name="one_restricted_word",
                violation_error_message=_("This word is in the list already."),
            ),
        ]

    def __str__(self) -> str:
        return self.word
