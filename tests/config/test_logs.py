"""Logs say what went wrong, and nothing of what people wrote."""

import json
import logging
import sys

import pytest
from django.db import IntegrityError

from config.logs import JsonFormatter, PlainFormatter, TheirFault

REFUSED = """new row for relation "conversations_message" violates check constraint "planted"
DETAIL:  Failing row contains (7, first words,

second words

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  third words
last words, t)."""


def record_of(message, *, cause=None, context=None):
    """What the log is given when this goes wrong, after something else went wrong."""
    try:
        try:
            raise ValueError(cause or context or "nothing")
        except ValueError as first:
            if cause:
                raise IntegrityError(message) from first
            raise IntegrityError(message)  # noqa: B904 - as when a fault is handled and another happens
    except IntegrityError:
        return logging.LogRecord("django", logging.ERROR, "", 0, "Failed: %s", (message,), sys.exc_info())


def logged(kind, record):
    text = kind().format(record)
    if kind is JsonFormatter:
        line = json.loads(text)
        return f"{line['message']}\n{line['exception']}"
    return text


@pytest.mark.parametrize("kind", [JsonFormatter, PlainFormatter])
@pytest.mark.parametrize("how", ["cause", "context"])
def test_nothing_is_left_of_a_row_of_many_lines_that_the_database_repeats(kind, how):
    text = logged(kind, record_of(REFUSED, **{how: REFUSED}))

    assert "words" not in text
    assert text.count('violates check constraint "planted"') == 3
    assert text.count("(row left out)") == 3
    assert text.count("Traceback (most recent call last)") == 2
    assert text.count("above exception") == 1
    assert "IntegrityError: new row" in text


@pytest.mark.parametrize("kind", [JsonFormatter, PlainFormatter])
@pytest.mark.parametrize("keyword", ["DETAIL", "CONTEXT", "LINE 12", "PARAMETERS"])
def test_nothing_is_left_of_whatever_else_it_repeats(kind, keyword):
    text = logged(kind, record_of(f"no\n{keyword}: first words\nsecond words\nHINT: third words"))

    assert "words" not in text
    assert "Failed: no\n(row left out)" in text


@pytest.mark.parametrize("kind", [JsonFormatter, PlainFormatter])
def test_what_repeats_no_row_is_logged_as_it_is(kind):
    text = logged(kind, record_of("no DETAIL: of a row\nand a second line"))

    assert "Failed: no DETAIL: of a row\nand a second line" in text
    assert "IntegrityError: no DETAIL: of a row\nand a second line" in text


@pytest.mark.parametrize("status, lines", [(400, 1), (413, 1), (500, 5), (None, 5)])
def test_what_somebody_sent_wrong_is_a_line(status, lines):
    record = record_of("too many fields")
    if status:
        record.status_code = status

    assert TheirFault().filter(record)
    assert min(len(PlainFormatter().format(record).splitlines()), 5) == lines
    assert record.levelname == ("WARNING" if lines == 1 else "ERROR")
