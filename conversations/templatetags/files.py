"""What compose boxes know of files."""

from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse

from conversations.files import MEGABYTE

register = template.Library()


@register.simple_tag
def file_limits(conversation_id: int | None = None) -> dict[str, Any]:
    """How many and how large files may be, and where this side uploads them."""
    return {
        "most": settings.FILES_PER_MESSAGE,
        "megabytes": settings.FILE_MEGABYTES,
        "bytes": settings.FILE_MEGABYTES * MEGABYTE,
        "url": reverse("desk:upload", args=[conversation_id]) if conversation_id else reverse("chat:upload"),
    }
