"""Pages that come back after a break: counted, and whether their thread goes on from where they were."""

from django.db import DatabaseError

from config import metrics
from config.threads import in_thread
from conversations.desk_page import DeskPage
from conversations.models import Conversation
from conversations.page import Page, VisitorPage


async def count_return(page: Page, sent: int) -> None:
    """
    Count a page that came back with so many lines.

    It lost nothing when its conversation still has the last line that the page names: what follows is sent to it. A
    line that the database does not have was lost there, by restoring an older backup, say.
    """
    conversation_id = page.conversation_id if isinstance(page, VisitorPage) else None
    if isinstance(page, DeskPage):
        conversation_id = page.open_id
    try:
        is_lossless = not sent or (conversation_id and await in_thread(has_line)(conversation_id, sent))
    except DatabaseError:
        return  # it comes back once more, and is counted then
    metrics.reconnects.labels(lossless="yes" if is_lossless else "no").inc()


def has_line(conversation_id: int, number: int) -> bool:
    """Whether this conversation has a line of this number; they have no gaps."""
    return Conversation.objects.filter(pk=conversation_id, last_number__gte=number).exists()
