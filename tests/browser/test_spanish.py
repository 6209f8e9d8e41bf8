"""A Spanish visitor and a Spanish agent see no English of ours."""

import re

import pytest
from babel.messages.pofile import read_po
from django.utils import translation
from playwright.sync_api import expect

from tests import make
from tests.browser import people
from tests.portals import ROOT

# What stands on the page for the eye and for a screen reader.
TEXTS = """() => [
    ...document.body.innerText.split("\\n"),
    ...[...document.querySelectorAll("[aria-label], [placeholder], [title]")]
        .filter((element) => element.checkVisibility())
        .flatMap((element) => ["aria-label", "placeholder", "title"].map((name) => element.getAttribute(name) || "")),
].map((text) => text.trim()).filter(Boolean)"""
# A language is chosen by its own name.
OWN_NAMES = {"English", "Livedesk"}
PARAMETER = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%")


def es(text):
    """The Spanish of one of our texts; it must have one."""
    with translation.override("es"):
        spanish = translation.gettext(text)
    assert spanish != text, f"{text!r} has no Spanish"
    return spanish


@pytest.fixture(scope="module")
def english():
    """Our English texts that have another Spanish, as patterns."""
    with (ROOT / "locale" / "es" / "LC_MESSAGES" / "django.po").open("rb") as file:
        catalogue = read_po(file, locale="es")
    patterns = []
    for entry in catalogue:
        sources = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        translations = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        for source in sources:
            # Too little of its own is no text: it would match anything.
            if len(PARAMETER.sub("", source).strip()) > 3 and source not in {*translations, *OWN_NAMES}:
                patterns.append(re.compile(".+".join(map(re.escape, PARAMETER.split(source)))))
    assert patterns
    return patterns


@pytest.fixture
def expect_no_english(english):
    def look(page):
        found = [text for text in page.evaluate(TEXTS) if any(pattern.fullmatch(text) for pattern in english)]
        assert found == []

    return look


def test_a_spanish_visitor_and_a_spanish_agent_see_no_english(transactional_db, person, expect_no_english):
    queue = make.queue("Español", slug="espanol", greeting="¿En qué podemos ayudarle?")
    make.closing_reason(queue, "Resuelto", is_default=True)
    make.idle_reason("Almuerzo")
    people.agent("Sofía Ruiz", queue, language="es")
    desk = person(locale="es-ES")
    desk.goto("/sign-in/")
    expect_no_english(desk)
    desk.locator("[name=username]").fill("sofia")
    desk.locator("[name=password]").fill(people.PASSWORD)
    desk.get_by_role("button", name=es("Sign in")).click()
    desk.wait_for_url("**/desk/")
    expect(desk.get_by_text(es("Connected"), exact=True)).to_be_visible()
    expect_no_english(desk)
    desk.get_by_role("button", name=re.compile(f"^{es('Idle')}")).click()
    menu_item = es("Idle: %(reason)s") % {"reason": "Almuerzo"}
    expect(desk.get_by_role("menuitem", name=menu_item)).to_be_visible()
    expect_no_english(desk)
    desk.get_by_role("menuitem", name=es("Available"), exact=True).click()
    expect(desk.get_by_role("button", name=re.compile(f"^{es('Available')}"))).to_be_visible()

    visitor = person(locale="es-ES")
    visitor.goto("/chat/")
    expect_no_english(visitor)
    visitor.goto("/chat/espanol/")
    visitor.get_by_role("button", name=es("Start chat")).click()
    expect(visitor.get_by_label(es("Your name"))).to_have_attribute("aria-invalid", "true")
    expect_no_english(visitor)
    visitor.get_by_label(es("Your name")).fill("Carmen Ortega")
    visitor.get_by_label(es("Email")).fill("carmen@example.com")
    visitor.get_by_label(es("Your question")).fill("¿Dónde está mi pedido?")
    visitor.get_by_role("button", name=es("Start chat")).click()
    visitor.wait_for_url("**/chat/current/")
    expect_no_english(visitor)

    requests = desk.get_by_role("region", name=es("Requests"))
    expect(requests.get_by_role("button", name=es("Accept"))).to_be_visible()
    expect(requests.get_by_role("button", name=es("Decline"))).to_be_visible()
    expect_no_english(desk)
    requests.get_by_role("button", name=es("Accept")).click()
    reply = desk.get_by_role("textbox", name=es("Reply to %(name)s") % {"name": "Carmen Ortega"})
    people.write(reply, "Ahora mismo lo miro.")
    message = visitor.get_by_role("textbox", name=es("Message"), exact=True)
    people.write(message, "Gracias")
    expect(desk.get_by_role("log").get_by_text("Gracias")).to_be_visible()
    expect(visitor.get_by_role("button", name=es("Send"))).to_be_visible()
    for page in (visitor, desk):
        expect(page.get_by_text(es("Sending…"), exact=True)).to_have_count(0)
        expect(page.get_by_role("region", name=es("Requests")).get_by_role("button")).to_have_count(0)
        expect_no_english(page)

    desk.get_by_role("button", name=es("End"), exact=True).click()
    dialog = desk.get_by_role("dialog", name=es("Closing reasons"))
    expect(dialog.get_by_role("button", name=es("Submit"))).to_be_visible()
    expect(visitor.get_by_role("button", name=es("New conversation"))).to_be_visible()
    for page in (visitor, desk):
        expect_no_english(page)
    dialog.get_by_role("combobox").fill("Resu")
    dialog.get_by_role("option", name="Resuelto").click()
    dialog.get_by_role("button", name=es("Submit")).click()
    expect(desk.get_by_role("heading", name=es("No conversation is open"))).to_be_visible()
    expect_no_english(desk)
