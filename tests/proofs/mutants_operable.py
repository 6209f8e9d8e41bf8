"""Broken builds for the proofs about running the portal and about browsers under attack; see broken_serve.py."""

from django.utils.safestring import mark_safe

from config import logs
from conversations import thread


def log_with_rows():
    """The log repeats what the database quotes: the row, and with it somebody's words."""
    logs.without_rows = lambda text: text


def words_are_markup():
    """What a visitor writes goes into the page as it is."""
    thread.with_links = mark_safe
