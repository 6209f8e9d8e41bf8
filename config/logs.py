"""Logs that machines read: a JSON object a line, with the request or socket it belongs to, without anybody's words."""

import contextvars
import json
import logging
import re
import secrets
from datetime import UTC, datetime
from typing import Any

# What a line belongs to: "request 3f9a…" or "socket 81bc…"; made by us, so it says nothing about anybody.
belongs_to: contextvars.ContextVar[str] = contextvars.ContextVar("belongs_to", default="")

# PostgreSQL repeats the row that it refuses, which may be somebody's message.
ROWS = re.compile(r"^(?:DETAIL|CONTEXT|LINE \d+|PARAMETERS?):.*$", re.MULTILINE)


def new_id(kind: str) -> str:
    """A name for one request or socket in the logs."""
    return f"{kind} {secrets.token_hex(6)}"


def without_rows(text: str) -> str:
    """The text of an error without the rows that a database quotes in it."""
    return ROWS.sub("(row left out)", text)


class BelongsTo(logging.Filter):
    """Gives each line the request or socket that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.belongs_to = belongs_to.get() or "-"
        return True


class PlainFormatter(logging.Formatter):
    """A line for people."""

    def formatException(self, ei: Any) -> str:
        return without_rows(super().formatException(ei))


class JsonFormatter(logging.Formatter):
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
            line["exception"] = without_rows(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
