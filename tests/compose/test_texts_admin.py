"""Templates and restricted words in admin."""

import pytest
from django.urls import reverse

from conversations.masking import restricted
from conversations.models import ReplyTemplate, RestrictedWord
from conversations.watch import renew
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def vera(client):
    restricted.forget()
    client.force_login(make.supervisor())
    yield
    restricted.forget()


def admin(model, page, *args):
    return reverse(f"admin:conversations_{model}_{page}", args=args)


def test_a_template_is_kept_with_its_queue_language_and_shortcut(client):
    orders = make.queue("Orders")
    form = {"title": "Hello", "shortcut": "hi", "text": "Dear\r\n<customer name>", "queue": orders.pk}

    client.post(admin("replytemplate", "add"), {**form, "language": "en", "is_in_use": "on"})

    made = ReplyTemplate.objects.get()
    assert (made.text, made.queue, made.language, made.shortcut) == ("Dear\n<customer name>", orders, "en", "hi")


def test_a_template_with_a_broken_parameter_is_refused_with_a_sentence(client):
    answer = client.post(admin("replytemplate", "add"), {"title": "Hello", "text": "Your <order", "is_in_use": "on"})

    assert "In line 1 a “&lt;” has no “&gt;” after it." in answer.content.decode()
    assert not ReplyTemplate.objects.exists()


@pytest.mark.parametrize("query", ["hel", "hi", "dear"])
def test_templates_are_searched_by_title_shortcut_and_text(client, query):
    ReplyTemplate.objects.create(title="Hello", shortcut="hi", text="Dear")
    ReplyTemplate.objects.create(title="Other", text="Goodbye")

    page = client.get(admin("replytemplate", "changelist"), {"q": query}).content.decode()

    assert "Hello" in page
    assert "Other" not in page


def test_the_list_leads_to_import_and_export(client):
    page = client.get(admin("replytemplate", "changelist")).content.decode()

    assert admin("replytemplate", "import") in page
    assert admin("replytemplate", "export") in page


def test_a_restricted_word_is_kept_once_whatever_its_capitals_and_blanks(client):
    client.post(admin("restrictedword", "add"), {"word": "  bad   Word ", "is_in_use": "on"})

    answer = client.post(admin("restrictedword", "add"), {"word": "BAD word", "is_in_use": "on"})

    assert RestrictedWord.objects.get().word == "bad Word"
    assert "This word is in the list already." in answer.content.decode()


def test_a_new_restricted_word_counts_with_the_next_heartbeat(client):
    assert restricted.found_in("a darn thing") is None
    client.post(admin("restrictedword", "add"), {"word": "darn", "is_in_use": "on"})

    renew([], [])

    assert restricted.found_in("a darn thing") == "darn"


@pytest.mark.parametrize("model", ["replytemplate", "restrictedword"])
def test_what_is_retired_leaves_the_desk_and_stays_in_admin(client, model):
    row = (
        ReplyTemplate.objects.create(title="Hello", text="x")
        if model == "replytemplate"
        else RestrictedWord.objects.create(word="darn")
    )

    client.post(admin(model, "changelist"), {"action": "retire", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert not row.is_in_use


def test_the_help_shows_the_names_of_parameters(client):
    page = client.get(admin("replytemplate", "add")).content.decode()

    assert "&lt;customer name&gt;, &lt;agent name&gt;" in page
