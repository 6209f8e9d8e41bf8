"""`manage.py messages`: the Spanish catalogue, kept without GNU gettext."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation.template import templatize

PACKAGES = ("config", "agents", "queues", "conversations")
LANGUAGE = "es"
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|%[sd]|\{(\w*)\}")


class Command(BaseCommand):
    help = "Brings the Spanish catalogue up to date with the strings in code and templates."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when a string lacks Spanish")
        parser.add_argument("--compile", action="store_true", help="make the .mo files that Django reads")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self.check_catalogue()
        elif options["compile"]:
            compile_catalogues()
        else:
            update_catalogue()
            self.stdout.write(f"{len(untranslated())} strings lack Spanish.")

    def check_catalogue(self) -> None:
        missing, wrong = untranslated(), faulty()
        for text in missing:
            self.stderr.write(f"No Spanish: {text}")
        for text in wrong:
            self.stderr.write(f"Other placeholders in Spanish: {text}")
        if missing or wrong:
            raise SystemExit(1)


def catalogue_path(language: str = LANGUAGE) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / "django.po"


def read_catalogue(language: str = LANGUAGE) -> Catalog:
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language, project="Livedesk", version="1", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def source_strings() -> Catalog:
    """Every string that people may read, from code and templates."""
    found = Catalog(project="Livedesk", version="1")
    for content in sources():
        for _line, message, comments, context in extract("python", content, KEYWORDS, ["Translators:"]):
            found.add(message, auto_comments=comments, context=context)
    return found


def sources() -> Iterator[BinaryIO]:
    root = Path(settings.BASE_DIR)
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield io.BytesIO(path.read_bytes())
    for path in sorted((root / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            yield io.BytesIO(as_python(path).encode())


def as_python(template: Path) -> str:
    """A template's strings as calls of gettext; in brackets, where Python does not mind how lines begin."""
    return f"(\n{templatize(template.read_text(encoding='utf-8'), origin=str(template))}\n)\n"


def update_catalogue() -> None:
    """Add what is new, drop what is gone, keep every translation, without line numbers' noise."""
    catalogue = read_catalogue()
    catalogue.update(source_strings(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    for message in catalogue:
        message.locations = []
    path = catalogue_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, no_location=True, sort_output=True)


def compile_catalogues() -> None:
    for path in sorted(Path(settings.LOCALE_PATHS[0]).rglob("*.po")):
        with path.open("rb") as source:
            catalogue = read_po(source, locale=path.parts[-3])
        with path.with_suffix(".mo").open("wb") as target:
            write_mo(target, catalogue)


def untranslated() -> list[str]:
    """Strings without complete Spanish: missing, empty, doubtful, or lacking a plural."""
    catalogue = read_catalogue()
    return [text_of(message) for message in source_strings() if message.id and not is_complete(catalogue, message)]


def is_complete(catalogue: Catalog, message: Message) -> bool:
    known = catalogue.get(message.id, message.context)
    if known is None or known.fuzzy:
        return False
    expected = catalogue.num_plurals if message.pluralizable else 1
    forms = forms_of(known.string)
    return len(forms) == expected and all(forms)


def faulty() -> list[str]:
    """Translations whose placeholders are not the original's: they would fail, or hide what they should say."""
    return [text_of(message) for message in read_catalogue() if message.id and not agrees(message)]


def agrees(message: Message) -> bool:
    originals = [placeholders(form) for form in forms_of(message.id)]
    # A singular may write its number as a word.
    return all(placeholders(form) in originals for form in forms_of(message.string) if form)


def placeholders(text: str) -> list[str]:
    return sorted(match.group(0) for match in PLACEHOLDER.finditer(text.replace("%%", "")))


def forms_of(text: "str | tuple[str, ...] | list[str] | None") -> list[str]:
    return [text or ""] if text is None or isinstance(text, str) else list(text)


def text_of(message: Message) -> str:
    return forms_of(message.id)[0]
