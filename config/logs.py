"""Logs that machines read: a JSON object a line, with the request or socket it belongs to, without anybody's words."""

import contextvars
import json
import logging
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

# What a line belongs to: "request 3f9a…" or "socket 81bc…"; made by us, so it says nothing about anybody.
belongs_to: contextvars.ContextVar[str] = contextvars.ContextVar("belongs_to", default="")

# PostgreSQL repeats the row that it refuses, which may be somebody's message, of as many lines as that has.
ROWS = re.compile(r"^[ |]*(?:DETAIL|CONTEXT|LINE \d+|PARAMETERS?):.*", re.MULTILINE | re.DOTALL)


def new_id(kind: str) -> str:
    """A name for one request or socket in the logs."""
    return f"{kind} {secrets.token_hex(6)}"


def without_rows(text: str) -> str:
    """The text of an error without the rows that a database quotes in it, and without all that follows."""
    return ROWS.sub("(row left out)", text)


def chain_of(problem: BaseException | None) -> Iterator[BaseException]:
    """An exception and those before it, as a traceback tells them."""
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


class BelongsTo(logging.Filter):
    """Gives each line the request or socket that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.belongs_to = belongs_to.get() or "-"
        return True


class TheirFault(logging.Filter):
    """What somebody sent wrong is a line: with a traceback for each, anybody could bury what matters."""

    def filter(self, record: logging.LogRecord) -> bool:
        if 400 <= getattr(record, "status_code", 0) < 500:
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class DiscreetFormatter(logging.Formatter):
    """Says what went wrong, and nothing of the rows in which it did."""

    def formatException(self, ei: Any) -> str:
        text = super().formatException(ei)
        # One by one: what somebody wrote may itself look like the end of a row and the beginning of a traceback.
        for problem in chain_of(ei[1]):
            text = text.replace(str(problem), without_rows(str(problem)))
        return without_rows(text)


class PlainFormatter(DiscreetFormatter):
    """A line for people."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return without_rows(super().formatMessage(record))


class JsonFormatter(DiscreetFormatter):
    """A line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "belongs_to": getattr(record, "belongs_to", "-"),
            "message": without_rows(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
