"""Templates of replies as a CSV file: written so that a spreadsheet runs nothing, read as a whole or not at all."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from conversations.models import LONGEST_MESSAGE, ReplyTemplate
from conversations.reply_templates import check_parameters
from queues.models import Queue

COLUMNS = ["title", "shortcut", "text", "queue", "language", "in use"]
LARGEST = 2 * 1024 * 1024
MOST_ROWS = 5000
MOST_PROBLEMS = 20
YES, NO = {"", "yes", "1", "true", "sí", "si"}, {"no", "0", "false"}
# What a spreadsheet would take for a formula, and what already looks like one that was made harmless.
FORMULA = re.compile(r"'*[=+\-@\t\r]")
HARMLESS = re.compile(r"'+[=+\-@\t\r]")

Key = tuple[str, int | None, str]


@dataclass
class Imported:
    """What an import did, or why it did nothing."""

    added: list[ReplyTemplate] = field(default_factory=list)
    changed: list[ReplyTemplate] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write(templates: Iterable[ReplyTemplate]) -> str:
    """The file for these templates, with a mark by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in templates:
        queue = row.queue.name if row.queue else ""
        cells = [row.title, row.shortcut, row.text, queue, row.language, "yes" if row.is_in_use else "no"]
        writer.writerow([f"'{cell}" if FORMULA.match(cell) else cell for cell in cells])
    return "\ufeff" + out.getvalue()


def read(content: bytes) -> Imported:
    """Add and change templates as the file says; when one row is wrong nothing changes and the problems say where."""
    done = Imported()
    try:
        records = _records(content)
    except ValidationError as problem:
        done.problems = problem.messages
        return done
    with transaction.atomic():
        standing = {(row.title, row.queue_id, row.language): row for row in ReplyTemplate.objects.all()}
        queues = {queue.name: queue for queue in Queue.objects.all()}
        seen: dict[Key, int] = {}
        for number, cells in records:
            try:
                _take(cells, number, done, standing, queues, seen)
            except ValidationError as problem:
                done.problems += [
                    _("Row %(row)s: %(problem)s") % {"row": number, "problem": one} for one in _said(problem)
                ]
        if not done.problems:
            ReplyTemplate.objects.bulk_create(done.added)
            ReplyTemplate.objects.bulk_update(done.changed, ["shortcut", "text", "is_in_use"])
    if len(done.problems) > MOST_PROBLEMS:
        more = len(done.problems) - MOST_PROBLEMS
        done.problems[MOST_PROBLEMS:] = [_("… and %(count)s more.") % {"count": more}]
    return done


def _records(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """The rows with their numbers as a spreadsheet counts them, the header being row 1."""
    if len(content) > LARGEST:
        raise ValidationError(_("The file is larger than 2 MB. Import it in parts."))
    text = _text(content)
    if text is None:
        raise ValidationError(
            _("The file is not in UTF-8. Save it in your spreadsheet as “CSV UTF-8”, then import it again.")
        )
    header = text.split("\n", 1)[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as problem:
        raise ValidationError(_("The file is no CSV file: %(problem)s.") % {"problem": problem}) from problem
    if not rows or [name.strip().lower() for name in rows[0]] != COLUMNS:
        raise ValidationError(_("The first row must be: %(columns)s.") % {"columns": ", ".join(COLUMNS)})
    filled = [(number, row) for number, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    if len(filled) > MOST_ROWS:
        raise ValidationError(_("The file has more than 5,000 templates. Import it in parts."))
    return [(number, _cells(number, row)) for number, row in filled]


def _text(content: bytes) -> str | None:
    """The file as text; None for another encoding, among them those whose letters come with NULs."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _cells(number: int, row: list[str]) -> dict[str, str]:
    if len(row) != len(COLUMNS):
        sentence = _("Row %(row)s has %(found)s columns, and there must be %(expected)s.")
        raise ValidationError(sentence % {"row": number, "found": len(row), "expected": len(COLUMNS)})
    plain = (cell[1:] if HARMLESS.match(cell) else cell for cell in row)
    return {name: cell.replace("\r\n", "\n").strip() for name, cell in zip(COLUMNS, plain, strict=True)}


def _take(
    cells: dict[str, str],
    number: int,
    done: Imported,
    standing: dict[Key, ReplyTemplate],
    queues: dict[str, Queue],
    seen: dict[Key, int],
) -> None:
    queue = queues.get(cells["queue"])
    if cells["queue"] and queue is None:
        raise ValidationError(_("there is no queue “%(name)s”.") % {"name": cells["queue"]})
    if cells["language"] and cells["language"] not in dict(settings.LANGUAGES):
        known = ", ".join(code for code, _name in settings.LANGUAGES)
        raise ValidationError(_("the language must be one of %(known)s, or empty.") % {"known": known})
    in_use = cells["in use"].casefold()
    if in_use not in YES | NO:
        raise ValidationError(_("“in use” must be yes or no."))
    key = (cells["title"], queue.pk if queue else None, cells["language"])
    if key in seen:
        raise ValidationError(_("the same template stands in row %(row)s already.") % {"row": seen[key]})
    seen[key] = number
    before = standing.get(key)
    row = before or ReplyTemplate(title=cells["title"], queue=queue, language=cells["language"])
    row.shortcut, row.text, row.is_in_use = cells["shortcut"], cells["text"], in_use in YES
    row.clean_fields()
    if len(row.text) > LONGEST_MESSAGE:  # fields of unlimited text do not check it themselves
        raise ValidationError(_("text: up to 4,000 characters fit, and this has %(count)s.") % {"count": len(row.text)})
    check_parameters(row.text)
    (done.changed if before else done.added).append(row)


def _said(problem: ValidationError) -> Iterator[str]:
    """Each sentence, after the column that it is about."""
    if not hasattr(problem, "error_dict"):
        yield from problem.messages
        return
    for name, sentences in problem.message_dict.items():
        column = ReplyTemplate._meta.get_field(name).verbose_name  # type: ignore[union-attr]
        yield from (f"{column}: {sentence}" for sentence in sentences)
