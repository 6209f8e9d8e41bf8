from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from django.core.management import call_command

from config.management.commands import messages


@pytest.fixture
def project(settings, tmp_path):
    """A project of one module and one template."""
    settings.BASE_DIR = tmp_path
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "words.py").write_text(
        'from django.utils.translation import gettext_lazy as _, ngettext\n_("Accept")\n'
        'ngettext("%(count)d request", "%(count)d requests", 2)\n',
        encoding="utf-8",
    )
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '{% load i18n %}\n<p>\n    {% translate "Decline" %}\n  {% blocktranslate with name=a trimmed %}\n'
        "      Talk with {{ name }}\n  {% endblocktranslate %}\n"
        '</p>{# a note #}{% translate "Queue" context "line" %}\n',
        encoding="utf-8",
    )
    return tmp_path


def translate(**texts):
    catalogue = messages.read_catalogue()
    for message in catalogue:
        if message.id and messages.text_of(message) in texts:
            message.string = texts[messages.text_of(message)]
    with messages.catalogue_path().open("wb") as file:
        messages.write_po(file, catalogue)


def test_every_string_of_the_portal_has_spanish():
    assert messages.untranslated() == []


def test_spanish_keeps_the_placeholders():
    assert messages.faulty() == []


def test_strings_are_found_in_code_and_templates(project):
    found = {(messages.text_of(message), message.context) for message in messages.source_strings() if message.id}

    assert found == {
        ("Accept", None),
        ("%(count)d request", None),
        ("Decline", None),
        ("Talk with %(name)s", None),
        ("Queue", "line"),
    }


def test_an_update_keeps_translations_and_drops_what_is_gone(project):
    call_command("messages", verbosity=0)
    translate(Accept="Aceptar", Decline="Rechazar")
    Path(project / "templates" / "page.html").unlink()

    call_command("messages", verbosity=0)

    catalogue = messages.read_catalogue()
    assert catalogue.get("Accept").string == "Aceptar"
    assert "Decline" not in catalogue


def test_an_update_without_news_changes_nothing(project):
    call_command("messages", verbosity=0)
    before = messages.catalogue_path().read_bytes()

    call_command("messages", verbosity=0)

    assert messages.catalogue_path().read_bytes() == before


def test_the_check_names_what_lacks_spanish(project, capsys):
    call_command("messages", verbosity=0)
    translate(Accept="Aceptar")

    with pytest.raises(SystemExit):
        call_command("messages", check=True)

    named = capsys.readouterr().err
    assert "Decline" in named
    assert "Accept" not in named


@pytest.mark.parametrize("string", ["Habla con ellos", "Habla con %(nombre)s", "Habla con %(name)d"])
def test_other_placeholders_are_a_fault(string):
    assert not messages.agrees(Message("Talk with %(name)s", string=string))


def test_a_plural_needs_all_its_forms():
    catalogue = Catalog(locale="es")
    catalogue.add(("%(count)d request", "%(count)d requests"), ("%(count)d solicitud", ""))

    assert not messages.is_complete(catalogue, Message(("%(count)d request", "%(count)d requests")))


def test_compiled_catalogues_are_read_by_django(project):
    call_command("messages", verbosity=0)
    translate(Accept="Aceptar")

    call_command("messages", compile=True)

    assert b"Aceptar" in messages.catalogue_path().with_suffix(".mo").read_bytes()
